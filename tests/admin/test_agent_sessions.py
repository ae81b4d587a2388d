"""The page of one session of a coding agent."""

from __future__ import annotations

import pytest

from gateway.control.agent_sessions import MOST_CALLS
from gateway.model.calls import Attribution
from gateway.store import calls
from tests.admin.browsing import Operator, parse, text_of, words_of
from tests.store.rows import call

pytestmark = pytest.mark.anyio

NAME = "6f1c/&+<b>"
HEADERS = {
    "x-claude-code-session-id": "s-live",
    "x-claude-code-agent-id": "agent-7",
    "x-claude-code-parent-agent-id": "agent-1",
    "x-claude-code-request-class": "subagent",
}


async def test_what_an_agent_says_of_itself_is_on_the_page_of_its_request_and_of_its_session(
    operator: Operator,
) -> None:
    await operator.gateway.call("demo/echo", HEADERS)
    row = await operator.gateway.row()

    request = (await operator.get(f"/admin/requests/{row.id}")).text
    link = next(a.get("href", "") for a in parse(request).iter("a") if "/agents?" in a.get("href", ""))
    page = text_of((await operator.get(link)).text)

    assert "agent-7 agent-1 1 0" in page
    assert "subagent 1 0" in page


async def test_a_session_shows_its_cost_by_agent_and_by_class(operator: Operator) -> None:
    rows = [
        call(1, attribution=Attribution(NAME, "", "", "main"), cost_nano=1_000_000_000),
        call(60_001, attribution=Attribution(NAME, "a2", "a1", "subagent"), cost_nano=None),
    ]
    async with operator.gateway.desk.db.write() as tx:
        await calls.insert_many(tx, rows)

    html = (await operator.client.get("/admin/requests/agents", params={"session": NAME})).text
    page = text_of(html)

    assert NAME in page
    shown = [[words_of(span) for span in box] for box in parse(html).iter("div") if box.get("class") == "card kpi"]
    assert shown[0] == ["Requests", "2", "0 failed"]
    assert shown[2:] == [
        ["Cost", "$1.0000", "1 unpriced"],
        ["From first to last", "60.0 s", "since 1970-01-01 00:00"],
    ]
    assert "not told – 1 0" in page
    assert "a2 a1 1 0" in page
    assert "20 unpriced" in page
    assert "/admin/requests?session=6f1c/%26%2B%3Cb%3E" in [a.get("href") for a in parse(html).iter("a")]
    assert "Only the newest" not in page


async def test_a_session_that_is_too_long_says_that_not_all_is_counted(operator: Operator) -> None:
    rows = [call(number, attribution=Attribution("s"), attempts=()) for number in range(MOST_CALLS)]
    async with operator.gateway.desk.db.write() as tx:
        await calls.insert_many(tx, rows)

    page = text_of((await operator.get("/admin/requests/agents?session=s")).text)

    assert "Only the newest 10,000 requests are counted here." in page


async def test_a_session_that_nobody_had_is_not_found(operator: Operator) -> None:
    for query in ("", "?session=", "?session=x", "?session=%00"):
        assert (await operator.get(f"/admin/requests/agents{query}")).status_code == 404
