"""How it is with everybody's money right now, from memory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.control.desk import Desk
from gateway.model.people import ApiKey, Period, User
from gateway.routing import budgets
from gateway.routing.budgets import MoneyLimit, Standing
from gateway.routing.spends import key_owner, user_owner


class Money(msgspec.Struct, frozen=True):
    """Nano-dollars. `limits` are those that hold, `spent` in the running period of each length, whatever holds."""

    limits: tuple[Standing, ...]
    spent: Mapping[Period, int]


def of_key(desk: Desk, key: ApiKey) -> Money:
    """Its own budget and balance; its owner's quota is its owner's."""
    return _money(desk, key_owner(key.id), budgets.limits_of(key, None))


def of_user(desk: Desk, user: User) -> Money:
    return _money(desk, user_owner(user.id), budgets.limits_of_user(user))


def _money(desk: Desk, owner: str, limits: list[MoneyLimit]) -> Money:
    now, spends = desk.clock.wall_ms(), desk.state.spends
    return Money(
        tuple(budgets.standing(limit, spends, now) for limit in limits),
        {period: spends.of(owner, period, now).spent for period in Period},
    )
