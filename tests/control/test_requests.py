"""The ledger as operators read it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.control import backends, provider_keys, requests
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from gateway.model.calls import CallStatus
from gateway.routing.state import RestKind
from gateway.store import calls
from gateway.store.call_search import CallFilter, search
from tests.desks import ANN, START_MS, Office
from tests.store.rows import ATTEMPT, call, failed

pytestmark = pytest.mark.anyio

HOUR = 3_600_000


async def store(desk: Desk, *records: object) -> None:
    async with desk.db.write() as tx:
        await calls.insert_many(tx, records)  # type: ignore[arg-type]  # tests pass rows


async def test_pages_follow_one_another_to_the_end(desk: Desk) -> None:
    await store(desk, *(call(number) for number in range(1, 6)))

    first = await requests.listing(desk, CallFilter(), None, 2)
    second = await requests.listing(desk, CallFilter(), first.next_before, 2)
    third = await requests.listing(desk, CallFilter(), second.next_before, 2)

    seen = [[row.started_at for row in page.items] for page in (first, second, third)]
    assert seen == [[5, 4], [3, 2], [1]]
    assert (first.total, third.next_before) == (5, None)


async def test_a_page_has_a_sane_size(desk: Desk) -> None:
    await store(desk, call(1), call(2))
    assert len((await requests.listing(desk, CallFilter(), None, 0)).items) == 1
    assert len((await requests.listing(desk, CallFilter(), None, 10**9)).items) == 2


async def test_one_request_is_found_or_not(desk: Desk) -> None:
    await store(desk, call(1))
    assert (await requests.get(desk, call(1).id)) == call(1)
    with pytest.raises(NotFound, match="no such request"):
        await requests.get(desk, "req_none")


def test_a_query_string_becomes_a_filter() -> None:
    found = requests.parse_filter(
        {"status": "failed", "code_class": "4", "since": "2030-01-01", "text": " a ", "model": "", "code": "429"}
    )
    assert found == CallFilter(
        status=CallStatus.FAILED, code_class=4, since=1_893_456_000_000, text="a", model=None, code=429
    )


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"status": "ok"}, "status"),
        ({"code": "9"}, "code"),
        ({"since": "yesterday"}, "since"),
        ({"statsu": "failed"}, "statsu"),
        ({"text": "x" * 201}, "text"),
    ],
)
def test_a_bad_query_string_is_refused_by_name(raw: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        requests.parse_filter(raw)
    assert list(refused.value.fields) == [field]


async def test_an_overview_of_nothing_is_all_zero(desk: Desk) -> None:
    shown = await requests.overview(desk)

    assert (shown.totals.requests, shown.lines, shown.recent, shown.attention) == (0, (), (), ())
    assert (shown.first_byte.p50, shown.first_byte.p99) == (None, None)
    assert len(shown.buckets) == 24
    assert [pool.name for pool in shown.pools] == ["primary", "fallback"]


@pytest.mark.parametrize("span", list(requests.SPANS))
async def test_an_overview_compares_with_the_period_before(desk: Desk, span: str) -> None:
    chosen = requests.SPANS[span]
    since, length = chosen.since(START_MS + 1), chosen.length_ms
    await store(
        desk,
        call(START_MS),
        failed(since),
        call(since - 1),  # later than now was one length before, where an hour or a day runs
        call(START_MS - length),
        call(since - length),
        call(since - length - 1),
    )

    shown = await requests.overview(desk, span)

    assert (shown.totals.requests, shown.totals.failed) == (2, 1)
    assert shown.before.requests == 2
    assert sum(bucket.requests for bucket in shown.buckets) == 2
    assert (shown.buckets[0].errors, shown.buckets[-1].requests) == (1, 1)
    assert sum(sum(line.requests) for line in shown.lines) == 2


async def test_an_unknown_range_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidFields, match="range"):
        await requests.overview(desk, "1y")


async def test_the_overview_has_a_strip_for_each_provider(desk: Desk) -> None:
    await backends.create(desk, ANN, {"name": "openai", "base_url": "https://a.example"})
    await backends.create(desk, ANN, {"name": "quiet", "base_url": "https://b.example"})
    limited = replace(ATTEMPT, outcome="rate_limited", status=429)
    await store(desk, call(START_MS), call(START_MS - 30 * 60_000, attempts=(limited,)))

    strips = {strip.provider: strip for strip in (await requests.overview(desk)).providers}

    assert set(strips) == {"openai", "quiet"}
    assert strips["quiet"].up is None
    assert strips["openai"].up == 0.5
    assert (strips["openai"].cells[59].ok, strips["openai"].cells[29].limited) == (1, 1)


async def test_the_overview_says_what_needs_attention(office: Office) -> None:
    desk = office.desk
    cooling = await backends.create(desk, ANN, {"name": "a", "base_url": "https://a.example"})
    refused = await backends.create(desk, ANN, {"name": "a"})
    unset = await backends.create(desk, ANN, {"name": "a", "api_key": "env:GROQ_API_KEY"})
    desk.state.of(cooling.backend_id).rest(office.clock.mono() + 41, "rate limited")
    desk.state.of(refused.backend_id).rest(
        office.clock.mono() + 60, "the provider refused the key (HTTP 401)", RestKind.REFUSED
    )
    await store(desk, call(START_MS, served_model="mystery", cost_nano=None))

    found = {(item.kind, item.subject): item.seconds for item in (await requests.overview(desk)).attention}

    assert found == {
        ("cooling", "a/main"): 41,
        ("refused", "a/key-2"): 60,
        ("env_missing", f"a/{unset.key.name}"): None,
        ("unpriced", "mystery"): None,
    }


async def test_the_last_ten_requests_are_shown(desk: Desk) -> None:
    await store(desk, *(call(number) for number in range(1, 13)))
    assert [row.started_at for row in (await requests.overview(desk)).recent] == list(range(12, 2, -1))


async def test_what_holds_for_all_backends_of_a_key_needs_attention_once(office: Office) -> None:
    made = await backends.create(
        office.desk, ANN, {"name": "openai", "preset": "openai", "api_key": "env:GROQ_API_KEY"}
    )
    (one,) = (await requests.overview(office.desk)).attention
    assert (one.kind, one.subject) == ("env_missing", "openai/main")

    await provider_keys.update(office.desk, ANN, made.key.id, {"api_key": "sk-0123456789abcdef"})
    office.desk.state.of(made.backend_id).rest(office.clock.mono() + 41, "rate limited")
    (one,) = (await requests.overview(office.desk)).attention
    assert (one.kind, one.subject, one.subject_id, one.seconds) == (
        "cooling",
        "openai/main (openai_chat)",
        made.backend_id,
        41,
    )


@pytest.mark.parametrize("wanted", [CallFilter(), CallFilter(model="gpt"), CallFilter(status=CallStatus.FAILED)])
async def test_an_older_page_is_the_same_whether_the_count_found_it_or_not(desk: Desk, wanted: CallFilter) -> None:
    rows = [failed(number) if number % 3 else call(number) for number in range(1, 8)]
    async with desk.db.write() as tx:
        await calls.insert_many(tx, rows)
    for row in rows:
        for limit in (1, 3, 10):
            page = await requests.listing(desk, wanted, row.id, limit)
            async with desk.db.read() as tx:
                found = await search(tx, wanted, row.id, limit + 1)
            assert [item.id for item in page.items] == list(found.ids[:limit])
            assert page.next_before == (found.ids[limit - 1] if len(found.ids) > limit else None)
