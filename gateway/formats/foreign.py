"""Thoughts of another format's provider, taken out of what goes to a provider of the client's own.

A conversation may be served by translation at first and by its own format later. What came by translation has marked
signatures in it (signatures.py), which no provider of this format made: it would refuse the whole request. Everything
else of the request stays the bytes that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from gateway.formats.body import Fields, encode_object
from gateway.formats.request import Request
from gateway.model.registry import ApiFormat

_MARKED = re.compile(rb'\s*"(?:gw1\.|Z3cxL)')
"""A signature of another format, as signatures.py and in base64 gemini/seals.py write it."""
_MARKS = (b'"gw1.', b'"Z3cxL')
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(Fields)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Cleaner = Callable[[Fields], Fields | None]
"""Makes of one object what may be sent of it; None for nothing, the same object for all of it."""


def without_foreign(request: Request) -> Request:
    """The request for a provider of its own format. Nothing is looked at closely unless there is something."""
    found = _CLEANERS.get(request.api_format)
    if found is None:
        return request
    name, cleaner = found
    if request.lacks(_MARKS[0]) and request.lacks(_MARKS[1]):
        return request
    if not (request.holds(name, _MARKS[0]) or request.holds(name, _MARKS[1])):
        return request
    there = request.fields[name]
    cleaned = _each(there, cleaner)
    return request if cleaned is there else request.with_fields({**request.fields, name: cleaned})


def _is_suspect(value: bytes) -> bool:
    return any(mark in value for mark in _MARKS)


def _each(listed: msgspec.Raw, cleaner: Cleaner) -> msgspec.Raw:
    """The list with every object cleaned; the same where nothing changed, or where it is no list of objects."""
    try:
        items = _ITEMS.decode(listed)
        pairs = [(item, _FIELDS.decode(item)) for item in items]
    except _UNREADABLE:
        return listed
    kept: list[bytes] = []
    is_changed = False
    for item, fields in pairs:
        cleaned = cleaner(fields)
        is_changed = is_changed or cleaned is not fields
        if cleaned is not None:
            kept.append(bytes(item) if cleaned is fields else encode_object(cleaned))
    return msgspec.Raw(b"[" + b",".join(kept) + b"]") if is_changed else listed


def _is_marked(value: msgspec.Raw | None) -> bool:
    return value is not None and _MARKED.match(bytes(value)) is not None


def _type_of(fields: Fields) -> bytes:
    return bytes(fields.get("type", b"")).strip()


def _inside(fields: Fields, name: str, cleaner: Cleaner) -> Fields | None:
    """The object with the list in its member `name` cleaned; None where nothing is left in that."""
    there = fields.get(name)
    if there is None or not _is_suspect(bytes(there)):
        return fields
    cleaned = _each(there, cleaner)
    if cleaned is there:
        return fields
    return None if bytes(cleaned) == b"[]" else {**fields, name: cleaned}


def _block(block: Fields) -> Fields | None:
    """One content block of Anthropic's."""
    kind = _type_of(block)
    if kind == b'"thinking"':
        return None if _is_marked(block.get("signature")) else block
    return None if kind == b'"redacted_thinking"' and _is_marked(block.get("data")) else block


def _item(item: Fields) -> Fields | None:
    """One input item of Responses."""
    return None if _type_of(item) == b'"reasoning"' and _is_marked(item.get("encrypted_content")) else item


def _detail(detail: Fields) -> Fields | None:
    """One of chat's `reasoning_details`."""
    return None if any(_is_marked(detail.get(name)) for name in ("signature", "data")) else detail


def _chat_message(message: Fields) -> Fields:
    cleaned = _inside(message, "reasoning_details", _detail)
    return _less(message, ("reasoning_details",)) if cleaned is None else cleaned


def _part(part: Fields) -> Fields | None:
    """One part of Gemini's: a thought goes, any other part only loses the signature."""
    names = [name for name in ("thoughtSignature", "thought_signature") if _is_marked(part.get(name))]
    if not names:
        return part
    return None if bytes(part.get("thought", b"")).strip() == b"true" else _less(part, names) or None


def _less(fields: Fields, names: Iterable[str]) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}


_CLEANERS: Mapping[ApiFormat, tuple[str, Cleaner]] = {
    ApiFormat.ANTHROPIC_MESSAGES: ("messages", lambda message: _inside(message, "content", _block)),
    ApiFormat.OPENAI_RESPONSES: ("input", _item),
    ApiFormat.OPENAI_CHAT: ("messages", _chat_message),
    ApiFormat.GEMINI_GENERATE: ("contents", lambda content: _inside(content, "parts", _part)),
}
"""Where the turns of a request are, and what becomes of each."""
