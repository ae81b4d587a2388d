"""Is a model well: what its configuration says, and what its backends answer when they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from gateway.control import models, routable, trail
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.errors import GatewayError
from gateway.ids import new_id
from gateway.model.checks import CheckStatus, ModelCheck, Probe, ProbeResult, Trial
from gateway.model.people import Actor
from gateway.model.registry import TRANSLATABLE, Model, ModelStatus
from gateway.routing.snapshot import Lane, Snapshot
from gateway.store import model_checks

AT_ONCE = 4
PROBE_SECONDS = 20.0
CHECK_SECONDS = 60.0
SHOWN = 20
_KEPT = 100
_GREETING = "ping"

FIELDS: Table = (
    Field(
        "probe",
        Kind.CHOICE,
        "How its backends are asked: not at all, for their models (free), or for one token through the whole path.",
        default=Probe.MODELS.value,
        choices=tuple(Probe),
    ),
)


async def run(desk: Desk, actor: Actor, model_id: str, raw: Mapping[str, object], *, text: bool = False) -> ModelCheck:
    """Look, ask each of its open backends, write down what was found. Raises NotFound or InvalidFields.

    A model that does not serve yet can be asked about too, but for no token. Only a call for a token counts for a
    backend's health, like any other call.
    """
    probe = Probe(read(FIELDS, raw, partial=False, text=text)["probe"])
    model = await models.get(desk, model_id)
    at, snapshot = desk.clock.wall_ms(), desk.snapshot()
    status, reason = configured(snapshot, model)
    results: tuple[ProbeResult, ...] = ()
    if probe is Probe.MODELS or (probe is Probe.COMPLETION and model.status is ModelStatus.ENABLED):
        lanes = _asked([lane for lane in snapshot.lanes.get(model.id, ()) if lane.is_open], probe)
        results = await _ask_all(desk, model, lanes, probe)
        status, reason = judged(status, reason, results)
    check = ModelCheck(
        id=new_id(),
        model_id=model.id,
        at=at,
        probe=probe,
        status=status,
        reason=reason,
        latency_ms=next((result.latency_ms for result in results if result.is_ok), None),
        results=results,
        actor=actor.name,
    )
    async with desk.db.write() as tx:
        await model_checks.insert(tx, check, _KEPT)
        await trail.note(tx, actor, "check", ("model", model.id), at)
    return check


async def history(desk: Desk, model_id: str) -> tuple[ModelCheck, ...]:
    """The newest twenty, newest first. Raises NotFound."""
    await models.get(desk, model_id)
    async with desk.db.read() as tx:
        return await model_checks.of_model(tx, model_id, SHOWN)


def configured(snapshot: Snapshot, model: Model) -> tuple[CheckStatus, str]:
    """What configuration alone says, and why in words; the reason is empty where all is well."""
    if model.status is not ModelStatus.ENABLED:
        return CheckStatus.UNHEALTHY, f"It is {model.status}, and only ENABLED models serve."
    active = {row.provider_id for row in snapshot.registry.mappings if row.model_id == model.id and row.is_active}
    if not active:
        return CheckStatus.DEGRADED, f"It cannot serve: {routable.missing(snapshot.registry, model.id)}."
    if not any(key.is_active and key.provider_id in active for key in snapshot.registry.keys):
        return CheckStatus.UNHEALTHY, "None of its providers has an active key."
    if not routable.is_routable(snapshot, model.id):
        return CheckStatus.DEGRADED, f"It cannot serve: {routable.missing(snapshot.registry, model.id)}."
    return CheckStatus.HEALTHY, ""


def judged(status: CheckStatus, reason: str, results: Sequence[ProbeResult]) -> tuple[CheckStatus, str]:
    """What the backends' answers make of it: none is unhealthy, some is degraded; nothing makes it better."""
    failed = [result for result in results if not result.is_ok]
    if not failed:
        return status, reason
    named = "; ".join(f"{result.backend}: {result.words}" for result in failed[:3])
    if len(failed) == len(results):
        return CheckStatus.UNHEALTHY, f"{reason} No backend answered. {named}".strip()
    found = CheckStatus.UNHEALTHY if status is CheckStatus.UNHEALTHY else CheckStatus.DEGRADED
    return found, f"{reason} {len(failed)} of {len(results)} backends did not answer. {named}".strip()


def _asked(lanes: Sequence[Lane], probe: Probe) -> list[Lane]:
    """Those that the probe means something for: a chat goes to formats of chats, and a key is asked for the models at
    one address once, however many formats it speaks there.
    """
    if probe is Probe.COMPLETION:
        return [lane for lane in lanes if lane.backend.endpoint.api_format in TRANSLATABLE]
    firsts = {(lane.backend.key.id, lane.backend.endpoint.base_url): lane for lane in reversed(lanes)}
    return [lane for lane in lanes if firsts[lane.backend.key.id, lane.backend.endpoint.base_url] is lane]


async def _ask_all(desk: Desk, model: Model, lanes: Sequence[Lane], probe: Probe) -> tuple[ProbeResult, ...]:
    """In the order of `lanes`, a few at the same time, until CHECK_SECONDS are over."""
    turn = asyncio.Semaphore(AT_ONCE)
    ends = desk.clock.mono() + CHECK_SECONDS

    async def ask(lane: Lane) -> ProbeResult:
        async with turn:
            return await _ask(desk, model, lane, probe, min(PROBE_SECONDS, ends - desk.clock.mono()))

    return tuple(await asyncio.gather(*(ask(lane) for lane in lanes)))


async def _ask(desk: Desk, model: Model, lane: Lane, probe: Probe, seconds: float) -> ProbeResult:
    if seconds <= 0:
        words = "not asked: the check had taken too long"
        return ProbeResult(lane.backend.id, lane.backend.name, is_ok=False, latency_ms=0, words=words)
    started = desk.clock.mono()
    asked = _ask_a_token(desk, model, lane) if probe is Probe.COMPLETION else _ask_models(desk, lane)
    try:
        async with asyncio.timeout(seconds):
            is_ok, words = await asked
    except TimeoutError:
        is_ok, words = False, f"no answer within {seconds:.3g} s"
    took = round((desk.clock.mono() - started) * 1000)
    return ProbeResult(lane.backend.id, lane.backend.name, is_ok, took, words[:300])


async def _ask_models(desk: Desk, lane: Lane) -> tuple[bool, str]:
    try:
        names = await desk.ask_models(lane.backend)
    except GatewayError as error:
        return False, error.message
    if lane.upstream_name in names:
        return True, f"It lists {lane.upstream_name}."
    # Not every server lists the names that it takes, so this alone is no failure.
    return True, f"It answers and does not list {lane.upstream_name}."


async def _ask_a_token(desk: Desk, model: Model, lane: Lane) -> tuple[bool, str]:
    outcome = await desk.try_call(Trial(model.code, _GREETING, backend_id=lane.backend.id, max_tokens=1))
    return outcome.is_ok, outcome.error or "It answered a call."
