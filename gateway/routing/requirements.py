"""What a call asks of its backend, and what a backend lacks for it whatever happens to be going on there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.errors import BadInput
from gateway.model.calls import Skip
from gateway.model.capabilities import EXCLUSIVE, OF_MODELS
from gateway.routing.permissions import NOT_PERMITTED, may_reach
from gateway.routing.snapshot import Lane
from gateway.routing.world import Ask, World, skip

HEADER = "x-gateway-require"
_WORD = re.compile(r"-?[a-z0-9][a-z0-9_]{0,62}")
_MOST_WORDS = 50


def wanted(of_caller: frozenset[str], header: str, of_body: frozenset[str], lanes: Sequence[Lane]) -> frozenset[str]:
    """Capabilities that the key and its owner force, the header `x-gateway-require` names and the body shows, less
    those the header takes away. Raises BadInput.

    What only the body shows and is not a model's ability is wanted where some lane offers it: nobody asked for a
    refusal.
    """
    adds, removes = _read(header)
    shown = frozenset(name for name in of_body if name in OF_MODELS or any(lane.has(name) for lane in lanes))
    return (of_caller | adds | shown) - removes


def unfit(lane: Lane, ask: Ask, world: World) -> Skip | None:
    """The first reason of permission, life or ability not to send this call there, or None."""
    backend, key = lane.backend, lane.backend.key
    if not may_reach(ask.api_key, backend):
        return skip(backend, NOT_PERMITTED, "The API key may not use this provider.")
    if not lane.is_available:
        return skip(backend, "model_unavailable", "The provider does not offer the model now.")
    if key.expires_at is not None and key.expires_at <= world.wall_ms:
        return skip(backend, "key_expired", "Its key has expired.")
    if key.allowed_models is not None and ask.model not in key.allowed_models:
        return skip(backend, "model_not_allowed", f"Its key is not for the model {ask.model}.")
    return _unable(lane, ask)


def _unable(lane: Lane, ask: Ask) -> Skip | None:
    if not ask.wanted and not lane.backend.key.capabilities:
        return None  # nearly every call: nothing asked for, nothing kept
    missing = sorted(name for name in ask.wanted if not lane.has(name) and not _may_have(lane, name))
    if missing:
        return skip(lane.backend, "capability_missing", f"It lacks what the call asks for: {', '.join(missing)}.")
    kept = sorted(EXCLUSIVE.intersection(lane.backend.key.capabilities) - ask.wanted)
    if kept:
        return skip(lane.backend, "capability_exclusive", f"It is kept for calls that ask for {', '.join(kept)}.")
    return None


def _may_have(lane: Lane, name: str) -> bool:
    """Nobody said what the model can do there."""
    return lane.capabilities is None and name in OF_MODELS


def _read(header: str) -> tuple[frozenset[str], frozenset[str]]:
    words = [word.strip().lower() for word in header.split(",") if word.strip()]
    if len(words) > _MOST_WORDS or not all(_WORD.fullmatch(word) for word in words):
        raise BadInput(
            f"The header {HEADER} takes at most {_MOST_WORDS} names of capabilities with commas between them, "
            "and '-' before one that is not wanted: cache_1h,-context_1m.",
            param=HEADER,
            code="invalid_capability",
        )
    removes = frozenset(word.removeprefix("-") for word in words if word.startswith("-"))
    return frozenset(word for word in words if not word.startswith("-")), removes
