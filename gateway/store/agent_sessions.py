"""What the newest calls of one session of a coding agent come to."""

from __future__ import annotations

import msgspec

from gateway.model.sums import Sums
from gateway.store.database import Tx


class AgentGroup(msgspec.Struct, frozen=True):
    """Calls of one agent, for one parent, in one class of request. `since` began the first of them, `until` the last:
    Unix milliseconds.
    """

    agent: str
    parent_agent: str
    request_class: str
    since: int
    until: int
    sums: Sums


async def groups(tx: Tx, session: str, most: int) -> tuple[AgentGroup, ...]:
    """Of the newest `most` calls of the session; those that began first come first."""
    async with tx.execute(
        """
        SELECT agent_id, parent_agent_id, request_class, min(started_at) AS since, max(started_at), count(*),
               sum(status IN ('failed', 'crashed')), sum(status = 'cancelled'),
               sum(status = 'failed' AND attempt_count = 0 AND code BETWEEN 400 AND 499),
               sum(cost_nano IS NULL AND usage_source <> 'none'), sum(input_tokens), sum(output_tokens),
               sum(cache_read_tokens), sum(cache_creation_tokens + cache_creation_1h_tokens), sum(reasoning_tokens),
               coalesce(sum(cost_nano), 0), coalesce(sum(actual_nano), 0)
        FROM (
          SELECT agent_id, parent_agent_id, request_class, started_at, status, code, attempt_count, usage_source,
                 input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, cache_creation_1h_tokens,
                 reasoning_tokens, cost_nano, actual_nano
          FROM calls INDEXED BY calls_by_agent_session
          WHERE agent_session = :session AND agent_session <> '' ORDER BY id DESC LIMIT :most)
        GROUP BY agent_id, parent_agent_id, request_class
        ORDER BY since, agent_id, parent_agent_id, request_class
        """,
        {"session": session, "most": most},
    ) as rows:
        return tuple(
            AgentGroup(row[0], row[1], row[2], row[3], row[4], Sums(*row[5:])) for row in await rows.fetchall()
        )
