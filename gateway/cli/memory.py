"""How the system's allocator is told to hold on to little: a large body shall not be felt for ever after."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
from collections.abc import AsyncIterator, Callable

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""Numbers of mallopt(3), the same wherever glibc is."""
_LARGE = 4 * 1024 * 1024
_ARENAS = 1
_SECONDS = 2.0


def hold_little() -> None:
    """Blocks of 4 MiB and more are given back to the system as soon as they are free, and threads share one heap.

    By itself glibc keeps blocks of up to 32 MiB once it has seen one, in a heap of their own for every thread. Python's
    threads seldom want memory at the same time. Where the C library knows no such settings, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, _ARENAS)


@contextlib.asynccontextmanager
async def giving_back(seconds: float = _SECONDS) -> AsyncIterator[None]:
    """While open, what became free within the heap goes back to the system every so many seconds.

    glibc by itself gives back only what is free at the heap's end, and what stays is soon written behind any peak.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        yield
        return
    task = asyncio.create_task(_again(trim, seconds), name="memory")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _again(trim: Callable[[int], int], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        # A fifth of a millisecond as a rule, and longer after a peak.
        await asyncio.to_thread(trim, 0)
