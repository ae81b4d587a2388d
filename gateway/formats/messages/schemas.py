"""Schemas that Claude is held to, within the part of JSON Schema that Anthropic takes for that.

Source: Anthropic's notes on structured outputs, and what its SDK makes of schemas before it sends them. What only
narrows the answer is added silently; what is left out, and so no longer held to, is named. Everything else stays the
text that it came as.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats import body as bodies
from gateway.formats.body import Fields

_OBJECT = msgspec.json.Decoder(Fields)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_FALSE = msgspec.Raw(b"false")
_CLOSED = "additionalProperties"
_NOT_TAKEN = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems"),
        *("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired"),
        *("dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "not", "if", "then", "else"),
    }
)
_FORMATS = frozenset(
    f'"{name}"'.encode()
    for name in (
        *("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"),
        "text",
    )
)
_FEW = frozenset({b"0", b"1"})
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Pass(msgspec.Struct, frozen=True):
    """One way through a schema; names of what was left out begin with `place`."""

    place: str
    dropped: set[str]

    def schema(self, found: msgspec.Raw) -> msgspec.Raw:
        """The schema as it is where nothing has to change; only an object can have to."""
        if not bytes(found).startswith(b"{"):
            return found
        fields = _OBJECT.decode(found)
        written = _closed({name: value for name, value in self._members(fields)})
        if _CLOSED in fields and bytes(written[_CLOSED]) != bytes(fields[_CLOSED]):
            self.dropped.add(f"{self.place}.{_CLOSED}")
        same = list(written) == list(fields) and all(bytes(written[name]) == bytes(fields[name]) for name in fields)
        return found if same else msgspec.Raw(bodies.encode_object(written))

    def _members(self, fields: Fields) -> list[tuple[str, msgspec.Raw]]:
        kept = []
        for name, value in fields.items():
            if _is_not_taken(name, value):
                self.dropped.add(f"{self.place}.{name}")
            elif name == "oneOf" and "anyOf" not in fields:
                kept.append(("anyOf", self.each(value)))
            else:
                inner = _INNER.get(name)
                kept.append((name, inner(self, value) if inner else value))
        return kept

    def each(self, found: msgspec.Raw) -> msgspec.Raw:
        """A list of schemas."""
        if not bytes(found).startswith(b"["):
            return found
        items = _ITEMS.decode(found)
        written = [self.schema(item) for item in items]
        return found if _are_same(items, written) else msgspec.Raw(msgspec.json.encode(written))

    def named(self, found: msgspec.Raw) -> msgspec.Raw:
        """Schemas by name."""
        if not bytes(found).startswith(b"{"):
            return found
        fields = _OBJECT.decode(found)
        written = {name: self.schema(value) for name, value in fields.items()}
        is_same = _are_same(list(fields.values()), list(written.values()))
        return found if is_same else msgspec.Raw(bodies.encode_object(written))


_INNER: dict[str, Callable[[_Pass, msgspec.Raw], msgspec.Raw]] = {
    "properties": _Pass.named,
    "$defs": _Pass.named,
    "definitions": _Pass.named,
    "items": _Pass.schema,
    "anyOf": _Pass.each,
    "allOf": _Pass.each,
}


def held_to(schema: msgspec.Raw, place: str, dropped: set[str]) -> msgspec.Raw:
    """The schema as Anthropic takes it. Raises NotTranslatable where it is none, or is nested too deeply."""
    if not bytes(schema).startswith(b"{"):
        raise NotTranslatable("A schema must be an object.", place)
    try:
        return _Pass(place, dropped).schema(schema)
    except _UNREADABLE:
        raise NotTranslatable("A schema is nested too deeply.", place) from None


def _is_not_taken(name: str, value: msgspec.Raw) -> bool:
    if name == "format":
        return bytes(value) not in _FORMATS
    return name in _NOT_TAKEN or name == "minItems" and bytes(value) not in _FEW


def _closed(fields: Fields) -> Fields:
    """Objects are to have no other members than those that are named: Anthropic wants that said."""
    is_object = "properties" in fields or b'"object"' in bytes(fields.get("type", b""))
    if not is_object and _CLOSED not in fields:
        return fields
    return {**fields, _CLOSED: _FALSE}


def _are_same(before: list[msgspec.Raw], after: list[msgspec.Raw]) -> bool:
    return all(old is new for old, new in zip(before, after, strict=True))
