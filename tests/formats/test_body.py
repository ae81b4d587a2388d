from __future__ import annotations

import msgspec
import pytest

from gateway.errors import BadInput
from gateway.formats import body as bodies


def test_fields_keep_their_bytes_and_their_order() -> None:
    sent = b'{"z": 1.0, "a":[1 ,2], "big":123456789012345678901234567890, "t":"\\u00e9\xc3\xa9"}'
    fields = bodies.parse_object(sent)
    assert list(fields) == ["z", "a", "big", "t"]
    assert bytes(fields["a"]) == b"[1 ,2]"
    assert (
        bodies.encode_object(fields)
        == b'{"z":1.0,"a":[1 ,2],"big":123456789012345678901234567890,"t":"\\u00e9\xc3\xa9"}'
    )


def test_a_doubled_key_is_sent_on_once_as_it_was_understood() -> None:
    fields = bodies.parse_object(b'{"model":"cheap","messages":[],"model":"dear"}')
    assert bodies.text_field(fields, "model") == "dear"
    assert bodies.encode_object(fields).count(b'"model"') == 1


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b"1", b'{"a":NaN}', b'{"a":01}', b'{"a":1}{"b":2}', b"\xef\xbb\xbf{}", b'{"a":tru}']
)
def test_what_is_no_object_is_refused(sent: bytes) -> None:
    with pytest.raises(BadInput):
        bodies.parse_object(sent)


@pytest.mark.parametrize(("value", "found"), [(b"true", True), (b"false", False), (b"null", False)])
def test_booleans(value: bytes, found: bool) -> None:
    assert bodies.bool_field({"stream": msgspec.Raw(value)}, "stream") is found
    assert bodies.bool_field({}, "stream") is False


@pytest.mark.parametrize("value", [b"1", b'"true"', b"[]"])
def test_what_is_no_boolean_is_refused(value: bytes) -> None:
    with pytest.raises(BadInput, match="true or false"):
        bodies.bool_field({"stream": msgspec.Raw(value)}, "stream")


@pytest.mark.parametrize("value", [b"0", b"11", b"1.5", b'"5"', b"true", b"[1]", b"9" * 5000])
def test_integers_out_of_bounds_or_of_another_type_are_refused(value: bytes) -> None:
    with pytest.raises(BadInput, match="'n' must be"):
        bodies.integer_field({"n": msgspec.Raw(value)}, "n", 1, 10)


def test_integers_within_bounds() -> None:
    assert bodies.integer_field({"n": msgspec.Raw(b"10")}, "n", 1, 10) == 10
    assert bodies.integer_field({"n": msgspec.Raw(b"null")}, "n", 1, 10) is None
    assert bodies.integer_field({}, "n", 1, 10) is None


def test_what_cannot_be_held_is_nothing() -> None:
    assert bodies.decode_any(b"[" * 100_000) is None
    assert bodies.decode_any(b"\xff") is None
    assert bodies.decode_any(b'{"a":[1]}') == {"a": [1]}


LARGE = b"x" * (2 * bodies.WINDOW + 12345)


def test_a_large_object_is_encoded_as_a_small_one_is() -> None:
    fields = {"a": bodies.raw("x" * bodies.WINDOW), 'b"é': msgspec.Raw(b'"' + LARGE + b'"'), "c": bodies.raw([1])}

    assert bytes(bodies.encode_object(fields)) == msgspec.json.encode(fields)


def test_parts_are_joined_whole_whatever_their_length() -> None:
    parts = [b"", b"1", LARGE, msgspec.Raw(b"2"), LARGE[: bodies.WINDOW], b"3"]

    assert bytes(bodies.joined(parts)) == b"".join(bytes(part) for part in parts)


@pytest.mark.parametrize(
    "place", [0, 1, bodies.WINDOW - 3, bodies.WINDOW - 1, bodies.WINDOW, 2 * bodies.WINDOW + 12000]
)
def test_a_word_is_found_wherever_it_stands(place: int) -> None:
    text = LARGE[:place] + b'"word"' + LARGE[place:]

    assert bodies.holds(text, b'"word"')
    assert not bodies.holds(LARGE, b'"word"')
    assert not bodies.holds(b"", b'"word"')


@pytest.mark.parametrize("place", [0, bodies.WINDOW - 2, bodies.WINDOW - 1, bodies.WINDOW])
def test_a_large_body_is_held_to_utf_8_across_its_windows(place: int) -> None:
    text = "x" * place + "é€😀" + "y" * bodies.WINDOW
    body = b'{"a":"' + text.encode() + b'"}'

    assert msgspec.json.decode(bodies.parse_object(body)["a"]) == text
    with pytest.raises(BadInput, match="UTF-8"):
        bodies.parse_object(body[: body.index(b"y")] + b"\xe2\x82" + body[body.index(b"y") :])


@pytest.mark.parametrize(("value", "found"), [(b"null", True), (b"nil", False), (b'"null"', False), (b"1234", False)])
def test_null_is_null_alone(value: bytes, found: bool) -> None:
    assert bodies.is_null(value) is found
    assert bodies.is_null(msgspec.Raw(value)) is found
