"""Filters find what they say, from whichever index, and stop early rather than look at everything."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from gateway.model.calls import Attribution, CallRecord, CallStatus
from gateway.store import api_keys, call_search, calls, rollups, segments
from gateway.store.call_search import CallFilter, Found, search
from gateway.store.database import Database, Tx
from tests.store.rows import API_KEY, call, failed

pytestmark = pytest.mark.anyio

IN_SESSION = Attribution(session="s1")


def some_call(rng: Random, number: int) -> CallRecord:
    status = rng.choice([CallStatus.COMPLETED, CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELLED])
    is_good = status is CallStatus.COMPLETED
    return call(
        number,
        api_key_id=rng.choice([None, "ak1", "ak2"]),
        api_key_name=rng.choice(["laptop", "server"]),
        user_id=rng.choice([None, "u1"]),
        user_name=rng.choice(["", "ann"]),
        asked_model=rng.choice(["fast", "gpt"]),
        served_model=rng.choice(["gpt", "fast", ""]),
        provider_id=rng.choice(["p1", "p2", None]),
        provider=rng.choice(["openai", "groq"]),
        backend_id=rng.choice(["e1:k1", "e1:k2", None]),
        backend=rng.choice(["openai/main", "groq/free"]),
        status=status,
        code=200 if is_good else rng.choice([404, 429, 499, 502]),
        error="" if is_good else rng.choice(["it broke", "100% wrong", "a_b"]),
        attribution=Attribution(session=rng.choice(["", "", "s1", "s2"])),
    )


async def copies_of(tx: Tx, call_id: str, first: int, last: int) -> None:
    async with tx.execute("SELECT name FROM pragma_table_info('calls')") as rows:
        names = [row[0] for row in await rows.fetchall()]
    made = {"id": "printf('req_%020d', number)", "started_at": "number"}
    columns = ", ".join(made.get(name, name) for name in names)
    await tx.execute(
        "WITH RECURSIVE numbers AS (SELECT ? AS number UNION ALL SELECT number + 1 FROM numbers WHERE number < ?) "
        f"INSERT INTO calls SELECT {columns} FROM numbers CROSS JOIN calls WHERE id = ?",
        (first, last, call_id),
    )


def some_filter(rng: Random) -> CallFilter:
    names = {
        "api_key": ["ak1", "ak2", "laptop", "nobody"],
        "user": ["u1", "ann"],
        "model": ["gpt", "fast", "none"],
        "provider": ["p1", "groq", "none"],
        "backend": ["e1:k1", "groq/free", "e9:k9"],
        "status": list(CallStatus),
        "code": [200, 404, 502],
        "code_class": [2, 4, 5],
        "text": ["broke", "BROKE", "%", "_", "nothing"],
        "session": ["s1", "s2", "s3"],
        "since": [0, 30, 200],
        "until": [1, 70, 10**6],
    }
    chosen = rng.sample(sorted(names), rng.randrange(4))
    return CallFilter(**{name: rng.choice(names[name]) for name in chosen})


def matches(row: CallRecord, wanted: CallFilter) -> bool:
    pairs = (
        (wanted.api_key, (row.api_key_id, row.api_key_name)),
        (wanted.user, (row.user_id, row.user_name)),
        (wanted.model, (row.asked_model, row.served_model)),
        (wanted.provider, (row.provider_id, row.provider)),
        (wanted.backend, (row.backend_id, row.backend)),
        (wanted.status, (row.status,)),
        (wanted.code, (row.code,)),
        (wanted.code_class, (row.code // 100,)),
        (wanted.session, (row.attribution.session,)),
    )
    has_time = (wanted.since or 0) <= row.started_at < (10**9 if wanted.until is None else wanted.until)
    has_text = wanted.text is None or wanted.text.lower() in row.error.lower()
    return has_time and has_text and all(asked is None or asked in there for asked, there in pairs)


@pytest.mark.parametrize("seed", range(3))
async def test_every_filter_finds_what_matches_it_in_pages(db: Database, seed: int) -> None:
    rng = Random(seed)
    rows = [some_call(rng, number) for number in range(100)]
    async with db.write() as tx:
        await calls.insert_many(tx, rows)
    for _ in range(150):
        wanted, found, before = some_filter(rng), [], None
        async with db.read() as tx:
            while True:
                page = await search(tx, wanted, before, 7)
                found += page.ids
                if len(page.ids) < 7:
                    break
                before = page.ids[-1]
        assert found == [row.id for row in reversed(rows) if matches(row, wanted)], wanted


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_missed_where_a_search_stops_early_and_goes_on(
    db: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments of ten calls, and searches that look at a few at a time."""
    monkeypatch.setattr(segments, "FULL", 10)
    for name, few in (("_MOST_ROWS", 11), ("_MOST_TROUBLED", 9), ("_MOST_IN_ORDER", 13), ("_FIRST_ROWS", 4)):
        monkeypatch.setattr(call_search, name, few)
    rng = Random(seed)
    rows = [some_call(rng, number) for number in range(120)]
    async with db.write() as tx:
        for first in range(0, 120, 5):
            await calls.insert_many(tx, rows[first : first + 5])
        known = [("api_key", "ak1", "laptop"), ("api_key", "ak2", "server"), ("user", "u1", "ann")]
        await rollups.name_subjects(tx, [*known, ("provider", "p1", "openai"), ("provider", "p2", "groq")])
    stops = 0
    for _ in range(150):
        wanted, found, before = some_filter(rng), [], None
        async with db.read() as tx:
            while True:
                page = await search(tx, wanted, before, 3)
                found += page.ids
                before = page.next_before or (page.ids[-1] if len(page.ids) == 3 else None)
                stops += page.next_before is not None
                if before is None:
                    break
        by_id = {"laptop": "ak1", "server": "ak2", "ann": "u1", "openai": "p1", "groq": "p2"}
        named = {name: by_id.get(str(getattr(wanted, name))) for name in ("api_key", "user", "provider")}
        as_known = replace(wanted, **{name: one for name, one in named.items() if one})
        assert found == [row.id for row in reversed(rows) if matches(row, as_known)], wanted
    assert stops > 100


