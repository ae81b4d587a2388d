"""Checks of a model: what configuration says, what backends answer, and what is kept of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.control import backends, mappings, model_checks, models
from gateway.control.desk import Desk
from gateway.control.model_checks import AT_ONCE, CHECK_SECONDS, configured, judged
from gateway.errors import InvalidFields, NotFound, UpstreamFailed
from gateway.model.checks import CheckStatus, ModelCheck, Probe, ProbeResult
from gateway.model.registry import ModelStatus
from gateway.routing.snapshot import Backend, Registry, build_snapshot
from tests.desks import ANN, Office
from tests.store.rows import ENDPOINT, KEY, MAPPING, MODEL, POOL, PROVIDER
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

WHOLE = Registry(1, (PROVIDER,), (ENDPOINT,), (KEY,), (POOL,), (MODEL,), (replace(MAPPING, is_available=True),), ())
OK, BAD = ProbeResult("a", "a/main", True, 5, "fine"), ProbeResult("b", "b/main", False, 9, "HTTP 500")

CONFIGURED: list[tuple[Registry, ModelStatus, CheckStatus, str]] = [
    (WHOLE, ModelStatus.ENABLED, CheckStatus.HEALTHY, ""),
    (WHOLE, ModelStatus.DRAFT, CheckStatus.UNHEALTHY, "It is DRAFT, and only ENABLED models serve."),
    (replace(WHOLE, keys=()), ModelStatus.ENABLED, CheckStatus.UNHEALTHY, "None of its providers has an active key."),
    (
        replace(WHOLE, mappings=()),
        ModelStatus.ENABLED,
        CheckStatus.DEGRADED,
        "It cannot serve: no provider is mapped to it; map one first.",
    ),
    (
        replace(WHOLE, endpoints=()),
        ModelStatus.ENABLED,
        CheckStatus.DEGRADED,
        "It cannot serve: provider openai has no active endpoint; add or enable one.",
    ),
]


@pytest.mark.parametrize(("registry", "status", "expected", "reason"), CONFIGURED, ids=lambda value: str(value)[:40])
def test_configuration_alone_says_much(
    registry: Registry, status: ModelStatus, expected: CheckStatus, reason: str
) -> None:
    model = replace(MODEL, status=status)
    assert configured(build_snapshot(replace(registry, models=(model,))), model) == (expected, reason)


def test_none_answering_is_unhealthy_and_some_is_degraded() -> None:
    assert judged(CheckStatus.HEALTHY, "", ()) == (CheckStatus.HEALTHY, "")
    assert judged(CheckStatus.HEALTHY, "", (OK, OK)) == (CheckStatus.HEALTHY, "")
    assert judged(CheckStatus.HEALTHY, "", (OK, BAD)) == (
        CheckStatus.DEGRADED,
        "1 of 2 backends did not answer. b/main: HTTP 500",
    )
    assert judged(CheckStatus.HEALTHY, "", (BAD,)) == (
        CheckStatus.UNHEALTHY,
        "No backend answered. b/main: HTTP 500",
    )
    assert judged(CheckStatus.UNHEALTHY, "It is DRAFT.", (OK, BAD)) == (
        CheckStatus.UNHEALTHY,
        "It is DRAFT. 1 of 2 backends did not answer. b/main: HTTP 500",
    )


async def stocked(desk: Desk) -> str:
    """Model m at two backends; its id."""
    made = await backends.create(desk, ANN, {"name": "a", "base_url": "https://a.example", "models": {"m": "model-a"}})
    await backends.create(desk, ANN, {"name": "b", "base_url": "https://b.example", "models": {"m": "hidden"}})
    return made.models[0].id


async def checked(office: Office, model_id: str, **raw: Any) -> ModelCheck:
    return await model_checks.run(office.desk, ANN, model_id, raw)


async def test_a_check_asks_each_enabled_backend_for_its_models(office: Office) -> None:
    model_id = await stocked(office.desk)

    found = await checked(office, model_id)

    assert (found.status, found.reason, found.probe) == (CheckStatus.HEALTHY, "", Probe.MODELS)
    assert {result.backend: result.words for result in found.results} == {
        "a/main": "It lists model-a.",
        "b/main": "It answers and does not list hidden.",
    }
    assert found.latency_ms == 0
    assert len(office.asker.asked) == 2
    assert await model_checks.history(office.desk, model_id) == (found,)
    assert [(row.action, row.object_id) for row in await audit_rows(office.desk)][-1] == ("check", model_id)


async def test_a_check_may_look_at_configuration_alone(office: Office) -> None:
    model_id = await stocked(office.desk)

    found = await checked(office, model_id, probe="none")

    assert (found.status, found.results, found.latency_ms) == (CheckStatus.HEALTHY, (), None)
    assert office.asker.asked == []


async def test_backends_that_do_not_answer_make_it_unhealthy(office: Office) -> None:
    model_id = await stocked(office.desk)
    office.asker.fails = True

    found = await checked(office, model_id, probe="models")

    assert found.status is CheckStatus.UNHEALTHY
    assert found.reason.startswith("No backend answered.")
    assert found.latency_ms is None


async def test_a_token_is_asked_of_each_backend_by_itself(office: Office) -> None:
    model_id = await stocked(office.desk)
    first, second = (lane.backend.id for lane in office.desk.snapshot().lanes[model_id])
    office.caller.errors[second] = "Provider b answered HTTP 500."

    found = await checked(office, model_id, probe="completion")

    assert found.status is CheckStatus.DEGRADED
    assert [(trial.backend_id, trial.max_tokens) for trial in office.caller.tried] == [(first, 1), (second, 1)]
    assert [(result.is_ok, result.words) for result in found.results] == [
        (True, "It answered a call."),
        (False, "Provider b answered HTTP 500."),
    ]


async def test_a_disabled_backend_is_left_alone(office: Office) -> None:
    model_id = await stocked(office.desk)
    first = office.desk.snapshot().lanes[model_id][0].backend.id
    await backends.set_enabled(office.desk, ANN, first, enabled=False)

    found = await checked(office, model_id)

    assert len(found.results) == len(office.asker.asked) == 1


async def test_a_model_that_does_not_serve_yet_can_be_asked_about_but_not_for_a_token(office: Office) -> None:
    model_id = await stocked(office.desk)
    await models.update(office.desk, ANN, model_id, {"status": "DISABLED"})

    found = await checked(office, model_id)
    token = await checked(office, model_id, probe="completion")

    assert (found.status, len(found.results)) == (CheckStatus.UNHEALTHY, 2)
    assert found.reason == "It is DISABLED, and only ENABLED models serve."
    assert (token.status, token.results) == (CheckStatus.UNHEALTHY, ())
    assert office.caller.tried == []


async def test_a_check_ends_in_its_time(office: Office) -> None:
    model_id = await stocked(office.desk)
    for number in range(4):
        await backends.create(
            office.desk, ANN, {"name": f"c{number}", "base_url": "https://c.example", "models": ["m"]}
        )

    async def slow(backend: Backend) -> list[str]:
        office.clock.advance(CHECK_SECONDS / AT_ONCE)
        return []

    found = await model_checks.run(replace(office.desk, ask_models=slow), ANN, model_id, {})

    assert [result.is_ok for result in found.results] == [True] * AT_ONCE + [False] * 2
    assert found.results[-1].words == "not asked: the check had taken too long"


async def test_only_a_few_backends_are_asked_at_a_time(office: Office) -> None:
    model_id = await stocked(office.desk)
    for number in range(8):
        await backends.create(
            office.desk, ANN, {"name": f"c{number}", "base_url": "https://c.example", "models": ["m"]}
        )
    running, most = 0, 0

    async def slow(backend: Backend) -> list[str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        raise UpstreamFailed("no")

    found = await model_checks.run(replace(office.desk, ask_models=slow), ANN, model_id, {})

    assert (most, len(found.results)) == (AT_ONCE, 10)


async def test_the_history_is_bounded_and_newest_first(office: Office) -> None:
    model_id = await stocked(office.desk)
    for _ in range(25):
        office.clock.advance(1)
        await checked(office, model_id, probe="none")

    found = await model_checks.history(office.desk, model_id)

    assert len(found) == 20
    assert found[0].at == office.clock.wall_ms()
    assert [check.at for check in found] == sorted((check.at for check in found), reverse=True)


async def test_what_cannot_be_checked_is_refused(office: Office) -> None:
    with pytest.raises(NotFound):
        await checked(office, "nowhere")
    with pytest.raises(InvalidFields):
        await checked(office, await stocked(office.desk), probe="hard")


async def test_an_inactive_mapping_is_no_way(office: Office) -> None:
    model_id = await stocked(office.desk)
    for mapping in await mappings.listing(office.desk):
        await mappings.update(office.desk, ANN, mapping.id, {"is_active": False})

    found = await checked(office, model_id)

    assert (found.status, found.results) == (CheckStatus.DEGRADED, ())
    assert "every mapping of it is switched off" in found.reason


async def test_a_key_for_many_formats_is_asked_for_models_once_and_for_a_token_where_chats_go(office: Office) -> None:
    made = await backends.create(office.desk, ANN, {"name": "openai", "preset": "openai", "models": ["m"]})
    model = made.models[0].id

    listed = await model_checks.run(office.desk, ANN, model, {"probe": "models"})
    asked = await model_checks.run(office.desk, ANN, model, {"probe": "completion"})

    assert [result.is_ok for result in listed.results] == [True]
    backends_by_id = office.desk.snapshot().backends
    formats = {backends_by_id[result.backend_id].endpoint.api_format.value for result in asked.results}
    assert formats == {"openai_chat", "openai_responses"}
    assert (listed.status, asked.status) == (CheckStatus.HEALTHY, CheckStatus.HEALTHY)
