"""Pieces of what routing reads of a conversation, whatever its format: its session, and abilities that it needs.

Bytes are looked at as they are; nothing is decoded that need not be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from gateway.formats import body as bodies
from gateway.formats.body import Fields

# A quote inside a JSON string has a backslash before it, so that a word between two bare quotes is never mere text.
_HOUR = re.compile(rb'"ttl"\s*:\s*"1h"')
CACHED, _ONE_HOUR = b'"cache_control"', b'"1h"'
_EMPTY = frozenset({b"null", b"[]", b"{}", b'""'})
_LONGEST_EMPTY = max(map(len, _EMPTY))
_LONGEST_SHOWN = 64
_MOST_JOINED = 64 * 1024


Beginning = Sequence[bytes | msgspec.Raw]
"""What a conversation began with, in parts that need not be copied."""


class _Turn(msgspec.Struct):
    role: Any = None


_USERS = re.compile(rb'{\s*"role"\s*:\s*"user"')
"""How nearly every turn of a user begins; whatever is in it need not be read to see that."""
_TURNS = msgspec.json.Decoder(list[msgspec.Raw])
_TURN = msgspec.json.Decoder(_Turn)


def is_given(fields: Fields, name: str) -> bool:
    """Whether the field is there and not null or empty."""
    value = fields.get(name, b"null")
    return len(value) > _LONGEST_EMPTY or bytes(value) not in _EMPTY


def joined(fields: Fields, names: Iterable[str]) -> bytes:
    """The raw values of those of the fields that are there, with spaces between."""
    return b" ".join(bytes(fields[name]) for name in names if name in fields)


def asks_for_an_hour_of_cache(part: bytes | msgspec.Raw) -> bool:
    """Whether a `cache_control` with a `ttl` of one hour is in raw JSON."""
    # A word is found sooner than a pattern, and these are hardly ever there.
    return bodies.holds(part, CACHED) and bodies.holds(part, _ONE_HOUR) and _HOUR.search(part) is not None


def tokens_of(size: int) -> int:
    """The estimate that limits of tokens per minute take: four bytes a token, rounded up."""
    return -(-size // 4)


def most_tokens_of(size: int) -> int:
    """The most tokens that bytes can come to: three bytes a token, rounded up."""
    return -(-size // 3)


def size_of(fields: Fields) -> int:
    """Bytes of the values of all fields."""
    return sum(map(len, fields.values()))


def text_of(value: msgspec.Raw | None) -> str:
    """The text of a raw string without spaces around it, empty for anything else."""
    found = None if value is None else bodies.decode_any(value)
    return found.strip() if isinstance(found, str) else ""


def user_of(fields: Fields) -> str:
    """`metadata.user_id`, empty where it is not given or no text."""
    metadata = bodies.decode_any(fields["metadata"]) if "metadata" in fields else None
    found = metadata.get("user_id") if isinstance(metadata, dict) else None
    return found.strip() if isinstance(found, str) else ""


def session_name(named: Iterable[str], beginning: Beginning) -> str:
    """The first of `named` that is not empty, else the hash of what the conversation began with.

    The same conversation has the same session; a long name is shortened to its hash.
    """
    name = next((name for name in named if name), "") if named else ""
    if not name:
        return "begins:" + hash_of(beginning)
    return name if len(name) <= _LONGEST_SHOWN else "hash:" + hash_of([encoded(name)])


def beginning_of(model: str, before: Iterable[msgspec.Raw], turns: msgspec.Raw | None) -> Beginning:
    """The model, `before` (system, tools) and the turns up to the first of a user: what stays while it goes on.

    `turns` are a raw list of objects with a `role`; of anything else all of it counts.
    """
    parts: list[bytes | msgspec.Raw] = [encoded(model), *before]
    if turns is not None:
        parts += _first_turns(turns)
    return parts


def _first_turns(turns: msgspec.Raw) -> list[msgspec.Raw]:
    parts: list[msgspec.Raw] = []
    try:
        for turn in _TURNS.decode(turns):
            parts.append(turn)
            if _USERS.match(turn) or _TURN.decode(turn).role == "user":
                break
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Turns that are not objects are for the provider to refuse.
        return [*parts, turns]
    return parts


def hash_of(parts: Beginning) -> str:
    """Of the parts with zero bytes between them."""
    if sum(map(len, parts)) < _MOST_JOINED:
        return blake2b(b"\0".join(parts), digest_size=12).hexdigest()
    found = blake2b(digest_size=12)
    for number, part in enumerate(parts):
        if number:
            found.update(b"\0")
        found.update(part)
    return found.hexdigest()


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
