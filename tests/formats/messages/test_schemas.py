"""Schemas that Claude is held to."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import NotTranslatable
from gateway.formats.messages.schemas import held_to


def held(schema: Any) -> tuple[Any, set[str]]:
    dropped: set[str] = set()
    return json.loads(bytes(held_to(msgspec.Raw(json.dumps(schema).encode()), "s", dropped))), dropped


def test_what_anthropic_takes_stays_as_it_came() -> None:
    raw = msgspec.Raw(
        b'{ "type": "object", "properties": {"n": {"type": "number", "const": 1.50}, "b": {"enum": [1e400]},'
        b' "l": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "date"}}},'
        b' "$defs": {"properties": {"type": "string"}}, "additionalProperties": false, "required": ["n"]}'
    )
    dropped: set[str] = set()

    assert held_to(raw, "s", dropped) is raw
    assert dropped == set()


def test_objects_are_closed_silently() -> None:
    inner = {"type": ["object", "null"], "properties": {"x": {"type": "string"}}}
    places = {
        "properties": {"a": inner},
        "items": inner,
        "anyOf": [inner, True],
        "allOf": [inner],
        "$defs": {"d": inner},
        "definitions": {"d": inner},
    }

    found, dropped = held({"type": "object", **places})

    closed = {**inner, "additionalProperties": False}
    assert dropped == set()
    assert found == {
        "type": "object",
        "properties": {"a": closed},
        "items": closed,
        "anyOf": [closed, True],
        "allOf": [closed],
        "$defs": {"d": closed},
        "definitions": {"d": closed},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("schema", "written", "dropped"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, {"type": "integer"}, {"s.minimum", "s.maximum"}),
        ({"type": "string", "format": "regex", "title": "t"}, {"type": "string", "title": "t"}, {"s.format"}),
        ({"type": "array", "minItems": 2}, {"type": "array"}, {"s.minItems"}),
        ({"type": "array", "minItems": 0}, {"type": "array", "minItems": 0}, set()),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "additionalProperties": False},
            {"s.additionalProperties"},
        ),
        ({"oneOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}]}, set()),
        (
            {"properties": {"minimum": {"type": "integer", "minimum": 1}}},
            {"properties": {"minimum": {"type": "integer"}}, "additionalProperties": False},
            {"s.minimum"},
        ),
    ],
)
def test_what_anthropic_does_not_take_is_left_out_and_named(schema: Any, written: Any, dropped: set[str]) -> None:
    assert held(schema) == (written, dropped)


def test_values_in_a_schema_that_changes_keep_their_text() -> None:
    raw = msgspec.Raw(b'{"type":"object","properties":{"a":{"const":123456789012345678901234567890,"x":1.50}}}')

    assert b'{"const":123456789012345678901234567890,"x":1.50}' in bytes(held_to(raw, "s", set()))


@pytest.mark.parametrize("schema", [b"[]", b'"x"', b'{"items":' * 5000 + b"{}" + b"}" * 5000])
def test_what_is_no_schema_is_refused(schema: bytes) -> None:
    with pytest.raises(NotTranslatable) as refused:
        held_to(msgspec.Raw(schema), "s", set())
    assert refused.value.param == "s"


WORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "oneOf", "$defs", "minimum", "format", "additionalProperties", "x"]
)
SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "string", "date"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=100)
@given(st.dictionaries(WORDS, SCHEMAS, max_size=5))
def test_a_schema_that_was_made_fit_is_fit(schema: dict[str, Any]) -> None:
    once, _ = held(schema)

    assert held(once) == (once, set())
