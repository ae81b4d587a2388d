"""Checks, tests and reported use of models, and how models are looked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.model.calls import CallSource
from gateway.model.checks import CheckStatus, ModelCheck, ModelTest, Probe, ProbeResult, TrialStatus, UsageReport
from gateway.model.registry import ModelStatus
from gateway.store import calls, mappings, model_checks, model_tests, models, providers, usage_reports
from gateway.store.database import Database
from gateway.store.usage_reports import UsageSum
from tests.store.rows import MAPPING, MODEL, PROVIDER, call, failed

pytestmark = pytest.mark.anyio

OTHER = replace(
    MODEL, id="model2", code="llama", display_name="50%_off", aliases=(), status=ModelStatus.DRAFT, updated_at=9
)
RESULT = ProbeResult("end1:key1", "openai/main", False, 40, "HTTP 500")
CHECK = ModelCheck(
    "c1", "model1", 100, Probe.COMPLETION, CheckStatus.UNHEALTHY, "none answered", None, (RESULT,), "ann"
)
TEST = ModelTest("t1", "model1", "req_1", 100, TrialStatus.PASSED, "openai/main", "Hello", "", 9, 3, True, 50, "ann")
REPORT = UsageReport("r1", "model1", 100, "batch", 10, 9, 1000, 500, 7_000, 200, "ann")


@pytest.fixture
async def db(db: Database) -> Database:
    async with db.write() as tx:
        await providers.insert(tx, PROVIDER)
        await models.insert(tx, MODEL)
        await models.insert(tx, OTHER)
        await mappings.insert(tx, MAPPING)
    return db


async def found(db: Database, text: str = "", status: ModelStatus | None = None) -> list[str]:
    async with db.read() as tx:
        return [model.code for model in await models.search(tx, status, text)]


async def test_models_come_with_the_newest_change_first(db: Database) -> None:
    assert await found(db) == ["llama", "gpt"]
    assert await found(db, status=ModelStatus.DRAFT) == ["llama"]


@pytest.mark.parametrize("text", ["gpt", "GPT", "fast", "gpt-*", "openai", "OpenAI", "gpt-upstream", "UPSTREAM"])
async def test_a_model_is_found_by_any_of_its_names(db: Database, text: str) -> None:
    assert await found(db, text) == ["gpt"]


@pytest.mark.parametrize("text", ["50%", "%_", "_off", "0%_O"])
async def test_signs_of_patterns_stand_for_themselves(db: Database, text: str) -> None:
    assert await found(db, text) == ["llama"]


@pytest.mark.parametrize("text", ["%", "_"])
async def test_a_lone_sign_finds_only_where_it_is(db: Database, text: str) -> None:
    assert await found(db, text) == ["llama"]


async def test_quotes_and_brackets_are_no_part_of_an_alias(db: Database) -> None:
    assert await found(db, '"') == []
    assert await found(db, "[") == []


async def test_checks_come_back_newest_first_and_old_ones_are_forgotten(db: Database) -> None:
    rows = [replace(CHECK, id=f"c{number}", at=100 + number // 2) for number in range(5)]
    other = replace(CHECK, id="o", model_id="model2", status=CheckStatus.HEALTHY, latency_ms=5, results=())
    async with db.write() as tx:
        for row in (*rows, other):
            await model_checks.insert(tx, row, keep=3)
        assert await model_checks.of_model(tx, "model1", 10) == (rows[4], rows[3], rows[2])
        assert await model_checks.of_model(tx, "model1", 1) == (rows[4],)
        assert await model_checks.latest(tx) == {"model1": rows[4], "model2": other}


async def test_tests_are_counted_by_how_they_ended(db: Database) -> None:
    rows = [replace(TEST, id=f"t{at}", at=at, status=status) for at, status in enumerate([*TrialStatus] * 2)]
    async with db.write() as tx:
        for row in rows:
            await model_tests.insert(tx, row, keep=4)
        assert await model_tests.of_model(tx, "model1", 2) == (rows[3], rows[2])
        assert await model_tests.counts(tx, 1) == {"model1": (1, 2)}
        await model_tests.insert(tx, replace(TEST, id="t9", at=9), keep=2)
        assert [row.id for row in await model_tests.of_model(tx, "model1", 10)] == ["t9", "t3"]


async def test_use_is_summed_by_model_and_source(db: Database) -> None:
    unpriced = {"cost_nano": None, "price": None}
    async with db.write() as tx:
        await calls.insert_many(
            tx,
            [
                call(10),
                failed(11),
                call(12, **unpriced),
                call(13, source=CallSource.TEST),
                call(14, served_model=""),
                call(99),
            ],
        )
        await usage_reports.insert_many(
            tx, [REPORT, replace(REPORT, id="r2", at=20), replace(REPORT, id="r3", at=30, cost_nano=None)]
        )
        assert await usage_reports.sums(tx, 10, 99) == (
            UsageSum("gpt", "API", False, 3, 2, 3 * 19, 3 * 20, 2 * 123, 1),
            UsageSum("gpt", "TEST", False, 1, 1, 19, 20, 123, 0),
            UsageSum("gpt", "batch", True, 20, 18, 2000, 1000, 7_000, 10),
        )


async def test_what_is_known_of_a_model_goes_with_it(db: Database) -> None:
    async with db.write() as tx:
        await model_checks.insert(tx, CHECK, keep=9)
        await model_tests.insert(tx, TEST, keep=9)
        await usage_reports.insert_many(tx, [REPORT])
        await models.delete(tx, "model1")
        assert await model_checks.latest(tx) == {}
        assert await model_tests.counts(tx, 0) == {}
        assert await usage_reports.sums(tx, 0, 999) == ()
