"""How far a limit of money is used, as a bar with its words."""

from __future__ import annotations

import msgspec

from gateway.control.budget_view import Money
from gateway.model.people import Period
from gateway.routing.budgets import Standing

_NEARLY = 0.8
_NAMES = {"api_key_budget": "budget", "api_key_balance": "balance", "user_quota": "quota"}
_PERIODS = {Period.NONE: "in all", Period.DAILY: "today", Period.WEEKLY: "this week", Period.MONTHLY: "this month"}


class MoneyBar(msgspec.Struct, frozen=True):
    """Nano-dollars; `share` is of 1, `shade` a colour of the meter, `resets_at` Unix ms or None."""

    name: str
    period: str
    spent: int
    reserved: int
    limit: int
    share: float
    shade: str
    resets_at: int | None


def bars(money: Money) -> tuple[MoneyBar, ...]:
    return tuple(_bar(standing) for standing in money.limits)


def _bar(of: Standing) -> MoneyBar:
    share = min(1.0, of.spent / of.limit.nano) if of.limit.nano else 1.0
    return MoneyBar(
        name=_NAMES[of.limit.code],
        period=_PERIODS[of.limit.period],
        spent=of.spent,
        reserved=of.reserved,
        limit=of.limit.nano,
        share=share,
        shade="failed" if share >= 1 else "limited" if share > _NEARLY else "ok",
        resets_at=of.resets_at,
    )
