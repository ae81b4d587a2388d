"""Rendezvous hashing: every caller has its own order of things, and keeps it when one of them comes or goes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b

_STEPS = 2.0**64


def distance(caller: str, name: str, weight: float = 1.0) -> float:
    """How far `name` is from `caller`, the nearest first; `weight` above 0. Twice the weight is nearest to twice as
    many callers (-ln(u) / weight, the logarithm of Efraimidis and Spirakis' keys).
    """
    digest = blake2b(f"{caller}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -math.log((int.from_bytes(digest) + 0.5) / _STEPS) / weight


def first_of(names: Iterable[str], caller: str) -> str:
    """The name that this caller keeps to."""
    return min(names, key=lambda name: distance(caller, name))
