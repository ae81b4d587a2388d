"""Calls that an operator makes: the same path as any other call, with the answer kept instead of relayed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.clock import Clock
from gateway.errors import GatewayError, Unexpected
from gateway.formats.body import decode_any
from gateway.formats.chat.surface import read_request
from gateway.formats.request import Asked
from gateway.ids import new_request_id
from gateway.model.calls import CallSource, CallStatus
from gateway.model.checks import Trial, TrialOutcome
from gateway.model.people import ApiKey
from gateway.proxy.call import Arrival, Call, Trail
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Outcome, Settler, client_left, outcome_of
from gateway.routing.snapshot import Snapshot

log = logging.getLogger("gateway.proxy")

TRIAL_KEY = ApiKey(
    id="test",
    name="test",
    key_hash=b"",
    prefix="",
    tail="",
    allowed_models=None,
    rpm_limit=None,
    is_active=True,
    expires_at=None,
    created_at=0,
    updated_at=0,
)
"""Who calls: nobody can present it, for no secret has an empty hash; it may use everything."""

_PATH = "/v1/chat/completions"
_LONGEST_REPLY = 20_000
_LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")


class Trier:
    """`pipeline_on` makes the path of a call over a snapshot; the rest is what any call has."""

    def __init__(
        self,
        pipeline_on: Callable[[Callable[[], Snapshot]], Pipeline],
        snapshot: Callable[[], Snapshot],
        settler: Settler,
        clock: Clock,
    ) -> None:
        self._pipeline_on = pipeline_on
        self._snapshot = snapshot
        self._settler = settler
        self._clock = clock

    async def try_call(self, trial: Trial) -> TrialOutcome:
        """One call with its row in the ledger. What fails is told in the outcome; only cancellation is raised.

        Models differ in the name of the limit on an answer's tokens: one that names the other gets it.
        """
        outcome = await self._once(trial, _LIMIT_FIELDS[0])
        if trial.max_tokens is not None and _LIMIT_FIELDS[1] in outcome.error:
            outcome = await self._once(trial, _LIMIT_FIELDS[1])
        return outcome

    async def _once(self, trial: Trial, limit_field: str) -> TrialOutcome:
        call, trail = self._call_of(trial, limit_field), Trail()
        pipeline = self._pipeline_on(lambda: pinned(self._snapshot(), trial))
        try:
            relay = await pipeline.serve(call, trail)
        except asyncio.CancelledError:
            self._settler.settle(call, trail, None, client_left())
            raise
        except GatewayError as error:
            return self._refused(call, trail, error)
        except Exception:  # noqa: BLE001  # reason: a fault of ours is an outcome here too, and the log has the rest
            log.exception("trial %s failed", call.id)
            return self._refused(call, trail, Unexpected())
        return await self._hear(call, relay)

    async def _hear(self, call: Call, relay: Relay) -> TrialOutcome:
        heard = _Heard()

        def settle(outcome: Outcome) -> None:
            heard.outcomes.append(outcome)
            relay.settle(outcome)

        await replace(relay, settle=settle).send_to(heard.send, (), self._clock.mono())
        outcome = heard.outcomes[0]
        failed = outcome.status is not CallStatus.COMPLETED
        return TrialOutcome(
            call_id=call.id,
            backend=relay.reply.lane.backend.name,
            reply="" if failed else reply_of(bytes(heard.body))[:_LONGEST_REPLY],
            error=(outcome.error or f"HTTP {outcome.code}") if failed else "",
            usage=outcome.usage,
            latency_ms=self._since(call),
        )

    def _refused(self, call: Call, trail: Trail, error: GatewayError) -> TrialOutcome:
        outcome = outcome_of(error)
        self._settler.settle(call, trail, None, outcome)
        asked = trail.attempts[-1].backend if trail.attempts else ""
        return TrialOutcome(call.id, asked, "", error.message, outcome.usage, self._since(call))

    def _call_of(self, trial: Trial, limit_field: str) -> Call:
        messages = [{"role": "system", "content": trial.system_prompt}] if trial.system_prompt else []
        body: dict[str, object] = {
            "model": trial.model,
            "messages": [*messages, {"role": "user", "content": trial.message}],
        }
        if trial.max_tokens is not None:
            body[limit_field] = trial.max_tokens
        now = self._clock
        arrival = Arrival(new_request_id(), now.mono(), now.wall_ms(), _PATH, headers=(), client_ip="")
        request = read_request(Asked(msgspec.json.encode(body)))
        return Call(arrival, TRIAL_KEY, request, source=CallSource.TEST)

    def _since(self, call: Call) -> int:
        return round((self._clock.mono() - call.arrival.received) * 1000)


def pinned(snapshot: Snapshot, trial: Trial) -> Snapshot:
    """The snapshot in which the trial's model has no other backend than the one that it names, if it names one."""
    model = snapshot.models.get(trial.model)
    if trial.backend_id is None or model is None:
        return snapshot
    kept = tuple(lane for lane in snapshot.lanes.get(model.id, ()) if lane.backend.id == trial.backend_id)
    lanes: Mapping[str, Any] = MappingProxyType({**snapshot.lanes, model.id: kept})
    return replace(snapshot, lanes=lanes)


def reply_of(body: bytes) -> str:
    """The text of an answer's first choice; empty where it has none."""
    answer = decode_any(body)
    choices = answer.get("choices") if isinstance(answer, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


class _Heard(msgspec.Struct):
    """Stands where the client would: takes everything."""

    body: bytearray = msgspec.field(default_factory=bytearray)
    outcomes: list[Outcome] = msgspec.field(default_factory=list)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.body += message.get("body", b"")
