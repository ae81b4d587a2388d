from __future__ import annotations

import pytest

from gateway.formats import body as bodies
from gateway.formats.gemini.spelling import camel, one, several, spelled
from gateway.formats.members import Members


@pytest.mark.parametrize(
    ("name", "documented"),
    [
        ("top_p", "topP"),
        ("topP", "topP"),
        ("generation_config", "generationConfig"),
        ("_responseJsonSchema", "responseJsonSchema"),
        ("response_json_schema", "responseJsonSchema"),
        ("$defs", "$defs"),
        ("", ""),
    ],
)
def test_a_name_has_one_spelling(name: str, documented: str) -> None:
    assert camel(name) == documented


def test_objects_and_lists_are_read_in_either_spelling() -> None:
    body = spelled(Members(bodies.parse_object(b'{"tool_config":{"the_mode":"x"},"a_list":{"b_c":"y"},"more":[{}]}')))

    assert one(body, "toolConfig").text("theMode") == "x"
    assert [item.text("bC") for item in several(body, "aList")] == ["y"]
    assert len(several(body, "more")) == 1
    assert several(body, "missing") == []
