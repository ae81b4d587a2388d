from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.gemini.results import object_text, read_response, write_response

texts = st.text() | st.sampled_from(['{"a": 1.50}', '{"output":"x"}', '{"error":{}}', "{", "[]", '{"result":"x"}'])


@given(texts, st.booleans())
def test_a_result_comes_back_as_it_was(text: str, is_error: bool) -> None:
    response = write_response(text, is_error=is_error)

    assert bytes(response).startswith(b"{")
    assert read_response(response, "response") == (
        text.strip() if not is_error and object_text(text) else text,
        is_error,
    )


def test_text_that_is_an_object_stays_that_object() -> None:
    assert bytes(write_response('{"n": 1180591620717411303424}', is_error=False)) == b'{"n": 1180591620717411303424}'
    assert bytes(write_response("plain", is_error=False)) == b'{"output":"plain"}'
    assert bytes(write_response("{}", is_error=True)) == b'{"error":"{}"}'


def test_text_under_either_name_is_the_text() -> None:
    assert read_response(msgspec.Raw(b'{"result":"x"}'), "r") == ("x", False)
    assert read_response(msgspec.Raw(b'{"result":"x","more":1}'), "r") == ('{"result":"x","more":1}', False)


def test_an_object_stands_on_one_line() -> None:
    assert bytes(object_text('{\r\n "a": 1\n}') or b"") == b'{   "a": 1 }'


@pytest.mark.parametrize("text", ["", "[1]", "{broken", '{"a":"\ud800"}', '"{}"'])
def test_what_is_no_object_is_none(text: str) -> None:
    assert object_text(text) is None
