"""Members of JSON objects, each read as the type that its format wants.

Objects and lists are taken apart level by level, so that what is not read stays the text that it came as. A member
that is null is as good as missing. What is of another type raises BadInput that names the member by its place in the
body: `messages[2].content[0].text`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.errors import BadInput
from gateway.formats.body import Fields, begins_with, is_null
from gateway.hiding import hiding

_FIELDS = msgspec.json.Decoder(Fields)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool)
_INTEGER = msgspec.json.Decoder(int)
_NUMBER = msgspec.json.Decoder(float)


class Members(msgspec.Struct, frozen=True):
    """One object: its members, raw, and its `place` in the body, empty for the body itself."""

    fields: Fields
    place: str = ""

    __repr__ = hiding("fields")

    def where(self, name: str) -> str:
        """The place of the member `name`."""
        return f"{self.place}.{name}" if self.place else name

    def raw(self, name: str) -> msgspec.Raw | None:
        """The member as it came; None where it is missing or null."""
        found = self.fields.get(name)
        return None if found is None or is_null(found) else found

    def has(self, name: str) -> bool:
        return self.raw(name) is not None

    def text(self, name: str) -> str:
        """Empty where it is missing."""
        found = self.raw(name)
        return "" if found is None else text_at(found, self.where(name))

    def needed_text(self, name: str) -> str:
        """Text that must be there and not be empty."""
        found = self.text(name)
        if not found:
            place = self.where(name)
            raise BadInput(f"The field '{place}' is missing.", param=place, code="missing_required_parameter")
        return found

    def flag(self, name: str) -> bool | None:
        found: bool | None = self._read(_FLAG, name, "true or false")
        return found

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        found: int | None = self._read(_INTEGER, name, "an integer")
        if found is not None and not lowest <= found <= highest:
            place = self.where(name)
            raise BadInput(f"The field '{place}' must be between {lowest} and {highest}.", param=place)
        return found

    def number(self, name: str) -> float | None:
        found: float | None = self._read(_NUMBER, name, "a number")
        return found

    def raw_object(self, name: str) -> msgspec.Raw | None:
        """An object as it came; None where it is missing."""
        found = self.raw(name)
        if found is not None and not is_object(found):
            raise wrong_type(self.where(name), "an object")
        return found

    def object(self, name: str) -> Members:
        """An object without members where it is missing."""
        found = self.raw(name)
        return Members({}, self.where(name)) if found is None else object_at(found, self.where(name))

    def items(self, name: str) -> list[msgspec.Raw]:
        """A list of anything; empty where it is missing."""
        found = self.raw(name)
        return [] if found is None else items_at(found, self.where(name))

    def objects(self, name: str) -> list[Members]:
        """A list of objects; empty where it is missing."""
        found = self.raw(name)
        return [] if found is None else objects_at(found, self.where(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of text; empty where it is missing."""
        place = self.where(name)
        return tuple(text_at(item, f"{place}[{index}]") for index, item in enumerate(self.items(name)))

    def _read(self, decoder: msgspec.json.Decoder[Any], name: str, wanted: str) -> Any:
        found = self.raw(name)
        return None if found is None else _decoded(decoder, found, self.where(name), wanted)


def is_object(value: msgspec.Raw) -> bool:
    return begins_with(value, b"{")


def is_text(value: msgspec.Raw) -> bool:
    return begins_with(value, b'"')


def text_at(value: msgspec.Raw, place: str) -> str:
    found: str = _decoded(_TEXT, value, place, "a string")
    return found


def object_at(value: msgspec.Raw, place: str) -> Members:
    return Members(_decoded(_FIELDS, value, place, "an object"), place)


def items_at(value: msgspec.Raw, place: str) -> list[msgspec.Raw]:
    found: list[msgspec.Raw] = _decoded(_ITEMS, value, place, "a list")
    return found


def objects_at(value: msgspec.Raw, place: str) -> list[Members]:
    return [object_at(item, f"{place}[{index}]") for index, item in enumerate(items_at(value, place))]


def wrong_type(place: str, wanted: str) -> BadInput:
    """The refusal of the member at `place`, which is not `wanted` (`a string`)."""
    return BadInput(f"The field '{place}' must be {wanted}.", param=place, code="invalid_type")


def _decoded(decoder: msgspec.json.Decoder[Any], value: msgspec.Raw, place: str, wanted: str) -> Any:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong_type(place, wanted) from None
