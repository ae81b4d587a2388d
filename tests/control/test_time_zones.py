"""Names of time zones."""

from __future__ import annotations

from gateway.control import time_zones


def test_zones_are_known_by_their_names() -> None:
    assert time_zones.is_known("UTC")
    assert time_zones.every() == tuple(sorted(time_zones.every()))
    for name in ("", "Nowhere/Land", "../etc/passwd", "/etc/localtime", "utc"):
        assert not time_zones.is_known(name)
