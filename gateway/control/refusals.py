"""How many refusals are written down: enough to see who tries what, too few to fill the disk."""

from __future__ import annotations

import ipaddress

import msgspec

PER_ADDRESS = 10
PER_MINUTE = 60
_MINUTE_MS = 60_000


class Refusals(msgspec.Struct):
    """A minute holds at most PER_ADDRESS of one address (a /64 of IPv6) and PER_MINUTE of all of them."""

    _minute: int = 0
    _seen: dict[str, int] = msgspec.field(default_factory=dict)
    _left_out: int = 0

    def admit(self, ip: str, now: int) -> int | None:
        """None: leave it out. Else write it down, and how many were left out since the last one that was written."""
        minute = now // _MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._seen.clear()
        crowd = _crowd(ip)
        if self._seen.get(crowd, 0) >= PER_ADDRESS or sum(self._seen.values()) >= PER_MINUTE:
            self._left_out += 1
            return None
        self._seen[crowd] = self._seen.get(crowd, 0) + 1
        left_out, self._left_out = self._left_out, 0
        return left_out


def _crowd(ip: str) -> str:
    """Whose refusals are counted together."""
    try:
        address = ipaddress.ip_address(ip.split("%")[0])
    except ValueError:
        return ip
    return ip if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
