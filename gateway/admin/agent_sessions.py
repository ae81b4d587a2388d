"""The page of one session of a coding agent: its cost by agent and by class of request."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.site import Site, signed_in
from gateway.admin.visits import Visit
from gateway.admin.wording import count, duration, exact, full_time
from gateway.control import agent_sessions
from gateway.control.agent_sessions import MOST_CALLS, AgentSession
from gateway.money import format_dollars


@signed_in("requests")
async def show(site: Site, visit: Visit) -> Response:
    found = await agent_sessions.get(site.desk, visit.request.query_params.get("session", "")[:100])
    return site.page(visit, "requests/session.html", found=found, figures=figures(found), most=MOST_CALLS)


def figures(found: AgentSession) -> list[tuple[str, str, str]]:
    """What the whole session comes to: name, value, and what belongs to it."""
    whole = found.total
    return [
        ("Requests", exact(whole.requests), f"{exact(whole.failed)} failed"),
        (
            "Tokens in / out",
            f"{count(whole.read_tokens)} / {count(whole.output_tokens)}",
            f"{count(whole.cache_read_tokens)} from a cache",
        ),
        (
            "Cost",
            format_dollars(whole.cost_nano),
            f"{exact(whole.unpriced)} unpriced" if whole.unpriced else "at list prices",
        ),
        ("From first to last", duration(found.until - found.since), f"since {full_time(found.since)[:-7]}"),
    ]
