"""Files that are made as they are sent."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.control import exports, usage_terms
from gateway.control.desk import Desk
from gateway.control.exports import Cells, Export, harmless
from gateway.errors import InvalidFields
from gateway.model.calls import Attribution, CallRecord
from gateway.model.sums import DAY_MS
from gateway.store import calls
from gateway.store.call_search import CallFilter
from tests.desks import START_MS, Office
from tests.store.rows import call, failed

pytestmark = pytest.mark.anyio


async def store(desk: Desk, *records: CallRecord) -> None:
    async with desk.db.write() as tx:
        await calls.insert_many(tx, records)


async def sent(export: Export, *, leaves_after: int = 10**9) -> tuple[dict[bytes, bytes], bytes, int]:
    """Headers, body, and how many writes; the reader leaves after so many of them."""
    messages: list[Any] = []
    gone = asyncio.Event()

    async def send(message: Any) -> None:
        messages.append(message)
        if len(messages) > leaves_after:
            gone.set()
        await asyncio.sleep(0)

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    await export({}, receive, send)
    body = b"".join(message.get("body", b"") for message in messages)
    return dict(messages[0]["headers"]), body, len(messages) - 1


async def test_requests_are_written_newest_first_and_read_in_pages(desk: Desk) -> None:
    await store(desk, *(call(number) for number in range(1, 1201)))

    headers, body, writes = await sent(exports.of_requests(desk, CallFilter(), "csv"))

    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [row["id"] for row in rows] == [call(number).id for number in range(1200, 0, -1)]
    assert writes == 25, "fifty rows at a time, between which calls have their turn"
    assert headers[b"content-type"] == b"text/csv; charset=utf-8"
    assert headers[b"content-disposition"] == b'attachment; filename="requests.csv"'
    first = rows[0]
    assert (first["started_at"], first["cost"], first["input_tokens"]) == (
        "1970-01-01T00:00:01.200Z",
        "0.000000123",
        "10",
    )


async def test_only_what_matches_is_written(desk: Desk) -> None:
    await store(desk, call(1), failed(2), call(3))

    _, body, _ = await sent(exports.of_requests(desk, CallFilter(code=500), "jsonl"))

    (row,) = [json.loads(line) for line in body.splitlines()]
    assert (row["id"], row["status"], row["is_stream"]) == (failed(2).id, "failed", True)


async def test_a_translated_call_of_an_agent_says_what_was_lost_and_who_asked(desk: Desk) -> None:
    agent = Attribution("s-1", "a-2", "a-1", "subagent")
    await store(desk, call(1, upstream_format="gemini_generate", dropped=("seed", "logit_bias"), attribution=agent))

    _, body, _ = await sent(exports.of_requests(desk, CallFilter(session="s-1"), "jsonl"))

    (row,) = [json.loads(line) for line in body.splitlines()]
    assert (row["api_format"], row["upstream_format"], row["dropped"]) == (
        "openai_chat",
        "gemini_generate",
        "seed logit_bias",
    )
    assert (row["agent_session"], row["agent"], row["parent_agent"], row["request_class"]) == (
        "s-1",
        "a-2",
        "a-1",
        "subagent",
    )


async def test_of_nothing_an_empty_file_is_written(desk: Desk) -> None:
    for name in exports.FORMATS:
        assert (await sent(exports.of_requests(desk, CallFilter(), name)))[1] == b""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\rx"])
async def test_a_cell_that_looks_like_a_formula_is_made_harmless(desk: Desk, text: str) -> None:
    await store(desk, failed(1, error=text, asked_model=text))

    _, body, _ = await sent(exports.of_requests(desk, CallFilter(), "csv"))

    (row,) = csv.DictReader(io.StringIO(body.decode(), newline=""))
    assert (row["error"], row["asked_model"]) == (f"'{text}", f"'{text}")
    assert harmless(-5) == -5
    assert harmless("a=b") == "a=b"


async def test_a_reader_that_leaves_ends_the_reading(desk: Desk) -> None:
    await store(desk, *(call(number) for number in range(1, 3001)))

    _, body, writes = await sent(exports.of_requests(desk, CallFilter(), "jsonl"), leaves_after=1)

    assert writes <= 3
    assert len(body.splitlines()) < 3000


async def test_nothing_is_made_before_it_can_be_sent(desk: Desk) -> None:
    made = 0

    async def rows() -> AsyncIterator[Sequence[Cells]]:
        nonlocal made
        while made < 100:
            made += 1
            yield [{"number": made}]

    taken = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await taken.wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    sending = asyncio.create_task(Export("x", "csv", rows)({}, receive, send))
    await asyncio.sleep(0.05)
    assert made == 1
    sending.cancel()


async def test_usage_is_written_by_day_and_group(office: Office) -> None:
    office.clock.wall = START_MS // DAY_MS * DAY_MS + 1000
    day = office.clock.wall // DAY_MS * DAY_MS
    await store(
        office.desk,
        call(1, started_at=day),
        call(2, started_at=day - 1, served_model="=evil", cost_nano=None),
        call(3, started_at=day - 1),
    )
    wanted = usage_terms.parse({"group": "model", "subgroup": "api_key"})

    _, body, writes = await sent(exports.of_usage(office.desk, wanted, "csv"))

    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [(row["since"][:10], row["model"], row["requests"], row["cost"]) for row in rows] == [
        ("2027-01-14", "'=evil", "1", "0"),
        ("2027-01-14", "gpt", "1", "0.000000123"),
        ("2027-01-15", "gpt", "1", "0.000000123"),
    ]
    assert rows[0]["api_key"] == "ak1"
    assert writes == 3


def test_a_format_that_there_is_not_is_refused() -> None:
    assert exports.parse_format({"metric": "cost"}) == "csv"
    with pytest.raises(InvalidFields):
        exports.parse_format({"format": "xls"})