async def test_a_name_that_one_id_is_known_by_finds_its_calls_under_every_name(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, api_key_name="old"), call(2, api_key_name="new")])
        await rollups.name_subjects(tx, [("api_key", "ak1", "new")])

    async with db.read() as tx:
        assert len((await search(tx, CallFilter(api_key="new"), None, 9)).ids) == 2
        assert len((await search(tx, CallFilter(api_key="old"), None, 9)).ids) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        CallFilter(api_key="ak1", provider="none"),
        CallFilter(api_key="nobody"),
        CallFilter(code=201),
        CallFilter(model="gpt", text="nothing"),
        CallFilter(session="s1", provider="none"),
    ],
)
async def test_a_search_for_little_in_much_stops_and_goes_on_where_it_stopped(db: Database, wanted: CallFilter) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, provider="none", api_key_name="nobody", code=201, attribution=IN_SESSION)])
        await calls.insert_many(tx, [call(2, error="nothing", status=CallStatus.FAILED)])
        await calls.insert_many(tx, [call(3, attribution=IN_SESSION)])
        await copies_of(tx, call(3).id, 4, 41_000)
    before, pages, found = None, 0, []
    async with db.read() as tx:
        while True:
            page = await search(tx, wanted, before, 50)
            found, before, pages = [*found, *page.ids], page.next_before, pages + 1
            if before is None:
                break

    assert len(found) == 1
    assert pages == (1 if wanted.text else pages)
    assert pages > 1 or wanted.text


@pytest.mark.parametrize("wanted", [CallFilter(code=201), CallFilter(api_key="ak1", provider="none")])
async def test_what_is_not_among_the_first_few_is_looked_for_further_on(db: Database, wanted: CallFilter) -> None:
    few = [call(number, provider="none", code=201) for number in range(1, 4)]
    async with db.write() as tx:
        await calls.insert_many(tx, [*few, call(4)])
        await copies_of(tx, call(4).id, 5, 5_000)
        await calls.insert_many(tx, [call(5_001, provider="none", code=201)])

    async with db.read() as tx:
        found = await search(tx, wanted, None, 50)
    assert found == Found((call(5_001).id, *(row.id for row in reversed(few))), None)


async def test_calls_of_a_session_are_found_without_looking_at_any_other(db: Database) -> None:
    """The index has only calls of agents; a statement that could not use it would be refused by SQLite."""
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, attribution=IN_SESSION), call(2), call(3, attribution=IN_SESSION)])
        await copies_of(tx, call(2).id, 4, 60_000)

    async with db.read() as tx:
        found = await search(tx, CallFilter(session="s1"), None, 50)
        async with tx.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM calls INDEXED BY calls_by_agent_session WHERE agent_session = 's1' "
            "AND agent_session <> '' AND id < 'x' ORDER BY id DESC"
        ) as rows:
            plan = " ".join(row[3] for row in await rows.fetchall())

    assert (found.ids, found.next_before) == ((call(3).id, call(1).id), None)
    assert "SEARCH calls USING COVERING INDEX calls_by_agent_session (agent_session=? AND id<?)" in plan
    assert "TEMP B-TREE" not in plan


async def test_trouble_of_a_session_is_found_with_the_words_of_its_error(db: Database) -> None:
    rows = [
        failed(1, error="too long", attribution=IN_SESSION),
        failed(2, error="too long"),
        failed(3, error="refused", attribution=IN_SESSION),
    ]
    async with db.write() as tx:
        await calls.insert_many(tx, rows)

    async with db.read() as tx:
        assert (await search(tx, CallFilter(session="s1", text="TOO"), None, 9)).ids == (call(1).id,)
        assert len((await search(tx, CallFilter(session="s1", status=CallStatus.FAILED), None, 9)).ids) == 2


async def test_what_exists_and_never_called_has_no_calls_and_no_other_page(db: Database) -> None:
    """Nobody's calls are looked through for it."""
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1)])
        await copies_of(tx, call(1).id, 2, 60_000)
        await api_keys.insert(tx, replace(API_KEY, id="idle"))

    async with db.read() as tx:
        found = await search(tx, CallFilter(api_key="idle"), None, 50)

    assert (found.ids, found.next_before) == ((), None)
