"""Exploring what was used."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from gateway.control import api_keys, usage, usage_terms
from gateway.control.desk import Desk
from gateway.control.usage import Usage
from gateway.control.usage_terms import METRICS
from gateway.errors import InvalidFields
from gateway.model.calls import CallRecord, CallStatus
from gateway.model.sums import DAY_MS, HOUR_MS, total
from gateway.ops import rollups
from gateway.store import calls
from tests.desks import ANN, START_MS, Office
from tests.store.rows import call, failed

pytestmark = pytest.mark.anyio

NOON = START_MS // DAY_MS * DAY_MS + 12 * HOUR_MS


async def store(desk: Desk, *records: CallRecord) -> None:
    async with desk.db.write() as tx:
        await calls.insert_many(tx, records)


async def explored(desk: Desk, **asked: str) -> Usage:
    return await usage.explore(desk, usage_terms.parse(asked))


def used(number: int, days_ago: int, model: str, key: str = "ak1", **changes: object) -> CallRecord:
    return call(number, started_at=NOON - days_ago * DAY_MS, served_model=model, api_key_id=key, **changes)


async def test_requests_of_a_week_are_told_apart_by_model(office: Office) -> None:
    office.clock.wall = NOON + 1000
    await store(
        office.desk,
        used(1, 0, "a"),
        used(2, 0, "a"),
        used(3, 6, "b"),
        used(4, 7, "a"),
        failed(5, started_at=NOON, served_model="", api_key_id=None),
    )

    found = await explored(office.desk)

    assert (found.wanted.range.code, found.wanted.bucket) == ("7d", "day")
    assert {one.name: one.points for one in found.series} == {
        "a": (0, 0, 0, 0, 0, 0, 2),
        "b": (1, 0, 0, 0, 0, 0, 0),
        "no model": (0, 0, 0, 0, 0, 0, 1),
    }
    assert [(row.name, row.sums.requests, row.share) for row in found.rows] == [
        ("a", 2, 0.5),
        ("b", 1, 0.25),
        ("no model", 1, 0.25),
    ]
    assert (found.total.requests, found.total.failed, found.before.requests) == (4, 1, 1)


async def test_two_dimensions_are_told_apart_and_one_can_be_held(office: Office) -> None:
    desk = office.desk
    office.clock.wall = NOON + 1000
    _, key = await api_keys.create(desk, ANN, {"name": "laptop"})
    await store(
        desk, used(1, 1, "a", key.id), used(2, 1, "b", key.id), used(3, 1, "a", "gone"), used(4, 0, "a", "gone")
    )

    for _ in range(2):
        found = await explored(desk, group="api_key", subgroup="model", range="30d")
        assert {(row.subject, row.second): row.sums.requests for row in found.rows} == {
            (key.id, "a"): 1,
            (key.id, "b"): 1,
            ("gone", "a"): 2,
        }
        assert {row.name for row in found.rows if row.subject == key.id} == {"laptop"}
        swapped = await explored(desk, group="model", subgroup="api_key", range="30d")
        assert {(row.second, row.subject) for row in swapped.rows} == {(row.subject, row.second) for row in found.rows}
        only = await explored(desk, group="model", api_key=key.id)
        assert [(row.name, row.sums.requests) for row in only.rows] == [("a", 1), ("b", 1)]
        assert (only.total.requests, only.filter_names) == (2, {"api_key": "laptop"})
        assert sum(sum(filter(None, one.points)) for one in only.series) == 2
        await rollups.catch_up(desk.db, office.clock)


async def test_what_is_small_is_one_line_of_the_chart_and_one_row_of_the_table(office: Office) -> None:
    office.clock.wall = NOON + 1000
    rows = [used(number, 0, f"m{number:03d}") for number in range(60)]
    await store(office.desk, *rows, *(replace(row, id=f"{row.id}x") for row in rows[:5]))

    found = await explored(office.desk, range="24h")

    assert [one.name for one in found.series] == ["m000", "m001", "m002", "m003", "m004", "other"]
    assert sum(found.series[-1].points[index] or 0 for index in range(24)) == 55
    assert (len(found.rows), found.rows[-1].name, found.rows[-1].sums.requests) == (40, "21 others", 21)
    assert sum(row.share or 0 for row in found.rows) == pytest.approx(1)


@pytest.mark.parametrize("is_summed", [False, True])
@pytest.mark.parametrize("metric", list(METRICS))
async def test_of_very_many_pairs_the_largest_are_told_and_the_rest_together(
    office: Office, metric: str, *, is_summed: bool
) -> None:
    office.clock.wall = NOON + 1000
    rng = Random(metric)
    rows = [
        used(
            number,
            rng.randrange(1, 20),
            f"m{rng.randrange(9)}",
            f"k{rng.randrange(9)}",
            cost_nano=rng.choice([None, 0, rng.randrange(100)]),
            first_byte_ms=rng.choice([None, rng.randrange(9000)]),
            status=rng.choice([CallStatus.COMPLETED, CallStatus.CANCELLED]),
        )
        for number in range(300)
    ]
    await store(office.desk, *rows)
    if is_summed:
        await rollups.catch_up(office.desk.db, office.clock)

    found = await explored(office.desk, group="model", subgroup="api_key", range="30d", metric=metric)

    assert len(found.rows) == 40
    assert found.total == total(row.sums for row in found.rows)
    assert (found.total.requests, found.total.cost_nano) == (300, sum(row.cost_nano or 0 for row in rows))
    for row in found.rows[:-1]:
        its = [one for one in rows if (one.served_model, one.api_key_id) == (row.subject, row.second)]
        assert (row.sums.requests, row.sums.cost_nano) == (len(its), sum(one.cost_nano or 0 for one in its))
    values = [row.value or 0 for row in found.rows[:-1]]
    assert values == sorted(values, reverse=True)
    if METRICS[metric].share is None:
        assert values == [METRICS[metric].of(row.sums) for row in found.rows[:-1]]
        most = found.rows[-1].sums.requests
        assert sum(sum(filter(None, one.points)) for one in found.series) == METRICS[metric].of(found.total)
        assert most == 300 - sum(row.sums.requests for row in found.rows[:-1])


async def test_percentiles_come_from_merged_histograms(office: Office) -> None:
    office.clock.wall = NOON + 1000
    await store(
        office.desk,
        *(used(number, 0, "a", first_byte_ms=20) for number in range(90)),
        *(used(number, 1, "a", first_byte_ms=5000) for number in range(100, 110)),
        used(200, 0, "quiet", first_byte_ms=None),
    )

    found = await explored(office.desk, metric="p95_first")

    rows = {row.name: row for row in found.rows}
    assert 4096 <= (rows["a"].value or 0) <= 8192
    assert rows["quiet"].value is None
    assert rows["a"].share is None
    assert found.series[0].points[:5] == (None,) * 5
    assert 16 <= (found.series[0].points[6] or 0) <= 32
    assert found.heat is None


async def test_the_hours_of_a_week_are_those_of_the_time_zone(office: Office) -> None:
    office.clock.wall = NOON + 1000
    await store(office.desk, used(1, 1, "a"), used(2, 1, "a"))

    utc = (await explored(office.desk)).heat
    tokyo = (await explored(office.desk, time_zone="Asia/Tokyo")).heat

    assert utc is not None
    assert tokyo is not None
    (day,) = [number for number, hours in enumerate(utc) if any(hours)]
    assert (utc[day][12], tokyo[day][21]) == (2, 2)


async def test_who_cost_how_much_is_told_with_the_rest_together(office: Office) -> None:
    office.clock.wall = NOON + 1000
    await store(office.desk, *(used(number, 0, f"m{number}", cost_nano=100 + number) for number in range(8)))

    found = await usage.costs(office.desk, "7d")

    assert [part.name for part in found["model"]] == ["m7", "m6", "m5", "m4", "m3", "other"]
    assert sum(part.cost_nano for part in found["model"]) == 828
    assert [part.name for part in found["user"]] == ["no user"]
    assert sum(part.share for part in found["model"]) == pytest.approx(1)


async def test_of_nothing_there_is_nothing(desk: Desk) -> None:
    found = await explored(desk, group="none", range="90d", metric="p50_total")

    assert (found.series, found.rows, found.heat) == ((), (), None)
    assert await usage.costs(desk, "24h") == {"user": (), "api_key": (), "model": (), "provider": ()}


@pytest.mark.parametrize(
    ("asked", "bucket"),
    [
        ({"range": "24h"}, "hour"),
        ({"range": "24h", "bucket": "day"}, "hour"),
        ({"range": "7d", "bucket": "hour"}, "hour"),
        ({"range": "7d", "bucket": "hour", "provider": "p"}, "day"),
        ({"range": "30d", "bucket": "hour"}, "day"),
    ],
)
def test_a_point_is_as_wide_as_can_be_answered_fast(asked: dict[str, str], bucket: str) -> None:
    assert usage_terms.parse(asked).bucket == bucket


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"metric": "fame"}, "metric"),
        ({"group": "model", "subgroup": "user", "provider": "p1"}, "subgroup"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"grup": "model"}, "grup"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(asked: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        usage_terms.parse(asked)
    assert list(refused.value.fields) == [field]


def test_a_group_within_itself_is_one_group() -> None:
    assert usage_terms.parse({"group": "model", "subgroup": "model"}).subgroup == "none"
    assert usage_terms.parse({"group": "none", "subgroup": "model"}).subgroup == "none"
