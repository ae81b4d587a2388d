"""JSON bodies taken apart only as far as routing needs: top-level fields by name, their values as raw bytes."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from gateway.errors import BadInput
from gateway.formats import large

Fields = dict[str, msgspec.Raw]
"""Top-level fields of a JSON object in the order sent. A value is its untouched bytes."""

_OBJECT = msgspec.json.Decoder(Fields)
_ANY = msgspec.json.Decoder(Any)
_DECODER = codecs.getincrementaldecoder("utf-8")
_STRING = msgspec.json.Decoder(str)


WINDOW = 1024 * 1024
"""Bytes of a large body that are looked at in one step: between two steps other threads have their turn."""


def parse_object(body: bytes) -> Fields:
    """Raises BadInput where `body` is not one JSON object in UTF-8. A doubled key keeps its last value."""
    try:
        fields = _OBJECT.decode(body)
        if not body.isascii():
            _require_utf8(body)
    except msgspec.ValidationError:
        raise BadInput("The request body must be a JSON object.") from None
    except RecursionError:
        raise BadInput("The request body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise BadInput("The request body is not valid UTF-8.") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"The request body is not valid JSON: {_reason(error)}.") from None
    return fields


def _require_utf8(body: bytes) -> None:
    decoder, view = _DECODER(), memoryview(body)
    for start in range(0, len(body), WINDOW):
        decoder.decode(view[start : start + WINDOW])
    decoder.decode(b"", final=True)


def encode_object(fields: Fields) -> bytes:
    """The fields as one JSON object; raw values are copied as they are."""
    if sum(map(len, fields.values())) < WINDOW:
        return msgspec.json.encode(fields)
    parts: list[bytes | msgspec.Raw] = []
    for name, value in fields.items():
        parts += [b"," if parts else b"{", msgspec.json.encode(name), b":", value]
    return joined([*parts, b"}"])


def joined(parts: Sequence[bytes | msgspec.Raw]) -> bytes:
    """As `b"".join`, while other threads go on."""
    whole, end = large.room(sum(map(len, parts))), 0
    for part in parts:
        end = large.put(whole, end, part)
    # Nobody changes it from now on, and whatever reads bytes reads these.
    return cast("bytes", whole)


def holds(text: bytes | msgspec.Raw, word: bytes) -> bool:
    """As `word in text`; in a large one while other threads go on."""
    return word in bytes(text) if len(text) < WINDOW else large.has(text, word)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


@functools.lru_cache(1024)
def name(text: str) -> msgspec.Raw:
    """The same of a name, of which there are few."""
    return raw(text)


def exactly(text: str) -> msgspec.Raw:
    """JSON that is written already."""
    return msgspec.Raw(text.encode())


def text_field(fields: Fields, name: str, longest: int = 256) -> str:
    """A required, non-empty string. Raises BadInput naming the field."""
    found = fields.get(name)
    if found is None:
        raise BadInput(f"The field '{name}' is missing.", param=name, code="missing_required_parameter")
    try:
        text = _STRING.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadInput(f"The field '{name}' must be a string.", param=name, code="invalid_type") from None
    if not text or len(text) > longest or not text.isprintable():
        raise BadInput(f"The field '{name}' must be 1 to {longest} printable characters.", param=name)
    return text


def is_null(value: bytes | msgspec.Raw) -> bool:
    """Without a copy of what may be large."""
    return len(value) == 4 and bytes(value) == b"null"


def begins_with(value: msgspec.Raw, beginning: bytes) -> bool:
    """Without a copy of what may be large."""
    return bytes(memoryview(value)[: len(beginning)]) == beginning


def bool_field(fields: Fields, name: str) -> bool:
    """An optional boolean; missing and null are False."""
    value = bytes(fields.get(name, b"null"))
    if value in (b"true", b"false", b"null"):
        return value == b"true"
    raise BadInput(f"The field '{name}' must be true or false.", param=name, code="invalid_type")


def integer_field(fields: Fields, name: str, lowest: int, highest: int) -> int | None:
    """An optional integer within bounds; missing and null are None."""
    found = fields.get(name)
    if found is None or is_null(found):
        return None
    value = decode_any(found)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput(f"The field '{name}' must be an integer.", param=name, code="invalid_type")
    if not lowest <= value <= highest:
        raise BadInput(f"The field '{name}' must be between {lowest} and {highest}.", param=name)
    return value


def decode_any(value: bytes | msgspec.Raw) -> Any:
    """The whole value, or None where it is not JSON that can be held."""
    try:
        return _ANY.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_object(value: bytes) -> bool:
    """Whether it is one JSON object that can be held."""
    return isinstance(decode_any(value), dict)


def _reason(error: Exception) -> str:
    return str(error).removeprefix("JSON is malformed: ").removeprefix("Input data was ")
