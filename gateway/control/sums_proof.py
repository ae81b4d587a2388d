"""Proof that the sums of hours and days are those of the calls."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store import rollups
from gateway.store.database import Database
from gateway.store.rollups import Row

_COLUMNS = (
    *("requests", "failed", "cancelled", "denied", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens"),
    *("cache_creation_tokens", "reasoning_tokens", "cost_nano", "actual_nano"),
    *(f"t{number}" for number in range(13)),
    *(f"f{number}" for number in range(13)),
)


async def differences(db: Database) -> list[str]:
    """One line for each sum that is not what the calls come to; days that calls were deleted of cannot be proved."""
    async with db.read() as tx:
        days = await rollups.provable_days(tx)
    found = []
    for day in days:
        async with db.read() as tx:
            made = await rollups.of_day(tx, day)
            by_day = await rollups.kept_by_day(tx, day)
            by_hours = await rollups.kept_by_hours(tx, day)
        found += _unequal(f"day {day}", made, by_day)
        found += _unequal(f"hours of day {day}", [row for row in made if "+" not in str(row[0])], by_hours)
    return found


def _unequal(place: str, made: Sequence[Row], kept: Sequence[Row]) -> list[str]:
    wanted, there = ({row[:3]: row[3:] for row in rows} for rows in (made, kept))
    lines = []
    for subject in sorted({*wanted, *there}, key=str):
        now, was = wanted.get(subject, (0,) * len(_COLUMNS)), there.get(subject, (0,) * len(_COLUMNS))
        what = [
            f"{name} {kept_value} instead of {value}"
            for name, value, kept_value in zip(_COLUMNS, now, was, strict=True)
            if value != kept_value
        ]
        if what:
            lines.append(f"sums of {place}, {' '.join(filter(None, map(str, subject)))}: {', '.join(what)}")
    return lines
