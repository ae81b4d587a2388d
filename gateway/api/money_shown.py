"""How it is with somebody's money, as the JSON API shows it."""

from __future__ import annotations

import msgspec

from gateway.control.budget_view import Money
from gateway.model.people import Period
from gateway.money import exact_dollars


class MoneyLimitShown(msgspec.Struct, frozen=True):
    """A limit that holds now, in dollars. `reserved` is for calls under way, `resets_at` Unix ms, null for never."""

    name: str
    period: str
    limit: str
    spent: str
    reserved: str
    left: str
    resets_at: int | None


class SpentShown(msgspec.Struct, frozen=True):
    """Dollars since midnight UTC, since Monday, since the first of the month, and ever."""

    today: str
    this_week: str
    this_month: str
    in_all: str


def limits_shown(money: Money) -> tuple[MoneyLimitShown, ...]:
    return tuple(
        MoneyLimitShown(
            name=one.limit.code,
            period=one.limit.period.value,
            limit=exact_dollars(one.limit.nano),
            spent=exact_dollars(one.spent),
            reserved=exact_dollars(one.reserved),
            left=exact_dollars(one.left),
            resets_at=one.resets_at,
        )
        for one in money.limits
    )


def spent_shown(money: Money) -> SpentShown:
    spent = money.spent
    return SpentShown(
        today=exact_dollars(spent[Period.DAILY]),
        this_week=exact_dollars(spent[Period.WEEKLY]),
        this_month=exact_dollars(spent[Period.MONTHLY]),
        in_all=exact_dollars(spent[Period.NONE]),
    )
