"""Test runs: what is sent, what is kept, and what cannot be tried."""

from __future__ import annotations

import pytest

from gateway.control import backends, model_tests, models
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from gateway.model.calls import Usage, UsageSource
from gateway.model.checks import Trial, TrialStatus
from tests.desks import ANN, START_MS, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


async def stocked(desk: Desk) -> str:
    made = await backends.create(desk, ANN, {"name": "acme", "base_url": "https://a.example", "models": ["m"]})
    return made.models[0].id


async def test_a_test_is_a_call_whose_outcome_is_kept(office: Office) -> None:
    model_id = await stocked(office.desk)

    found = await model_tests.run(office.desk, ANN, model_id, {"message": "Hi", "system_prompt": "Be brief."})

    assert office.caller.tried == [Trial("m", "Hi", "Be brief.")]
    assert (found.status, found.reply, found.error) == (TrialStatus.PASSED, "Hello!", "")
    assert (found.call_id, found.backend, found.at, found.actor) == ("req_1", "acme/main", START_MS, "ann")
    assert (found.input_tokens, found.output_tokens, found.is_estimated, found.latency_ms) == (9, 3, False, 25)
    assert await model_tests.history(office.desk, model_id) == (found,)
    assert [(row.action, row.object_id) for row in await audit_rows(office.desk)][-1] == ("test", model_id)


async def test_cached_tokens_count_as_input_and_a_guess_is_marked(office: Office) -> None:
    model_id = await stocked(office.desk)
    office.caller.usage = Usage(1, 2, 3, 4, 0, UsageSource.ESTIMATED)

    found = await model_tests.run(office.desk, ANN, model_id, {"message": "Hi"})

    assert (found.input_tokens, found.output_tokens, found.is_estimated) == (8, 2, True)


async def test_a_call_that_fails_is_a_test_that_failed(office: Office) -> None:
    model_id = await stocked(office.desk)
    office.caller.errors[""] = "No backend answered."

    found = await model_tests.run(office.desk, ANN, model_id, {"message": "Hi"})

    assert (found.status, found.reply, found.error) == (TrialStatus.FAILED, "", "No backend answered.")


@pytest.mark.parametrize("wanted", ["acme/main", "id"])
async def test_one_backend_can_be_chosen_by_name_or_id(office: Office, wanted: str) -> None:
    model_id = await stocked(office.desk)
    backend = next(iter(office.desk.snapshot().backends))

    await model_tests.run(
        office.desk, ANN, model_id, {"message": "Hi", "backend": backend if wanted == "id" else wanted}
    )

    assert office.caller.tried[0].backend_id == backend


async def test_a_backend_that_does_not_serve_it_is_named(office: Office) -> None:
    model_id = await stocked(office.desk)
    with pytest.raises(InvalidFields) as refused:
        await model_tests.run(office.desk, ANN, model_id, {"message": "Hi", "backend": "other"})
    assert refused.value.fields == {"backend": "must be one that serves m: acme/main"}


@pytest.mark.parametrize("raw", [{}, {"message": ""}, {"message": " \n"}])
async def test_a_test_needs_a_message(office: Office, raw: dict[str, str]) -> None:
    model_id = await stocked(office.desk)
    with pytest.raises(InvalidFields) as refused:
        await model_tests.run(office.desk, ANN, model_id, raw)
    assert list(refused.value.fields) == ["message"]


async def test_only_what_would_serve_can_be_tried(office: Office) -> None:
    model_id = await stocked(office.desk)
    await models.update(office.desk, ANN, model_id, {"status": "DISABLED"})

    with pytest.raises(Conflict, match="m is DISABLED"):
        await model_tests.run(office.desk, ANN, model_id, {"message": "Hi"})
    with pytest.raises(NotFound):
        await model_tests.run(office.desk, ANN, "nowhere", {"message": "Hi"})
    assert office.caller.tried == []
