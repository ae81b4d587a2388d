"""`/api/admin/requests/agents`: what one session of a coding agent used."""

from __future__ import annotations

import msgspec

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import agent_sessions
from gateway.control.agent_sessions import AgentSession, AgentUse
from gateway.control.fields import Field, Kind, read
from gateway.model.sums import Sums
from gateway.money import exact_dollars

_SESSION = Field("session", Kind.TEXT, "What the agent calls its session.", required=True, most=100)


class AgentUseShown(msgspec.Struct, frozen=True):
    """What one agent, or one class of request, used. `name` is empty where the calls did not say.

    `parent_agent` is whom an agent works for. `cost` and `actual` are dollars; times are Unix milliseconds.
    """

    name: str
    parent_agent: str
    since: int
    until: int
    sums: Sums
    cost: str
    actual: str


class AgentSessionShown(msgspec.Struct, frozen=True):
    """The newest calls of a session, 10000 at most; `is_whole` unless there may be more."""

    session: str
    since: int
    until: int
    is_whole: bool
    total: Sums
    cost: str
    actual: str
    agents: tuple[AgentUseShown, ...]
    classes: tuple[AgentUseShown, ...]


@policy("token")
async def _get(visit: Visit) -> object:
    values = read((_SESSION,), visit.query, partial=False, text=True)
    return _shown(await agent_sessions.get(visit.desk, values["session"]))


def _shown(found: AgentSession) -> AgentSessionShown:
    return AgentSessionShown(
        session=found.session,
        since=found.since,
        until=found.until,
        is_whole=found.is_whole,
        total=found.total,
        cost=exact_dollars(found.total.cost_nano),
        actual=exact_dollars(found.total.actual_nano),
        agents=tuple(_use(one) for one in found.agents),
        classes=tuple(_use(one) for one in found.classes),
    )


def _use(one: AgentUse) -> AgentUseShown:
    return AgentUseShown(
        name=one.name,
        parent_agent=one.parent_agent,
        since=one.since,
        until=one.until,
        sums=one.sums,
        cost=exact_dollars(one.sums.cost_nano),
        actual=exact_dollars(one.sums.actual_nano),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PREFIX}/requests/agents",
        name="get_agent_session",
        summary="What one session of a coding agent used, by agent and by class of request.",
        handler=_get,
        answer=AgentSessionShown,
        query=(_SESSION,),
    ),
)
