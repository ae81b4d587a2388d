"""Tools that take free text, for a provider whose tools take an object."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.intermediate import Tool
from gateway.formats.messages.custom_tools import (
    is_marked,
    marked_name,
    schema_for,
    unmarked_name,
    unwrapped,
    wrapped,
)


@given(st.text())
def test_free_text_comes_back_as_it_went(words: str) -> None:
    assert unwrapped(bytes(wrapped(words)).decode()) == words


def test_the_name_tells_what_the_tool_is() -> None:
    name = marked_name("apply_patch")

    assert is_marked(name)
    assert not is_marked("apply_patch")
    assert unmarked_name(name) == "apply_patch"


@pytest.mark.parametrize("arguments", ["", "{}", "[1]", '{"input": 7}', "*** Begin Patch", '{"input": "\\ud800"}'])
def test_an_input_of_another_form_stays_as_it_is(arguments: str) -> None:
    assert unwrapped(arguments) == arguments


def test_the_schema_has_one_property_and_tells_the_grammar() -> None:
    plain = json.loads(bytes(schema_for(Tool("t", is_custom=True))))
    grammar = msgspec.Raw(b'{"syntax":"lark","definition":"start: \\"a\\""}')
    told = json.loads(bytes(schema_for(Tool("t", is_custom=True, grammar=grammar))))

    assert plain["required"] == ["input"]
    assert bytes(grammar).decode() in told["properties"]["input"]["description"]
