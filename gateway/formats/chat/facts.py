"""What routing reads of a chat completion besides its model: abilities it needs, and the conversation it belongs to.

The bytes are looked at as they are; messages are decoded no further than the first one of a user.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import msgspec

from gateway.formats import body as bodies
from gateway.formats.body import Fields
from gateway.formats.chat.surface import MOST_ANSWERS, MOST_TOKENS
from gateway.formats.request import Facts, Request
from gateway.model.capabilities import CACHE_1H, JSON_SCHEMA, TOOLS, VISION

# A quote inside a JSON string has a backslash before it, so that a word between two bare quotes is never mere text.
_HOUR = re.compile(rb'"ttl"\s*:\s*"1h"')
_CACHED = b'"cache_control"'
_PICTURE = b'"image_url"'
_EMPTY = frozenset({b"null", b"[]", b"{}", b'""'})
_TOOLS = ("tools", "functions")
_LONGEST_SHOWN = 64


class _Message(msgspec.Struct):
    role: Any = None


_MESSAGES = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(_Message)


def facts(request: Request, default_output: int, session_header: str) -> Facts:
    """Raises BadInput for limits that are none. `default_output` tokens are reserved where the call sets no limit."""
    most_input, most_output = most_tokens(request, default_output)
    return Facts(
        capabilities=capabilities_of(request),
        tokens=-(-len(bytes(request.fields["messages"])) // 4),
        most_input=most_input,
        most_output=most_output,
        session=session_of(request, session_header),
    )


def capabilities_of(request: Request) -> frozenset[str]:
    """Tools, a schema for the answer, pictures, a cache of one hour: what the body shows that it needs."""
    fields, found = request.fields, set()
    messages = bytes(fields["messages"])
    tools = b" ".join(bytes(fields[name]) for name in _TOOLS if name in fields)
    if any(_is_given(fields, name) for name in _TOOLS):
        found.add(TOOLS)
    if b'"json_schema"' in bytes(fields.get("response_format", b"")):
        found.add(JSON_SCHEMA)
    if _PICTURE in messages:
        found.add(VISION)
    # A long word is found sooner than a pattern, and is hardly ever there.
    if any(_CACHED in part and _HOUR.search(part) for part in (messages, tools)):
        found.add(CACHE_1H)
    return frozenset(found)


def most_tokens(request: Request, default_output: int) -> tuple[int, int]:
    """The most input and output tokens that the call can come to: three bytes of its body a token, and the larger of
    its limits on the answer, `default_output` where it sets none, for each answer that it asks for.
    """
    fields = request.fields
    size = sum(len(bytes(value)) for value in fields.values())
    given = [number for name in _LIMITS if (number := bodies.integer_field(fields, name, 0, MOST_TOKENS)) is not None]
    answers = bodies.integer_field(fields, "n", 1, MOST_ANSWERS) or 1
    return -(-size // 3), answers * (max(given) if given else default_output)


_LIMITS = ("max_tokens", "max_completion_tokens")


def session_of(request: Request, header: str) -> str:
    """`prompt_cache_key`, else `metadata.user_id`, else `header`, else what the conversation began with.

    The same conversation has the same session; a long one is shortened to its hash.
    """
    fields = request.fields
    named = _text(fields.get("prompt_cache_key")) or _user_of(fields) or header
    if not named:
        return "begins:" + _beginning(request)
    return named if len(named) <= _LONGEST_SHOWN else "hash:" + _hash(named.encode("utf-8", "surrogatepass"))


def _is_given(fields: Fields, name: str) -> bool:
    return bytes(fields.get(name, b"null")) not in _EMPTY


def _text(value: msgspec.Raw | None) -> str:
    found = None if value is None else bodies.decode_any(value)
    return found.strip() if isinstance(found, str) else ""


def _user_of(fields: Fields) -> str:
    metadata = bodies.decode_any(fields["metadata"]) if "metadata" in fields else None
    found = metadata.get("user_id") if isinstance(metadata, dict) else None
    return found.strip() if isinstance(found, str) else ""


def _beginning(request: Request) -> str:
    """Model, tools and everything up to the first turn of a user."""
    parts = [request.model.encode("utf-8", "surrogatepass")]
    parts += [bytes(request.fields[name]) for name in _TOOLS if name in request.fields]
    try:
        for message in _MESSAGES.decode(request.fields["messages"]):
            parts.append(bytes(message))
            if _MESSAGE.decode(message).role == "user":
                break
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Messages that are not objects are for the provider to refuse.
        parts.append(bytes(request.fields["messages"]))
    return _hash(b"\0".join(parts))


def _hash(text: bytes) -> str:
    return blake2b(text, digest_size=12).hexdigest()
