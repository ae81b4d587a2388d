"""Trying a model: one message through the path that every call takes, and what came back."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.control import models, trail
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.errors import Conflict, InvalidFields
from gateway.ids import new_id
from gateway.model.calls import UsageSource
from gateway.model.checks import ModelTest, Trial, TrialStatus
from gateway.model.people import Actor
from gateway.model.registry import Model, ModelStatus
from gateway.routing.snapshot import Backend
from gateway.store import model_tests

SHOWN = 20
_KEPT = 1000

FIELDS: Table = (
    Field("message", Kind.PARAGRAPH, "What the user says.", required=True),
    Field("system_prompt", Kind.PARAGRAPH, "What the model is told before.", default=""),
    Field("backend", Kind.TEXT, "The only backend to ask, by id or name; any where left out.", nullable=True),
)


async def run(desk: Desk, actor: Actor, model_id: str, raw: Mapping[str, object], *, text: bool = False) -> ModelTest:
    """A real call, which costs what such a call costs; what fails is told in the answer.

    Raises NotFound, InvalidFields, or Conflict where the model does not serve.
    """
    values = read(FIELDS, raw, partial=False, text=text)
    model = await models.get(desk, model_id)
    if not values["message"]:
        raise InvalidFields({"message": "must not be empty"})
    if model.status is not ModelStatus.ENABLED:
        raise Conflict(f"Model {model.code} is {model.status}; only ENABLED models can be tried.")
    backend = None if values["backend"] is None else _chosen(desk, model, values["backend"])
    at = desk.clock.wall_ms()
    trial = Trial(model.code, values["message"], values["system_prompt"], backend.id if backend else None)
    outcome = await desk.try_call(trial)
    test = ModelTest(
        id=new_id(),
        model_id=model.id,
        call_id=outcome.call_id,
        at=at,
        status=TrialStatus.PASSED if outcome.is_ok else TrialStatus.FAILED,
        backend=outcome.backend or (backend.name if backend else ""),
        reply=outcome.reply,
        error=outcome.error,
        input_tokens=outcome.usage.all_input,
        output_tokens=outcome.usage.output,
        is_estimated=outcome.usage.source is UsageSource.ESTIMATED,
        latency_ms=outcome.latency_ms,
        actor=actor.name,
    )
    async with desk.db.write() as tx:
        await model_tests.insert(tx, test, _KEPT)
        await trail.note(tx, actor, "test", ("model", model.id), at)
    return test


async def history(desk: Desk, model_id: str) -> tuple[ModelTest, ...]:
    """The newest twenty, newest first. Raises NotFound."""
    await models.get(desk, model_id)
    async with desk.db.read() as tx:
        return await model_tests.of_model(tx, model_id, SHOWN)


def backends_of(desk: Desk, model: Model) -> tuple[Backend, ...]:
    """Those that serve it, disabled ones too, in the order of trying."""
    return tuple(lane.backend for lane in desk.snapshot().lanes.get(model.id, ()))


def _chosen(desk: Desk, model: Model, wanted: str) -> Backend:
    there = backends_of(desk, model)
    for backend in there:
        if wanted in (backend.id, backend.name):
            return backend
    names = ", ".join(backend.name for backend in there[:10]) or "none"
    raise InvalidFields({"backend": f"must be one that serves {model.code}: {names}"})
