"""Which backends a call may be sent to, in which order, and why not the others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

from gateway.model.calls import Considered, Skip
from gateway.model.registry import BillingType, Translated
from gateway.routing import limits
from gateway.routing.breaker import TRIAL_PATIENCE
from gateway.routing.order import in_order
from gateway.routing.requirements import unfit
from gateway.routing.snapshot import Backend, Lane
from gateway.routing.state import RestKind
from gateway.routing.world import Ask, World, skip

BREAKER_OPEN = "breaker_open"
PRICE_UNKNOWN = "price_unknown"


class Plan(msgspec.Struct, frozen=True):
    """`lanes` to try in order, and `whys` what put each at its place where that is not plain priority; `skips` with
    the reason of each backend that was passed over.
    """

    ask: Ask
    lanes: tuple[Lane, ...]
    skips: tuple[Skip, ...]
    whys: tuple[str, ...]

    def considered(self) -> tuple[Considered, ...]:
        """The lanes as they are written down."""
        both = zip(self.lanes, self.whys, strict=True)
        return tuple([lane.considered(why) if why else lane.written for lane, why in both])


def plan_candidates(lanes: Sequence[Lane], ask: Ask, world: World) -> Plan:
    """Each of `lanes` whose API format can serve the call exactly once: at its place in the order, or skipped with
    the reason.
    """
    return plan_sifted(sift(lanes, ask, world), ask, world)


Sifted = tuple[tuple[Lane, Skip | None], ...]
"""Lanes whose API format can serve some calls, each with the reason not to use it that no moment changes, if any."""


def sift(lanes: Iterable[Lane], ask: Ask, world: World) -> Sifted:
    """The same for every call that asks for the same of the same backends; tokens, session and chance do not matter."""
    return tuple(
        (lane, None if _may_change(lane) else _lasting(lane, ask, world))
        for lane in lanes
        if ask.can_say(lane.backend.endpoint.api_format)
    )


def plan_sifted(sifted: Sifted, ask: Ask, world: World) -> Plan:
    """As `plan_candidates`, of lanes that were sifted for this ask."""
    usable, skips = [], []
    for lane, lasting in sifted:
        # As `_may_change` says, and as `_passing` does.
        if lane.backend.key.expires_at is not None:
            found = why_not(lane, ask, world)
        else:
            found = lasting or _resting(lane.backend, world) or limits.full(lane, ask, world)
        if found is None:
            usable.append(lane)
        else:
            skips.append(found)
    placed = in_order(usable, ask, world)
    if len(placed) == 1:
        return Plan(ask, (placed[0].lane,), tuple(skips), (placed[0].why,))
    return Plan(ask, tuple([one.lane for one in placed]), tuple(skips), tuple([one.why for one in placed]))


def why_not(lane: Lane, ask: Ask, world: World) -> Skip | None:
    """The first reason not to send to this backend now, or None."""
    return _lasting(lane, ask, world) or _passing(lane, ask, world)


def _may_change(lane: Lane) -> bool:
    """Whether what is said of it by configuration ends at some moment."""
    return lane.backend.key.expires_at is not None


def _lasting(lane: Lane, ask: Ask, world: World) -> Skip | None:
    backend = lane.backend
    return (
        unfit(lane, ask, world)
        or _untranslated(backend, ask)
        or _configured_away(backend, world.env_names)
        or _unaccountable(lane, ask)
    )


def _passing(lane: Lane, ask: Ask, world: World) -> Skip | None:
    return _resting(lane.backend, world) or limits.full(lane, ask, world)


def _untranslated(backend: Backend, ask: Ask) -> Skip | None:
    if backend.endpoint.api_format is ask.api_format or backend.pool.translated is not Translated.NEVER:
        return None
    sentence = (
        f"Its pool serves only calls of an endpoint's own API format, and it speaks {backend.endpoint.api_format}."
    )
    return skip(backend, "translation_off", sentence)


def _unaccountable(lane: Lane, ask: Ask) -> Skip | None:
    """Where money is limited, what has no price cannot be held to the limit."""
    if lane.price is not None:
        return None
    provider = lane.backend.provider
    if ask.is_metered:
        sentence = "The caller's money is limited, and the model has no price there; set one, or lift the limit."
    elif provider.monthly_quota and provider.billing_type is not BillingType.FREE_TIER:
        sentence = "Its provider has a quota of money, and the model has no price there; set one, or lift the quota."
    else:
        return None
    return skip(lane.backend, PRICE_UNKNOWN, sentence)


def soonest_recovery(skips: Iterable[Skip]) -> float | None:
    """Seconds until the first skipped backend can be tried again; None where none will by itself."""
    return min((found.seconds for found in skips if found.seconds is not None), default=None)


def _configured_away(backend: Backend, env_names: Container[str]) -> Skip | None:
    key = backend.key
    if not backend.is_enabled:
        return skip(backend, "inactive", "It is disabled.")
    if key.weight == 0:
        return skip(backend, "weight_zero", "Its weight is 0.")
    if key.env_name is not None and key.env_name not in env_names:
        return skip(backend, "env_missing", f"The environment variable {key.env_name} is not set.")
    if key.masked and key.env_name is None and key.bound_origin is None:
        return skip(backend, "key_unbound", "The address changed; its key must be entered again.")
    if backend.is_elsewhere:
        return skip(backend, "key_unbound", f"Its key is for {key.bound_origin} alone; this address needs its own.")
    if key.rpm_limit == 0:
        return skip(backend, "rpm_zero", "Its requests per minute are set to 0.")
    return None


def _resting(backend: Backend, world: World) -> Skip | None:
    state = world.state.backends.get(backend.id)
    if state is None:
        return None  # looking makes no state: the backend may have been deleted since
    left = state.resting_until - world.now
    if left > 0:
        return skip(
            backend, REST_REASONS[state.rest_kind], f"It rests for {left:.1f} s more: {state.rest_reason}.", left
        )
    if state.probe_holder:
        return skip(backend, "probing", "Its rest is over and one call is trying it first.", TRIAL_PATIENCE)
    seconds = state.breaker.seconds_until_trial(world.now)
    if seconds and state.breaker.trial:
        return skip(backend, "breaker_trial", "It failed too often and one call is trying it first.", seconds)
    if seconds:
        return skip(backend, BREAKER_OPEN, f"It failed too often and is left alone for {seconds:.1f} s.", seconds)
    return None


REST_REASONS: Mapping[RestKind, str] = {
    RestKind.LIMITED: "cooling",
    RestKind.QUOTA: "out_of_quota",
    RestKind.REFUSED: "key_refused",
}
