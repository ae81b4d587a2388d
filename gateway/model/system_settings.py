"""What an operator sets for the whole gateway while it runs; part of the snapshot."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Capture(StrEnum):
    """Whose headers and bodies are kept: nobody's, those of calls that failed, or all."""

    OFF = "off"
    ERRORS = "errors"
    ALL = "all"


class CrashCharge(StrEnum):
    """What a call costs whose end nobody saw: its input, or all that was reserved for it."""

    INPUT = "input"
    FULL = "full"


class SystemSettings(msgspec.Struct, frozen=True):
    """`capture_bytes` of each body are kept for `capture_days`. Calls are kept for `retention_days` and while the
    ledger has no more than `retention_bytes`; None keeps them for good. `default_output_tokens` are reserved for a
    call that does not bound its answer. `version` counts changes.
    """

    capture: Capture = Capture.OFF
    capture_bytes: int = 65_536
    capture_days: int = 7
    retention_days: int | None = 90
    retention_bytes: int | None = 4 * 1024**3
    crash_charge: CrashCharge = CrashCharge.INPUT
    default_output_tokens: int = 4096
    version: int = 1
