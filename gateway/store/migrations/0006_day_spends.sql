-- What was spent is kept by day alone, as every other period is made of days: one row a call and owner instead of four.

ALTER TABLE spends RENAME TO period_spends;
CREATE TABLE spends (
  owner TEXT NOT NULL,
  day INTEGER NOT NULL,
  nano INTEGER NOT NULL CHECK (nano >= 0),
  PRIMARY KEY (owner, day)
) STRICT, WITHOUT ROWID;
INSERT INTO spends (owner, day, nano) SELECT owner, since / 86400000, nano FROM period_spends WHERE period = 'daily';
DROP TABLE period_spends;

-- For a list of three or more words SQLite makes a table each time that a row is written; for two it compares. What may
-- be stored is the same, so the constraint is changed in place, as SQLite's documentation of ALTER TABLE tells:
-- a ledger need not be written anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(replace(sql,
    'CHECK (status IN (''completed'', ''failed'', ''cancelled'', ''crashed''))',
    'CHECK (status IN (''completed'', ''failed'') OR status IN (''cancelled'', ''crashed''))'),
    'CHECK (usage_source IN (''reported'', ''estimated'', ''none''))',
    'CHECK (usage_source IN (''reported'', ''estimated'') OR usage_source = ''none'')')
WHERE type = 'table' AND name = 'calls';
PRAGMA writable_schema = RESET;
