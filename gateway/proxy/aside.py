"""Work on large bodies, done aside: others' calls go on between its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LARGE = 512 * 1024
"""Bytes from which work on a body takes longer than handing it to a thread by far."""


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` gives, done in a thread. It must change nothing that others see."""
    return await asyncio.to_thread(work, *args, **kwargs)
