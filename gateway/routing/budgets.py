"""Limits of money: a user's quota, an API key's budget, the balance of a key that stands alone.

What a call may cost at most is reserved before anything is sent, so that calls at the same moment cannot spend the
same money; what it did cost is settled after.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from gateway.errors import OutOfMoney
from gateway.model.people import ApiKey, Period, User
from gateway.money import format_dollars
from gateway.routing import limits
from gateway.routing.bounds import Bounds, of_caller
from gateway.routing.cost import most_for
from gateway.routing.limits import Grant
from gateway.routing.permissions import may_reach
from gateway.routing.snapshot import Lane
from gateway.routing.spends import Hold, Spends, ending, key_owner, user_owner
from gateway.routing.world import Ask, World


class MoneyLimit(msgspec.Struct, frozen=True):
    """`owner` may spend `nano` nano-dollars in a `period`. `code` and `words` say what kind of limit it is."""

    owner: str
    period: Period
    nano: int
    code: str
    words: str


class Standing(msgspec.Struct, frozen=True):
    """How it is with a limit now, in nano-dollars; `resets_at` is Unix ms, None where it never begins anew."""

    limit: MoneyLimit
    spent: int
    reserved: int
    resets_at: int | None

    @property
    def left(self) -> int:
        return max(0, self.limit.nano - self.spent - self.reserved)


class Admission(msgspec.Struct, frozen=True):
    """What a call took of its API key's and owner's limits: rates in `grant`, money in `hold`.

    `dearest` is the lane whose price was reserved, None where no limit of money holds.
    """

    grant: Grant
    hold: Hold
    dearest: Lane | None = None


class Caller(msgspec.Struct, frozen=True):
    """An API key and its owner, and what limits both: `money`, and rates and places in `bounds`. `accounts` are where
    what they spend is summed up.
    """

    api_key: ApiKey
    owner: User | None
    money: tuple[MoneyLimit, ...]
    bounds: Bounds
    accounts: tuple[str, ...]


def caller_of(api_key: ApiKey, owner: User | None) -> Caller:
    accounts = (key_owner(api_key.id),) if owner is None else (key_owner(api_key.id), user_owner(owner.id))
    return Caller(api_key, owner, tuple(limits_of(api_key, owner)), of_caller(api_key, owner), accounts)


def limits_of(api_key: ApiKey, owner: User | None) -> list[MoneyLimit]:
    """The limits of money that hold for calls of this key."""
    found = []
    if api_key.budget_nano is not None:
        found.append(
            MoneyLimit(
                key_owner(api_key.id),
                api_key.budget_period,
                api_key.budget_nano,
                "api_key_budget",
                "This API key's budget",
            )
        )
    if api_key.credited_nano is not None and api_key.user_id is None:
        found.append(
            MoneyLimit(
                key_owner(api_key.id),
                Period.NONE,
                api_key.credited_nano,
                "api_key_balance",
                "This API key's balance",
            )
        )
    return found if owner is None else [*found, *limits_of_user(owner)]


def limits_of_user(user: User) -> list[MoneyLimit]:
    """The limits of money that hold for all calls of this user's keys together."""
    if user.quota_nano is None:
        return []
    words = "The quota of this API key's owner"
    return [MoneyLimit(user_owner(user.id), user.quota_period, user.quota_nano, "user_quota", words)]


def standing(limit: MoneyLimit, spends: Spends, wall_ms: int) -> Standing:
    found = spends.of(limit.owner, limit.period, wall_ms)
    return Standing(limit, found.spent, found.reserved, ending(found.period, found.since))


def admit(ask: Ask, caller: Caller, lanes: Iterable[Lane], world: World) -> Admission:
    """What a call takes of its key's limits and its owner's. Raises OutOfMoney or RateLimited, having taken nothing.

    `lanes` are all that it may be sent to: the dearest of them is reserved for.
    """
    spends, held = world.state.spends, caller.money
    dearest = dearest_of(ask, lanes) if held else None
    most = 0 if dearest is None else most_at(ask, dearest)
    for limit in held:
        _require(standing(limit, spends, world.wall_ms), most)
    grant = limits.admit(caller.bounds, ask.tokens, world)
    return Admission(grant, spends.reserve(caller.accounts, most, world.wall_ms), dearest)


def dearest_of(ask: Ask, lanes: Iterable[Lane]) -> Lane | None:
    """Where the call could cost the most; None where nothing that it may be sent to has a price."""
    priced = [lane for lane in lanes if lane.price is not None and may_reach(ask.api_key, lane.backend)]
    return max(priced, key=lambda lane: most_at(ask, lane), default=None)


def most_at(ask: Ask, lane: Lane) -> int:
    """The list cost, in nano-dollars, that the call can have there."""
    return most_for(lane.price, most_input_at(ask, lane), ask.most_output) or 0


def most_input_at(ask: Ask, lane: Lane) -> int:
    """Input tokens that the call can have there: no more than the model takes, where that is known."""
    return min(ask.most_input, lane.context) if lane.context else ask.most_input


def _require(found: Standing, most: int) -> None:
    limit = found.limit
    if found.spent + found.reserved + most <= limit.nano and found.spent < limit.nano:
        return
    total = format_dollars(limit.nano)
    if found.spent >= limit.nano:
        state = "is used up"
    else:
        state = f"has too little left for this call, which may cost {format_dollars(most)}"
    under_way = f", {format_dollars(found.reserved)} reserved by calls under way" if found.reserved else ""
    raise OutOfMoney(
        f"{limit.words} of {total}{_PER[limit.period]} {state}: {format_dollars(found.spent)} spent{under_way}. "
        f"{_remedy(found)}",
        limit=limit.code,
        limit_nano=limit.nano,
        used_nano=found.spent,
        reserved_nano=found.reserved,
        resets_at=found.resets_at,
    )


_PER = {Period.NONE: "", Period.DAILY: " a day", Period.WEEKLY: " a week", Period.MONTHLY: " a month"}


def _remedy(found: Standing) -> str:
    if found.resets_at is not None:
        when = datetime.fromtimestamp(found.resets_at // 1000, UTC)
        return f"It begins anew at {when:%Y-%m-%dT%H:%MZ}."
    if found.limit.code == "api_key_balance":
        return "Ask the operator to top it up."
    return "Ask the operator to raise it."
