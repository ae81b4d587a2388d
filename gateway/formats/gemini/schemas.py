"""Gemini's older schemas, a part of OpenAPI's with its types in capitals, as JSON Schema.

Rewritten level by level: names, enumerations, defaults and numbers stay the text that they came as.
"""

from __future__ import annotations

import msgspec

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.body import Fields
from gateway.formats.gemini.spelling import spelled
from gateway.formats.members import Members, is_object, is_text, object_at

_ONE = ("items", "additionalProperties", "not")
_SEVERAL = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions", "defs")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_OWN = ("nullable", "propertyOrdering")  # what JSON Schema does not have


def json_schema(value: msgspec.Raw, place: str) -> msgspec.Raw:
    """Raises BadInput naming a place in it that is not as a schema must be."""
    try:
        return _schema(value, place)
    except RecursionError:
        raise BadInput(f"The field '{place}' is nested too deeply.", param=place) from None


def _schema(value: msgspec.Raw, place: str) -> msgspec.Raw:
    if not is_object(value):
        return value  # additionalProperties may be true or false
    found = spelled(object_at(value, place))
    fields = {name: _member(found, name) for name in found.fields if name not in _OWN and found.has(name)}
    if found.flag("nullable") and "type" in fields:
        fields["type"] = bodies.raw([bodies.decode_any(fields["type"]), "null"])
    return msgspec.Raw(bodies.encode_object(fields))


def _member(found: Members, name: str) -> msgspec.Raw:
    raw = found.fields[name]
    if name == "type" and is_text(raw):
        return bodies.raw(found.text(name).lower())
    if name in _COUNTS and is_text(raw):
        return _count(found, name)
    if name in _ONE:
        return _schema(raw, found.where(name))
    if name in _SEVERAL:
        return _list([_schema(item, found.where(name)) for item in found.items(name)])
    if name in _NAMED:
        inner = found.object(name)
        schemas: Fields = {key: _schema(schema, inner.where(key)) for key, schema in inner.fields.items()}
        return msgspec.Raw(bodies.encode_object(schemas))
    return raw


def _count(found: Members, name: str) -> msgspec.Raw:
    """Google writes these numbers as text."""
    text = found.text(name)
    return msgspec.Raw(text.encode()) if text.isascii() and text.isdecimal() else found.fields[name]


def _list(items: list[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(items))
