from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.members import Members, is_object, is_text, objects_at, text_at


def members(body: bytes) -> Members:
    return Members(bodies.parse_object(body))


def test_each_member_is_read_as_the_type_that_is_wanted() -> None:
    found = members(b'{"t":"x","f":false,"i":3,"n":1,"o":{"a":{"b":"deep"}},"l":["a","b"],"os":[{"a":"1"}]}')

    assert found.text("t") == found.needed_text("t") == "x"
    assert found.flag("f") is False
    assert found.integer("i", 0, 3) == 3
    assert found.number("n") == 1.0
    assert found.object("o").object("a").text("b") == "deep"
    assert found.texts("l") == ("a", "b")
    assert [item.text("a") for item in found.objects("os")] == ["1"]


@pytest.mark.parametrize("body", [b"{}", b'{"x":null}'])
def test_a_member_that_is_null_is_as_good_as_missing(body: bytes) -> None:
    found = members(body)

    assert not found.has("x")
    assert (found.raw("x"), found.raw_object("x"), found.flag("x"), found.number("x")) == (None, None, None, None)
    assert found.integer("x", 0, 1) is None
    assert (found.text("x"), found.texts("x"), found.items("x"), found.objects("x")) == ("", (), [], [])
    assert found.object("x").fields == {}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"1", lambda found: found.text("x")),
        (b'""', lambda found: found.needed_text("x")),
        (b"1", lambda found: found.flag("x")),
        (b'"1"', lambda found: found.integer("x", 0, 9)),
        (b"true", lambda found: found.integer("x", 0, 9)),
        (b"10", lambda found: found.integer("x", 0, 9)),
        (b"1180591620717411303424", lambda found: found.integer("x", 0, 9)),
        (b'"1"', lambda found: found.number("x")),
        (b"1e999", lambda found: found.number("x")),
        (b"[]", lambda found: found.object("x")),
        (b"[]", lambda found: found.raw_object("x")),
        (b"{}", lambda found: found.items("x")),
        (b"[1]", lambda found: found.objects("x")),
        (b"[1]", lambda found: found.texts("x")),
    ],
)
def test_a_member_of_another_type_is_refused_by_its_name(value: bytes, read: Callable[[Members], object]) -> None:
    with pytest.raises(BadInput) as caught:
        read(members(b'{"x":' + value + b"}"))

    assert caught.value.param in ("x", "x[0]")
    assert "'x" in caught.value.message


def test_a_fault_deep_in_the_body_is_named_by_its_place() -> None:
    found = members(b'{"messages":[{},{"content":[{"text":5}]}]}')

    with pytest.raises(BadInput) as caught:
        found.objects("messages")[1].objects("content")[0].text("text")

    assert caught.value.param == "messages[1].content[0].text"


def test_what_is_not_read_stays_the_text_that_it_came_as() -> None:
    schema = b'{ "b": 1180591620717411303424, "a": 1.50, "z": -0.0 }'
    found = members(b'{"o":{"schema":' + schema + b"}}").object("o").raw_object("schema")

    assert found is not None
    assert bytes(found) == schema
    assert is_object(found)
    assert not is_text(found)


@settings(max_examples=100)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    raw = bodies.raw(value)
    for read in (text_at, objects_at):
        try:
            read(raw, "x")
        except BadInput as error:
            assert str(error.param).startswith("x")
