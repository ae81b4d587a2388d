-- With thousands of API keys, every call changes rows of its own in three tables of sums. What they come to is noted with
-- the calls, some hundred at a time, and written to its tables every few seconds.

CREATE TABLE pending_sums (
  number INTEGER PRIMARY KEY,
  sums TEXT NOT NULL
) STRICT;
