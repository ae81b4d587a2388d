"""A plan told: which backends a call would be sent to, in which order, and why not the others."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from gateway.model.calls import CallRecord, Considered, Skip
from gateway.routing.candidates import Plan
from gateway.routing.permissions import NOT_PERMITTED
from gateway.routing.resolve import Target


class Candidate(msgspec.Struct, frozen=True):
    """A backend, taken or skipped. `why` says what put it at its place besides priority, `api_format` is its own.

    Of a skipped one `reason` is a code and `sentence` the same for people; `seconds` says when the reason ends by
    itself, null where it does not.
    """

    backend: str
    pool: str
    taken: bool
    upstream_model: str = ""
    why: str = ""
    reason: str = ""
    sentence: str = ""
    seconds: float | None = None
    api_format: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """How a call goes, or went. `route` is the rule that chose the model, empty without one.

    `session` and `wanted` are null of a call that is over: they are not kept. `seed` is null where nothing was planned.
    """

    model: str
    route: str
    config_version: int
    seed: int | None
    session: str | None
    wanted: tuple[str, ...] | None
    candidates: tuple[Candidate, ...]
    object: str = "gateway.plan"

    def for_caller(self) -> Explanation:
        """Without the backends that the caller may not know of."""
        return replace(self, candidates=tuple(one for one in self.candidates if one.reason != NOT_PERMITTED))


def explain(target: Target, plan: Plan) -> Explanation:
    """The taken ones in order, then the skipped ones."""
    return Explanation(
        model=target.model,
        route=target.route,
        config_version=target.config_version,
        seed=plan.ask.seed,
        session=plan.ask.session,
        wanted=tuple(sorted(plan.ask.wanted)),
        candidates=_candidates(plan.considered(), plan.skips),
    )


def explain_past(call: CallRecord) -> Explanation:
    """The same of a call in the ledger, as it was decided then: what was tried was taken, whatever it met later."""
    tried = {attempt.backend_id for attempt in call.attempts} & {one.backend_id for one in call.considered}
    return Explanation(
        model=call.served_model or call.asked_model,
        route=call.route,
        config_version=call.config_version,
        seed=call.seed,
        session=None,
        wanted=None,
        candidates=_candidates(call.considered, (skip for skip in call.skips if skip.backend_id not in tried)),
    )


def _candidates(considered: Iterable[Considered], skips: Iterable[Skip]) -> tuple[Candidate, ...]:
    """A backend that was in the order and passed over when its turn came is told at its place, with the reason."""
    passed = {skip.backend_id: skip for skip in skips}
    found = []
    for one in considered:
        skip = passed.pop(one.backend_id, None)
        candidate = Candidate(
            one.backend,
            one.pool,
            taken=True,
            upstream_model=one.upstream_model,
            why=one.why,
            api_format=one.api_format,
        )
        found.append(candidate if skip is None else _skipped(candidate, skip))
    others = (
        _skipped(Candidate(skip.backend, skip.pool, taken=False, api_format=skip.api_format), skip)
        for skip in passed.values()
    )
    return (*found, *others)


def _skipped(candidate: Candidate, skip: Skip) -> Candidate:
    seconds = None if skip.seconds is None else round(skip.seconds, 3)
    return replace(candidate, taken=False, reason=skip.reason, sentence=skip.sentence, seconds=seconds)
