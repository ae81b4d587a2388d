"""How the system's allocator is told to hold on to little: a large body shall not be felt for ever after."""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Numbers of mallopt(3), the same wherever glibc is."""
_LARGE = 4 * 1024 * 1024
_ARENAS = 2


def hold_little() -> None:
    """Blocks of 4 MiB and more are given back to the system as soon as they are free, and threads share two heaps.

    By itself glibc keeps blocks of up to 32 MiB once it has seen one, in a heap of their own for every thread. Where
    the C library knows no such settings, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, _ARENAS)
