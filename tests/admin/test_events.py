"""The live event stream for open pages: as long as somebody is signed in, and no longer."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator

import pytest

from gateway.admin.pages import HEADERS
from gateway.control.events import MOST_LISTENERS, Topic
from tests.admin.browsing import PASSWORD, Operator, visitor
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio

UNATTENDED = {"x-unattended": "1"}


@contextlib.asynccontextmanager
async def opened(operator: Operator, path: str = "/admin/events") -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream, past its first event."""
    async with operator.client.stream("GET", path) as response:
        assert response.status_code == 200
        lines = response.aiter_lines()
        async with asyncio.timeout(5):
            assert [await anext(lines) for _ in range(5)][2] == "event: ready"
        yield lines


async def lines_left(lines: AsyncIterator[str]) -> list[str]:
    async with asyncio.timeout(5):
        return [line async for line in lines]


def change(gateway: RunningGateway) -> None:
    gateway.desk.events.publish(Topic.REGISTRY, "update", "pool", ("p",), 9, 0)


def last_seen(gateway: RunningGateway) -> int:
    with sqlite3.connect(gateway.desk.settings.database) as db:
        return int(db.execute("SELECT max(last_seen_at) FROM sessions").fetchone()[0])


def was_seen(gateway: RunningGateway, minutes_ago: int) -> int:
    """As if the newest visit was so long ago."""
    at = gateway.desk.clock.wall_ms() - minutes_ago * 60_000
    with sqlite3.connect(gateway.desk.settings.database) as db:
        db.execute("UPDATE sessions SET last_seen_at = ?", (at,))
    return at


async def test_a_page_says_how_far_it_is_and_hears_of_what_comes_after(operator: Operator) -> None:
    page = (await operator.get("/admin/keys")).text
    after = re.search(r'data-events="/admin/events" data-after="(\d+)"', page)
    assert after is not None
    await operator.submit("/admin/keys/new", name="k", models="all")

    async with opened(operator, f"/admin/events?after={after[1]}") as lines:
        told = [await anext(lines) for _ in range(3)]

    assert told[:2] == [f"id: {int(after[1]) + 1}", "event: registry"]
    assert '"noun":"api_key"' in told[2]


async def test_a_stream_has_the_headers_of_a_page(operator: Operator) -> None:
    async with operator.client.stream("GET", "/admin/events") as response:
        for name, value in {**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}.items():
            assert response.headers[name] == value
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-length" not in response.headers


async def test_without_a_session_there_is_no_stream(guest: Operator) -> None:
    got = await guest.get("/admin/events")

    assert (got.status_code, got.headers["location"]) == (303, "/admin/login?next=%2Fadmin%2Fevents")
    assert (await guest.client.head("/admin/events")).status_code == 303


async def test_the_head_of_a_stream_can_be_asked_for(operator: Operator) -> None:
    got = await operator.client.head("/admin/events")

    assert (got.status_code, got.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_signing_out_ends_the_stream_before_anything_more_is_told(operator: Operator) -> None:
    async with opened(operator) as lines:
        await operator.submit("/admin/logout", "/admin/keys")
        change(operator.gateway)
        assert await lines_left(lines) == ["event: over", "data: {}", ""]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sessions",
        "UPDATE users SET is_active = 0",
        "UPDATE users SET role = 'user'",
        "UPDATE sessions SET expires_at = 1",
        "UPDATE sessions SET last_seen_at = 1",
    ],
)
async def test_whatever_ends_a_session_ends_its_stream(operator: Operator, statement: str) -> None:
    async with opened(operator) as lines:
        async with operator.gateway.desk.db.write() as tx:
            await tx.execute(statement)
        change(operator.gateway)
        assert await lines_left(lines) == ["event: over", "data: {}", ""]


async def test_another_session_of_the_same_person_goes_on(operator: Operator) -> None:
    other = visitor(operator.gateway)
    async with other.client:
        assert (await other.sign_in(PASSWORD)).status_code == 303
        async with opened(operator) as lines, opened(other) as other_lines:
            await other.submit("/admin/logout", "/admin/keys")
            change(operator.gateway)
            assert (await lines_left(other_lines))[0] == "event: over"
            assert (await anext(lines)).startswith("id: ")


async def test_a_stream_does_not_keep_a_session_alive(operator: Operator) -> None:
    seen = was_seen(operator.gateway, minutes_ago=30)

    async with opened(operator) as lines:
        change(operator.gateway)
        await anext(lines)

    assert last_seen(operator.gateway) == seen


async def test_a_page_that_looks_again_by_itself_keeps_no_session_alive_and_a_person_does(operator: Operator) -> None:
    seen = was_seen(operator.gateway, minutes_ago=30)

    assert (await operator.client.get("/admin/providers", headers=UNATTENDED)).status_code == 200
    assert last_seen(operator.gateway) == seen
    await operator.get("/admin/providers")
    assert last_seen(operator.gateway) > seen


async def test_a_page_that_looks_again_by_itself_for_an_hour_is_asked_to_sign_in(operator: Operator) -> None:
    was_seen(operator.gateway, minutes_ago=61)

    got = await operator.client.get("/admin/providers", headers={**UNATTENDED, "hx-request": "true"})

    assert (got.status_code, got.headers["hx-redirect"]) == (401, "/admin/login?next=%2Fadmin%2Fproviders")


async def test_only_so_many_streams_may_be_open(operator: Operator) -> None:
    with contextlib.ExitStack() as others:
        for _ in range(MOST_LISTENERS):
            others.enter_context(operator.gateway.desk.events.listen(frozenset({Topic.HEALTH})))
        got = await operator.get("/admin/events")

    assert (got.status_code, got.headers["retry-after"]) == (503, "10")
