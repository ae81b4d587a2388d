"""What users and API keys have spent in each period, and what calls under way may still cost them.

Everything here happens in the event loop's thread without waiting, so that nothing comes between looking at a sum and
adding to it. Those of days are written with the ledger rows that make them up: the other periods are made of days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from gateway.model.people import Period

DAY_MS = 24 * 3600 * 1000
_WEEK_MS = 7 * DAY_MS
_FIRST_MONDAY_MS = 4 * DAY_MS
"""1970-01-05."""

PERIODS = tuple(Period)
_DAILY = PERIODS.index(Period.DAILY)


def beginning(period: Period, wall_ms: int) -> int:
    """Unix ms of the beginning of the period that `wall_ms` is in: midnight UTC, 0 for the one without an end."""
    if period is Period.NONE:
        return 0
    if period is Period.DAILY:
        return wall_ms // DAY_MS * DAY_MS
    if period is Period.WEEKLY:
        return (wall_ms - _FIRST_MONDAY_MS) // _WEEK_MS * _WEEK_MS + _FIRST_MONDAY_MS
    day = datetime.fromtimestamp(wall_ms // 1000, UTC)
    return _unix_ms(datetime(day.year, day.month, 1, tzinfo=UTC))


def ending(period: Period, since: int) -> int | None:
    """Unix ms of the end of the period that began at `since`; None for the one without an end."""
    if period is Period.NONE:
        return None
    if period is Period.DAILY:
        return since + DAY_MS
    if period is Period.WEEKLY:
        return since + _WEEK_MS
    day = datetime.fromtimestamp(since // 1000, UTC)
    return _unix_ms(datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC))


class Sum(msgspec.Struct, gc=False):
    """Nano-dollars of one owner in one period: what was spent, and what calls under way have reserved."""

    owner: str
    period: Period
    since: int
    spent: int = 0
    reserved: int = 0


class Hold(msgspec.Struct, gc=False):
    """What a call has reserved of its owners' sums. It is settled once; `charged_at` says which periods it is in."""

    sums: tuple[Sum, ...]
    reserved: int
    charged_at: int
    is_settled: bool = False


def key_owner(api_key_id: str) -> str:
    return f"api_key:{api_key_id}"


def user_owner(user_id: str) -> str:
    return f"user:{user_id}"


def by_owner(days: Iterable[tuple[int, str, str, int]]) -> dict[tuple[str, int], int]:
    """What calls come to, by owner and day. Of each UTC day: its number since 1970, key, user, nano-dollars."""
    found: dict[tuple[str, int], int] = {}
    for day, api_key_id, user_id, nano in days:
        owners = [key_owner(api_key_id)] if api_key_id else []
        owners += [user_owner(user_id)] if user_id else []
        for owner in owners:
            found[owner, day] = found.get((owner, day), 0) + nano
    return {key: nano for key, nano in found.items() if nano}


class Spends:
    """The sums of every owner (`api_key:ID`, `user:ID`) in the current period of each length.

    Time never moves backwards in here: a clock that is set back begins no period anew.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[tuple[int, ...], tuple[Sum, ...]]] = {}
        self._latest = 0
        self._current = tuple(beginning(period, 0) for period in PERIODS)
        self._tomorrow = DAY_MS

    def moment(self, wall_ms: int) -> int:
        """`wall_ms`, or the latest time that was ever told where that is later."""
        self._latest = max(self._latest, wall_ms)
        if self._latest >= self._tomorrow:
            self._current = tuple(beginning(period, self._latest) for period in PERIODS)
            self._tomorrow = beginning(Period.DAILY, self._latest) + DAY_MS
        return self._latest

    def of(self, owner: str, period: Period, wall_ms: int) -> Sum:
        """The owner's sum in the period of this length that is running."""
        self.moment(wall_ms)
        return self._account(owner)[PERIODS.index(period)]

    def reserve(self, owners: Iterable[str], nano: int, wall_ms: int) -> Hold:
        """Hold `nano` of every sum of the owners. Whether there is room was asked before, without waiting since."""
        at = self.moment(wall_ms)
        sums: tuple[Sum, ...] = ()
        for owner in owners:
            sums += self._account(owner)
        for one in sums if nano else ():
            one.reserved += nano
        return Hold(sums, nano, at)

    def settle(self, hold: Hold, nano: int) -> tuple[Sum, ...]:
        """`nano` were spent in place of what was held: of each owner the sum of its day, where that changed. A second
        time changes nothing.
        """
        if hold.is_settled:
            return ()
        hold.is_settled = True
        if not nano and not hold.reserved:
            return ()
        for one in hold.sums:
            one.reserved -= hold.reserved
            one.spent += nano
        return hold.sums[_DAILY :: len(PERIODS)] if nano else ()

    def beginnings(self, wall_ms: int) -> tuple[int, ...]:
        """Unix ms of the beginnings of the periods that are running, in the order of PERIODS."""
        self.moment(wall_ms)
        return self._current

    def restore(self, owner: str, nano: Iterable[int]) -> None:
        """Take over what was spent in the running periods, in the order of PERIODS, before a stop."""
        for one, spent in zip(self._account(owner), nano, strict=True):
            one.spent = spent

    def correct(self, owner: str, day: int, nano: int) -> None:
        """Add `nano`, which may be below zero, to what was spent on a `day` (since 1970), in those of its periods that
        are running.
        """
        for one in self._account(owner):
            if beginning(one.period, day * DAY_MS) == one.since:
                one.spent = max(0, one.spent + nano)

    def _account(self, owner: str) -> tuple[Sum, ...]:
        """The owner's current sums, one a period. One that is over lives on in the holds of its last calls."""
        beginnings, sums = self._accounts.get(owner, ((), ()))
        if beginnings is not self._current:
            known = {(one.period, one.since): one for one in sums}
            sums = tuple(
                known.get((period, since)) or Sum(owner, period, since)
                for period, since in zip(PERIODS, self._current, strict=True)
            )
            self._accounts[owner] = (self._current, sums)
        return sums


def _unix_ms(day: datetime) -> int:
    return int(day.timestamp()) * 1000
