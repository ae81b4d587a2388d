"""Names of time zones, as this machine knows them."""

from __future__ import annotations

import functools
import zoneinfo

UTC = "UTC"


@functools.cache
def every() -> tuple[str, ...]:
    """In order of their names; a machine without the table of zones knows UTC alone."""
    return tuple(sorted({UTC, *(name for name in zoneinfo.available_timezones() if "/" in name)}))


def is_known(name: str) -> bool:
    return name in every()
