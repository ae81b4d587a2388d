"""Rests of whole endpoints: where most keys of one base URL are limited at once, it is not about the keys."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

TOGETHER_SECONDS = 1.0
LEAST_KEYS = 2


class EndpointRest(msgspec.Struct):
    """All that answers at one base URL. `limited` tells until when each key rests that met a limit just now.

    As with a backend's rest, one call goes first when it is over: the `probe_holder`. Times are monotonic seconds.
    """

    resting_until: float = 0.0
    reason: str = ""
    needs_probe: bool = False
    probe_holder: str = ""
    limited: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)

    def seconds_left(self, now: float) -> float:
        return max(0.0, self.resting_until - now)

    def rest(self, until: float, reason: str) -> None:
        """Rest until then. A new deadline never shortens an old one."""
        if until > self.resting_until:
            self.resting_until, self.reason = until, reason
        self.needs_probe = True

    def note_limit(self, key_id: str, until: float, now: float) -> None:
        self.limited = {key: found for key, found in self.limited.items() if now - found[0] <= TOGETHER_SECONDS}
        self.limited[key_id] = (now, until)

    def rest_if_most(self, usable: Iterable[str]) -> bool:
        """Rest where more than half of the `usable` keys, and at least two, met a limit within a second."""
        keys = set(usable) | self.limited.keys()
        if len(self.limited) < LEAST_KEYS or 2 * len(self.limited) <= len(keys):
            return False
        until = max(until for _, until in self.limited.values())
        self.rest(until, f"{len(self.limited)} of its {len(keys)} keys met a limit within a second")
        return True

    def clear(self) -> None:
        self.resting_until, self.reason = 0.0, ""
        self.needs_probe, self.probe_holder = False, ""
        self.limited = {}
