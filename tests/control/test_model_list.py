"""The list of models and the summary of all of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.control import backends, model_list, model_summary, models, route_rules
from gateway.control.desk import Desk
from gateway.control.model_list import WEEK_MS, ModelFilter
from gateway.control.model_summary import SourceUse
from gateway.errors import InvalidFields
from gateway.model.checks import CheckStatus, ModelCheck, ModelTest, Probe, TrialStatus, UsageReport
from gateway.model.registry import ModelStatus
from gateway.store import calls, model_checks, model_tests, usage_reports
from tests.desks import ANN, START_MS, Office
from tests.store.rows import CALL

pytestmark = pytest.mark.anyio


async def stocked(desk: Desk) -> str:
    """Models m and n at two pools; the id of m."""
    first = await backends.create(desk, ANN, {"name": "a", "base_url": "https://a.example", "models": ["m", "n"]})
    await backends.create(
        desk, ANN, {"name": "b", "base_url": "https://b.example", "models": {"m": "Big-M"}, "pool": "fallback"}
    )
    await models.create(desk, ANN, {"code": "draft"})
    return first.models[0].id


async def written(desk: Desk, code: str, at: int, **changes: object) -> None:
    row = replace(CALL, id=f"req_{at}_{code}", started_at=at, served_model=code, **changes)  # type: ignore[arg-type]
    async with desk.db.write() as tx:
        await calls.insert_many(tx, [row])


async def test_a_row_tells_the_targets_in_tiers_and_the_share_of_calls(desk: Desk) -> None:
    model_id = await stocked(desk)
    for number in range(3):
        await written(desk, "m", START_MS - number)
    await written(desk, "n", START_MS - 9)
    await written(desk, "n", START_MS - 2 * 24 * 3600 * 1000)

    found = await model_list.rows(desk, await model_list.search(desk, ModelFilter()))
    row = next(one for one in found if one.model.id == model_id)

    assert [(tier.pool, [one.backend.name for one in tier.targets]) for tier in row.tiers] == [
        ("primary", ["a/main"]),
        ("fallback", ["b/main"]),
    ]
    assert row.tiers[1].targets[0].upstream_name == "Big-M"
    assert (row.calls, row.share) == (3, 0.75)
    draft = next(one for one in found if one.model.code == "draft")
    assert (draft.tiers, draft.calls, draft.share, draft.check) == ((), 0, 0.0, None)


async def test_without_calls_there_is_no_share(desk: Desk) -> None:
    await stocked(desk)
    found = await model_list.rows(desk, await model_list.search(desk, ModelFilter(ModelStatus.ENABLED, "big")))
    assert [(row.model.code, row.share) for row in found] == [("m", None)]


async def test_the_last_change_comes_first(office: Office) -> None:
    model_id = await stocked(office.desk)
    office.clock.advance(5)
    await models.update(office.desk, ANN, model_id, {"display_name": "M"})

    found = await model_list.search(office.desk, ModelFilter())

    assert [model.code for model in found] == ["m", "draft", "n"]


def test_a_filter_is_read_from_strings() -> None:
    assert model_list.parse_filter({}) == ModelFilter()
    assert model_list.parse_filter({"status": "DRAFT", "q": " x "}) == ModelFilter(ModelStatus.DRAFT, "x")
    with pytest.raises(InvalidFields):
        model_list.parse_filter({"status": "draft"})


async def test_the_summary_counts_states_rules_use_and_tests(desk: Desk) -> None:
    model_id = await stocked(desk)
    await route_rules.create(desk, ANN, {"route_type": "AGENT", "route_key": "coder", "model_id": "m"})
    await route_rules.create(desk, ANN, {"route_type": "GLOBAL", "model_id": "n"})
    check = ModelCheck("c", model_id, START_MS, Probe.NONE, CheckStatus.HEALTHY, "", None, (), "ann")
    test = ModelTest("t", model_id, "r", START_MS, TrialStatus.FAILED, "", "", "no", 0, 0, False, 1, "ann")
    report = UsageReport("u", model_id, START_MS, "batch", 5, 4, 30, 20, 9, START_MS, "ann")
    await written(desk, "m", START_MS)
    async with desk.db.write() as tx:
        await model_checks.insert(tx, check, 9)
        await model_tests.insert(tx, test, 9)
        await model_tests.insert(tx, replace(test, id="old", at=START_MS - WEEK_MS - 1), 9)
        await usage_reports.insert_many(tx, [report])

    found = await model_summary.summary(desk)

    assert found.statuses == {"DRAFT": 1, "ENABLED": 2, "DISABLED": 0, "DEPRECATED": 0}
    assert (found.total, found.rules_total) == (3, 2)
    assert found.rules == {"AGENT": 1, "BUSINESS": 0, "CAPABILITY": 0, "GLOBAL": 1}
    assert found.unhealthy == ("n",)
    assert (found.passed, found.failed) == (0, 1)
    assert found.uses == (
        SourceUse("API", False, 1, 1, 19, 20, 123, 0),
        SourceUse("batch", True, 5, 4, 30, 20, 9, 0),
    )
    assert await model_summary.uses_of(desk, "n") == ()
    assert await model_summary.uses_of(desk, "m") == found.uses


async def test_an_enabled_model_whose_newest_check_is_bad_is_not_healthy(desk: Desk) -> None:
    model_id = await stocked(desk)
    good = ModelCheck("c", model_id, START_MS - 5, Probe.NONE, CheckStatus.HEALTHY, "", None, (), "ann")
    async with desk.db.write() as tx:
        await model_checks.insert(tx, good, 9)
        await model_checks.insert(tx, replace(good, id="d", at=START_MS, status=CheckStatus.DEGRADED), 9)

    assert (await model_summary.summary(desk)).unhealthy == ("m", "n")
