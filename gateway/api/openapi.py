"""The OpenAPI document, made from the same tables that check what is sent."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec

from gateway import __version__
from gateway.api.operations import PREFIX, Operation, Visit, policy, policy_of
from gateway.control.fields import Field, Kind, Table
from gateway.model.registry import ApiFormat
from gateway.money import exact_factor

_Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/{name}"
_REFUSALS = (400, 401, 404, 405, 409, 413, 415, 500, 503)

_KINDS: Mapping[Kind, Mapping[str, Any]] = MappingProxyType(
    {
        Kind.TEXT: {"type": "string"},
        Kind.SLUG: {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"},
        Kind.LABEL: {"type": "string", "maxLength": 63},
        Kind.MODEL_CODE: {"type": "string", "maxLength": 200},
        Kind.INT: {"type": "integer"},
        Kind.NUMBER: {"type": "number"},
        Kind.BOOL: {"type": "boolean"},
        Kind.CHOICE: {"type": "string"},
        Kind.URL: {"type": "string", "format": "uri"},
        Kind.DOLLARS: {"type": ["string", "number"], "examples": ["0.15"]},
        Kind.TIME: {"type": ["integer", "string"], "examples": ["2030-01-31T00:00:00Z"]},
        Kind.SECRET: {"type": "string", "writeOnly": True},
        Kind.SECRETS: {"type": "array", "items": {"type": "string"}, "writeOnly": True},
        Kind.STRINGS: {"type": "array", "items": {"type": "string"}},
        Kind.MODEL_CODES: {"type": "array", "items": {"type": "string"}},
        Kind.MODELS: {"type": ["array", "object"], "items": {"type": "string"}},
        Kind.HEADERS: {"type": "object", "additionalProperties": {"type": "string"}},
        Kind.OBJECT: {"type": "object"},
        Kind.PARAGRAPH: {"type": "string", "maxLength": 2000},
        Kind.WEBSITE: {"type": "string", "examples": ["https://example.com"]},
        Kind.PROXY: {"type": "string", "writeOnly": True, "examples": ["http://user:password@proxy.example.com:3128"]},
        Kind.FORMATS: {"type": "array", "items": {"type": "string", "enum": [name.value for name in ApiFormat]}},
        Kind.CAPABILITIES: {"type": "array", "items": {"type": "string"}},
        Kind.NAMES: {"type": "array", "items": {"type": "string"}},
        Kind.UPSTREAM_ALIASES: {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 200},
                    "priority": {"type": "integer", "minimum": 0, "maximum": 1000},
                    "api_formats": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        Kind.PRICE_TIERS: {
            "type": "array",
            "maxItems": 20,
            "items": {
                "type": "object",
                "required": ["above", "input", "output"],
                "additionalProperties": False,
                "properties": {
                    "above": {"type": "integer", "minimum": 1, "maximum": 1_000_000_000},
                    **{
                        name: {"type": ["string", "number"], "examples": ["0.15"]}
                        for name in ("input", "output", "cache_read", "cache_creation", "cache_creation_1h")
                    },
                },
            },
        },
        Kind.MULTIPLIER: {"type": ["string", "number"], "examples": ["0.8"]},
        Kind.MULTIPLIERS: {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        Kind.BY_MODEL: {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        Kind.PRIORITIES: {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
        Kind.OBJECTS: {"type": "array", "minItems": 1},
    }
)


def operation(others: Sequence[Operation]) -> Operation:
    """The operation that serves the document about the others and itself."""

    @functools.cache
    def document() -> _Schema:
        # Made when it is first asked for: it would cost every start a good part of its second.
        return describe((*others, own))

    @policy("token")
    async def serve(visit: Visit) -> object:
        return document()

    own = Operation("GET", f"{PREFIX}/openapi.json", "get_openapi", "This document.", serve, dict[str, Any])
    return own


def describe(operations: Sequence[Operation]) -> _Schema:
    """An OpenAPI 3.1 document."""
    paths: dict[str, _Schema] = {}
    for item in operations:
        paths.setdefault(item.path, {})[item.method.lower()] = _operation(item)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weir admin API",
            "version": __version__,
            "description": "Times are Unix milliseconds; prices are decimal strings in dollars.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "A management token."}},
            "schemas": {**_components(operations), "Error": _ERROR},
        },
    }


def fields_schema(table: Table, *, partial: bool) -> _Schema:
    """What a body may hold."""
    schema: _Schema = {
        "type": "object",
        "properties": {field.name: field_schema(field, partial=partial) for field in table},
        "additionalProperties": False,
    }
    required = [field.name for field in table if field.required and not partial]
    return {**schema, "required": required} if required else schema


def field_schema(field: Field, *, partial: bool) -> _Schema:
    schema: _Schema = {**_KINDS[field.kind], "description": field.about}
    if field.of:
        schema.update({"items": fields_schema(field.of, partial=False), "maxItems": field.most})
    if field.choices:
        schema["enum"] = [str(choice) for choice in field.choices]
    if field.kind in (Kind.INT, Kind.NUMBER):
        schema.update(_bounds(field, "minimum", "maximum"))
    elif field.kind is Kind.TEXT:
        schema.update(_bounds(field, "minLength", "maxLength"))
    if field.nullable:
        types = schema["type"]
        schema["type"] = [*types, "null"] if isinstance(types, list) else [types, "null"]
        if "enum" in schema:
            schema["enum"].append(None)
    if not partial and not field.required and field.default is not None:
        schema["default"] = _default(field)
    return schema


def _default(field: Field) -> object:
    """What a body could say that means the same as leaving the field out."""
    if field.kind is Kind.MULTIPLIER and isinstance(field.default, int):
        return exact_factor(field.default)
    return msgspec.to_builtins(field.default)


def _bounds(field: Field, least: str, most: str) -> _Schema:
    found = {least: field.least, most: field.most}
    return {name: value for name, value in found.items() if value is not None}


def _operation(item: Operation) -> _Schema:
    described: _Schema = {
        "operationId": item.name,
        "summary": item.summary,
        "tags": [item.path.removeprefix(f"{PREFIX}/").partition("/")[0]],
        "security": [{policy_of(item.handler): []}],
        "parameters": _parameters(item),
        "responses": {str(item.status): _response(item), **_refusals(item)},
    }
    if item.request is not None:
        schema = fields_schema(item.request, partial=item.partial)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(item: Operation) -> list[_Schema]:
    in_path = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}} for _ in range("{id}" in item.path)
    ]
    in_query = [
        {
            "name": field.name,
            "in": "query",
            "description": field.about,
            "schema": {key: value for key, value in field_schema(field, partial=False).items() if key != "description"},
        }
        for field in item.query
    ]
    return in_path + in_query


def _response(item: Operation) -> _Schema:
    described: _Schema = {"description": HTTPStatus(item.status).phrase}
    if item.answer is not None:
        schema = _answer_schema(item)
        described["content"] = {item.media_type: {"schema": schema}}
    return described


def _answer_schema(item: Operation) -> _Schema:
    if not _is_component(item):
        return {"type": "object"}
    one = {"$ref": _REFERENCE.format(name=item.answer.__name__)}
    if not item.is_list:
        return one
    properties: _Schema = {"items": {"type": "array", "items": one}, "total": {"type": "integer"}}
    if any(field.name == "before" for field in item.query):
        properties["next_before"] = {"type": ["string", "null"]}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _refusals(item: Operation) -> dict[str, _Schema]:
    content = {"application/json": {"schema": {"$ref": _REFERENCE.format(name="Error")}}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in _REFUSALS
        if item.request is not None or status not in (409, 413, 415)
    }


def _is_component(item: Operation) -> bool:
    return isinstance(item.answer, type) and issubclass(item.answer, msgspec.Struct)


def _components(operations: Sequence[Operation]) -> _Schema:
    answers = list(dict.fromkeys(item.answer for item in operations if _is_component(item)))
    _, found = msgspec.json.schema_components(answers, schema_hook=_any, ref_template=_REFERENCE)
    return found


def _any(kind: type) -> _Schema:
    """`object` is any JSON; nothing else is without a schema."""
    assert kind is object
    return {"description": "Any JSON value."}


_ERROR: _Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code", "request_id"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
                "request_id": {"type": "string"},
                "fields": {
                    "type": "object",
                    "description": "What is wrong with each named field.",
                    "additionalProperties": {"type": "string"},
                },
                "current": {"description": "After 409 changed_meanwhile: what is there now."},
            },
        }
    },
}
