from __future__ import annotations

import msgspec
import pytest

from gateway.errors import BadInput
from gateway.formats.gemini.schemas import json_schema


def lowered(schema: bytes) -> bytes:
    return bytes(json_schema(msgspec.Raw(schema), "schema"))


def test_types_are_lowered_at_every_depth() -> None:
    schema = (
        b'{"type":"OBJECT","properties":{"type":{"type":"ARRAY","items":{"type":"STRING"}},'
        b'"b":{"any_of":[{"type":"INTEGER"},{"type":"NULL"}]}},"required":["type"]}'
    )

    assert msgspec.json.decode(lowered(schema)) == {
        "type": "object",
        "properties": {
            "type": {"type": "array", "items": {"type": "string"}},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["type"],
    }


def test_what_json_schema_says_otherwise_is_said_its_way() -> None:
    schema = b'{"type":"STRING","nullable":true,"minLength":"3","maxLength":5,"propertyOrdering":["a"]}'

    assert lowered(schema) == b'{"type":["string","null"],"minLength":3,"maxLength":5}'


def test_everything_else_stays_the_text_that_it_came_as() -> None:
    schema = b'{"type":"NUMBER","maximum":1180591620717411303424,"default":1.50,"enum":["STRING"],"nullable":false}'

    assert lowered(schema) == (b'{"type":"number","maximum":1180591620717411303424,"default":1.50,"enum":["STRING"]}')


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (b'{"properties":[]}', "schema.properties"),
        (b'{"anyOf":{}}', "schema.anyOf"),
        (b'{"properties":{"a":{"nullable":5}}}', "schema.properties.a.nullable"),
    ],
)
def test_a_schema_that_is_none_is_refused_by_the_place_of_its_fault(schema: bytes, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        lowered(schema)

    assert caught.value.param == place


def test_a_schema_of_any_depth_is_rewritten_or_refused() -> None:
    for depth in (10, 200, 400):
        try:
            lowered(b'{"items":' * depth + b"{}" + b"}" * depth)
        except BadInput as error:
            assert depth > 100
            assert error.param
