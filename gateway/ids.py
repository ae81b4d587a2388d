"""Names for new things. Random ones cannot be guessed; request ids also sort by time."""

from __future__ import annotations

import secrets
import time

_REQUEST_BYTES = 7
_READ_AT_ONCE = 256


def new_id() -> str:
    """16 hexadecimal digits, random."""
    return secrets.token_hex(8)


def new_request_id() -> str:
    """`req_` and 26 hexadecimal digits: 12 of Unix milliseconds, then 14 random ones.

    Sorting by id sorts by time, so that the ledger's indexes only append.
    """
    return f"req_{time.time_ns() // 1_000_000:012x}{_spare.pop() if _spare else _ending()}"


_spare: list[str] = []


def _ending() -> str:
    """A random ending. The system is asked for many at once, as asking takes longer than all the rest."""
    while True:
        try:
            return _spare.pop()
        except IndexError:
            found = secrets.token_bytes(_REQUEST_BYTES * _READ_AT_ONCE).hex()
            digits = 2 * _REQUEST_BYTES
            _spare.extend([found[start : start + digits] for start in range(0, len(found), digits)])
