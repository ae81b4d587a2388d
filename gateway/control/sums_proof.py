"""Proof that the sums of hours and days are those of the calls."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.sums import DAY_MS
from gateway.store import call_sums, rollups
from gateway.store.call_sums import Calls, Row
from gateway.store.database import Tx

_COLUMNS = (
    *("requests", "failed", "cancelled", "denied", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens"),
    *("cache_creation_tokens", "reasoning_tokens", "cost_nano", "actual_nano"),
    *(f"t{number}" for number in range(13)),
    *(f"f{number}" for number in range(13)),
)


async def differences(tx: Tx) -> tuple[int, list[str]]:
    """How many days were compared, and a line for each sum that is not what the calls come to.

    Days that calls were deleted of cannot be proved, nor those that are not summed up yet.
    """
    found = []
    days = await rollups.provable_days(tx)
    for day in days:
        made = await call_sums.of_day(tx, Calls(day, day + DAY_MS))
        singles = [row for row in made if "+" not in str(row[0])]
        found += _unequal(f"the day {day}", made, await rollups.kept_by_day(tx, day))
        found += _unequal(f"the hours of the day {day}", singles, await rollups.kept_by_hours(tx, day))
    return len(days), found


def _unequal(place: str, made: Sequence[Row], kept: Sequence[Row]) -> list[str]:
    wanted, there = ({row[:3]: row[3:] for row in rows} for rows in (made, kept))
    lines = []
    for subject in sorted({*wanted, *there}, key=str):
        now, was = wanted.get(subject, (0,) * len(_COLUMNS)), there.get(subject, (0,) * len(_COLUMNS))
        what = [
            f"{name} {had} instead of {value}"
            for name, value, had in zip(_COLUMNS, now, was, strict=True)
            if value != had
        ]
        if what:
            lines.append(f"the sums of {place}, {' '.join(filter(None, map(str, subject)))}: {', '.join(what)}")
    return lines
