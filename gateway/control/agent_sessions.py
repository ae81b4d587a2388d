"""One session of a coding agent: what it used, by agent and by class of request."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.model.sums import Sums, total
from gateway.store import agent_sessions
from gateway.store.agent_sessions import AgentGroup

MOST_CALLS = 10_000


class AgentUse(msgspec.Struct, frozen=True):
    """What one agent, or one class of request, used. `parent_agent` is whom the agent works for.

    A class has none. `name` is empty where the calls did not say.
    """

    name: str
    parent_agent: str
    since: int
    until: int
    sums: Sums


class AgentSession(msgspec.Struct, frozen=True):
    """The newest MOST_CALLS calls of a session; `is_whole` unless there may be more. Times are Unix milliseconds."""

    session: str
    since: int
    until: int
    is_whole: bool
    total: Sums
    agents: tuple[AgentUse, ...]
    classes: tuple[AgentUse, ...]


async def get(desk: Desk, session: str) -> AgentSession:
    """Raises NotFound where no call was made in it."""
    found = await desk.db.read_at_once(lambda tx: agent_sessions.groups(tx, session, MOST_CALLS))
    groups = require(found or None, "session")
    whole = total(group.sums for group in groups)
    return AgentSession(
        session=session,
        since=min(group.since for group in groups),
        until=max(group.until for group in groups),
        is_whole=whole.requests < MOST_CALLS,
        total=whole,
        agents=_merged(groups, lambda group: (group.agent, group.parent_agent)),
        classes=_merged(groups, lambda group: (group.request_class, "")),
    )


def _merged(groups: Iterable[AgentGroup], named: Callable[[AgentGroup], tuple[str, str]]) -> tuple[AgentUse, ...]:
    """The groups of each name as one, those that began first coming first."""
    parts: dict[tuple[str, str], list[AgentGroup]] = {}
    for group in groups:
        parts.setdefault(named(group), []).append(group)
    return tuple(
        AgentUse(
            *names,
            since=min(group.since for group in of_it),
            until=max(group.until for group in of_it),
            sums=total(group.sums for group in of_it),
        )
        for names, of_it in parts.items()
    )
