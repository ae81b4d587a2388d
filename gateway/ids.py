"""Names for new things. Random ones cannot be guessed; request ids also sort by time."""

from __future__ import annotations

import secrets
import time


def new_id() -> str:
    """16 hexadecimal digits, random."""
    return secrets.token_hex(8)


def new_request_id() -> str:
    """`req_` and 26 hexadecimal digits: 12 of Unix milliseconds, then 14 random ones.

    Sorting by id sorts by time, so that the ledger's indexes only append.
    """
    return f"req_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"
