"""The ledger's rows, and how they are found."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.model.calls import Attribution, CallRecord, CallSource, CallStatus, Considered, Usage, UsageSource
from gateway.model.registry import Price
from gateway.store import calls
from gateway.store.call_search import CallFilter
from gateway.store.database import Database, open_database
from gateway.store.migrate import migrate
from tests.store.rows import ATTEMPT, CALL, call, failed

pytestmark = pytest.mark.anyio

STRINGS = (
    *("id", "api_key_id", "api_key_name", "api_format", "path", "asked_model", "served_model", "provider_id"),
    *("provider", "backend_id", "backend", "pool", "error_code", "error", "client_ip", "route", "user_id"),
    *("user_name", "upstream_format", "price_origin"),
)
UNKNOWN = ("first_byte_ms", "seed", "rate_multiplier", "cost_nano", "actual_nano", "reserved_nano")
NUMBERS = ("started_at", "code", "total_ms", "overhead_us", "config_version", "charged_at", *UNKNOWN)
OTHERS = (
    *("usage", "price", "source", "dropped", "attribution", "considered", "attempts", "is_stream", "status", "skips"),
)


async def found(db: Database, wanted: CallFilter, before: str | None = None, limit: int = 100) -> list[int]:
    """The numbers of the calls that match, in the order in which they come."""
    async with db.read() as tx:
        rows = await calls.page(tx, wanted, before, limit)
        assert await calls.count(tx, wanted, 1000) >= len(rows)
    return [row.started_at for row in rows]


async def store(db: Database, *records: Any) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)


async def test_a_call_comes_back_with_its_attempts_and_skips(db: Database) -> None:
    await store(db, CALL)
    async with db.read() as tx:
        assert await calls.get(tx, CALL.id) == CALL
        assert await calls.get(tx, "req_other") is None


async def test_a_call_that_was_refused_before_anything_was_known_can_be_stored(db: Database) -> None:
    refused = call(
        1,
        api_key_id=None,
        api_key_name="",
        provider_id=None,
        backend_id=None,
        usage=Usage(),
        price=None,
        cost_nano=None,
        first_byte_ms=None,
        attempts=(),
        skips=(),
        status=CallStatus.FAILED,
        code=401,
    )
    await store(db, refused)
    async with db.read() as tx:
        assert await calls.get(tx, refused.id) == refused


async def test_every_field_lands_in_its_own_column(db: Database) -> None:
    """Each with a value that no other has."""
    whole = call(
        1,
        **{field: f"the {field}" for field in STRINGS},
        **{field: 1000 + number for number, field in enumerate(NUMBERS)},
        usage=Usage(21, 22, 23, 24, 25, UsageSource.ESTIMATED, 26),
        price=Price(31, 32, 33, 34, 35, 36),
        source=CallSource.TEST,
        dropped=("top_k",),
        attribution=Attribution("a session", "an agent", "its parent", "main"),
        considered=(Considered("b1", "acme/main", "primary", "m-1"),),
        attempts=tuple(replace(ATTEMPT, number=number) for number in range(1, 4)),
    )
    assert set(STRINGS) | set(NUMBERS) | set(OTHERS) == set(CallRecord.__struct_fields__)
    await store(db, whole)
    async with db.read() as tx:
        assert await calls.get(tx, whole.id) == whole


USUAL = call(
    1,
    status=CallStatus.COMPLETED,
    source=CallSource.API,
    error_code="",
    error="",
    attribution=Attribution(),
    skips=(),
    dropped=(),
    attempts=(replace(ATTEMPT, outcome="ok", status=200, error="", rest_ms=None),),
)
"""Written without all that is as it is in most rows."""
UNUSUAL: tuple[dict[str, Any], ...] = (
    {"status": CallStatus.FAILED},
    {"source": CallSource.TEST},
    {"error_code": "upstream_failed"},
    {"error": "It failed."},
    {"skips": CALL.skips},
    {"dropped": ("top_k", "seed")},
    {"attribution": Attribution(session="s")},
    {"attribution": Attribution(agent="a")},
    {"attribution": Attribution(parent_agent="p")},
    {"attribution": Attribution(request_class="main")},
)
UNUSUAL_ATTEMPTS: tuple[dict[str, Any], ...] = (
    {"outcome": "failed"},
    {"status": 201},
    {"status": None},
    {"error": "It failed."},
    {"rest_ms": 0},
)


@given(st.lists(st.tuples(st.sets(st.sampled_from(range(10))), st.sets(st.sampled_from(range(5)))), max_size=40))
async def test_every_row_comes_back_as_it_is_however_much_of_it_is_as_usual(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[set[int], set[int]]]
) -> None:
    path = tmp_path_factory.mktemp("usual") / "gateway.db"
    migrate(path)
    written = []
    for number, (fields, of_attempt) in enumerate(drawn):
        attempt = replace(USUAL.attempts[0], **merged(UNUSUAL_ATTEMPTS, of_attempt))
        record = replace(USUAL, id=call(number).id, attempts=(attempt,), **merged(UNUSUAL, fields))
        written.append(record)

    async with open_database(path) as db:
        await store(db, *written)
        async with db.read() as tx:
            assert [await calls.get(tx, record.id) for record in written] == written


def merged(changes: tuple[dict[str, Any], ...], chosen: set[int]) -> dict[str, Any]:
    return {name: value for number in chosen for name, value in changes[number].items()}


async def test_calls_take_as_little_room_whatever_their_order(db: Database) -> None:
    """They come in the order in which they end."""

    async def pages(numbers: Iterable[int]) -> int:
        batch = list(numbers)
        for at in range(0, len(batch), 200):
            await store(db, *(call(number) for number in batch[at : at + 200]))
        async with db.read() as tx, tx.execute("SELECT count(*) FROM dbstat WHERE name = 'calls'") as rows:
            found = await rows.fetchone()
        assert found is not None
        return int(found[0])

    in_order = await pages(range(1000))
    backwards = (number for start in range(1000, 2000, 200) for number in range(start + 199, start - 1, -1))

    assert await pages(backwards) <= 2 * in_order + 1


async def test_what_is_not_known_is_null(db: Database) -> None:
    """However it is handed to SQLite."""
    nothing = dict.fromkeys(("api_key_id", "provider_id", "backend_id", "user_id", "price", *UNKNOWN))
    await store(db, call(1, **nothing))
    async with (
        db.read() as tx,
        tx.execute(
            """
            SELECT typeof(api_key_id), typeof(provider_id), typeof(backend_id), typeof(user_id), typeof(input_price),
                   typeof(cache_creation_1h_price), typeof(cost_nano), typeof(first_byte_ms), typeof(seed),
                   typeof(rate_multiplier), typeof(actual_nano), typeof(reserved_nano)
            FROM calls
            """
        ) as rows,
    ):
        assert [tuple(row) for row in await rows.fetchall()] == [("null",) * 12]


async def test_how_a_call_was_decided_comes_back(db: Database) -> None:
    planned = (
        Considered("b1", "acme/main", "primary", "m-1", "served this conversation before"),
        Considered("b2", "spare/main", "fallback", "m-2"),
    )
    decided = call(1, route="AGENT:coder", seed=2**32 - 1, considered=planned, rate_multiplier=800_000, actual_nano=33)
    await store(db, decided, call(2))

    async with db.read() as tx:
        assert await calls.get(tx, decided.id) == decided
        assert await calls.get(tx, call(2).id) == call(2)
        listed = (await calls.page(tx, CallFilter(), None, 10))[-1]
    assert (listed.source, listed.route, listed.actual_nano) == (CallSource.API, "AGENT:coder", 33)


async def test_writing_the_same_batch_twice_leaves_one_row(db: Database) -> None:
    await store(db, CALL, call(5))
    await store(db, CALL, call(5, error="changed"))
    async with db.read() as tx:
        assert await calls.count(tx, CallFilter(), 1000) == 2
        assert await calls.get(tx, CALL.id) == CALL


async def test_pages_go_from_the_newest_back_without_gaps_or_repeats(db: Database) -> None:
    await store(db, *(call(number) for number in range(1, 8)))

    first = await found(db, CallFilter(), limit=3)
    second = await found(db, CallFilter(), before=call(first[-1]).id, limit=3)
    third = await found(db, CallFilter(), before=call(second[-1]).id, limit=3)

    assert (first, second, third) == ([7, 6, 5], [4, 3, 2], [1])


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (CallFilter(api_key="ak2"), [2]),
        (CallFilter(api_key="server"), [2]),
        (CallFilter(model="gpt"), [6, 5, 4, 2, 1]),
        (CallFilter(model="fast"), [6, 5, 4, 3, 2, 1]),
        (CallFilter(provider="groq"), [4]),
        (CallFilter(provider="prov2"), [4]),
        (CallFilter(backend="groq/free"), [4]),
        (CallFilter(backend="end2:key2"), [4]),
        (CallFilter(status=CallStatus.FAILED), [6, 5]),
        (CallFilter(code=429), [6]),
        (CallFilter(code_class=4), [6]),
        (CallFilter(code_class=2), [4, 3, 2, 1]),
        (CallFilter(since=3), [6, 5, 4, 3]),
        (CallFilter(until=3), [2, 1]),
        (CallFilter(text="limit"), [6]),
        (CallFilter(text="LIMIT", status=CallStatus.FAILED, since=6, until=7, model="gpt"), [6]),
        (CallFilter(text="limit", code=500), []),
    ],
)
async def test_each_filter_finds_its_calls(db: Database, wanted: CallFilter, numbers: list[int]) -> None:
    await store(
        db,
        call(1),
        call(2, api_key_id="ak2", api_key_name="server"),
        call(3, served_model="other"),
        call(4, provider_id="prov2", provider="groq", backend_id="end2:key2", backend="groq/free"),
        failed(5, 500),
        failed(6, 429, error="rate limit reached"),
    )
    assert await found(db, wanted) == numbers


@pytest.mark.parametrize("text", ["50%", "a_b", "c\\d", "%", "_", "\\", "' OR 1=1 --", '"'])
async def test_text_stands_for_itself_in_a_search(db: Database, text: str) -> None:
    await store(db, failed(1, error=f"it said {text} then"), failed(2, error="50 axb cd"))

    assert await found(db, CallFilter(text=text)) == [1]


async def test_a_hostile_search_text_is_quick(db: Database) -> None:
    await store(db, *(failed(number, error="a" * 200) for number in range(1, 2001)))
    started = time.perf_counter()

    assert await found(db, CallFilter(text="%_" * 100)) == []

    assert time.perf_counter() - started < 1.0


async def test_the_list_counts_the_attempts(db: Database) -> None:
    await store(db, call(1, attempts=()), call(2, attempts=(ATTEMPT,)))
    async with db.read() as tx:
        assert [row.attempt_count for row in await calls.page(tx, CallFilter(), None, 9)] == [1, 0]


async def test_counting_stops_at_its_cap(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(number, attempts=(), skips=()) for number in range(1, 21)])
    async with db.read() as tx:
        assert await calls.count(tx, CallFilter(), 1000) == 20
        assert await calls.count(tx, CallFilter(), cap=7) == 7


async def test_calls_of_thousands_of_keys_change_few_pages_of_the_file(tmp_path: Path) -> None:
    """An index that does not begin with a segment changes a page of its own for most calls: there are five of them."""
    path, rng = tmp_path / "gateway.db", Random(1)
    migrate(path)
    async with open_database(path) as db:
        pages = 0
        for first in range(0, 15_000, 500):
            before = path.with_name("gateway.db-wal").stat().st_size
            await store(db, *(call(number, **someone(rng)) for number in range(first, first + 500)))
            if first >= 10_000:
                pages += (path.with_name("gateway.db-wal").stat().st_size - before) // 4096
    assert pages < 5_000


def someone(rng: Random) -> dict[str, str]:
    """One of thousands of keys, and of hundreds of models and backends."""
    key, model, backend = rng.randrange(5_000), rng.randrange(200), rng.randrange(500)
    return {
        **{"api_key_id": f"key{key:013}", "user_id": f"user{key:012}", "served_model": f"model-{model}"},
        **{"backend_id": f"endpoint{backend:08}:key{backend:013}", "provider_id": f"provider{backend // 5:08}"},
    }
