"""Large bytes, made room for, copied and searched outside Python: the same as Python does it."""

from __future__ import annotations

import threading
from itertools import accumulate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats import large

LARGE = b"x" * (5 * 1024 * 1024 + 12345)


def of_raw(text: bytes) -> msgspec.Raw:
    """Bytes in the middle of others, as a body's members are."""
    return msgspec.json.decode(b"[1,%b,2]" % text, type=list[msgspec.Raw])[1]


@pytest.mark.parametrize("size", [0, 1, 4096, 4 * 1024 * 1024 - 1, 4 * 1024 * 1024, len(LARGE)])
def test_a_room_is_as_long_as_asked_and_takes_anything(size: int) -> None:
    made = large.room(size)
    end = large.put(made, 0, LARGE[:size])

    assert (type(made), len(made), end) == (bytearray, size, size)
    assert made == LARGE[:size]


def test_a_room_can_be_made_shorter_afterwards() -> None:
    made = large.room(len(LARGE))
    large.put(made, 0, LARGE)
    del made[5_000_000:]

    assert made == LARGE[:5_000_000]


@given(st.lists(st.binary(max_size=40)))
def test_parts_stand_where_they_were_put(parts: list[bytes]) -> None:
    whole = large.room(sum(map(len, parts)))
    ends, at = [], 0
    for part in parts:
        at = large.put(whole, at, part)
        ends.append(at)

    assert whole == b"".join(parts)
    assert ends == list(accumulate(map(len, parts)))


@pytest.mark.parametrize("make", [bytes, bytearray, of_raw], ids=["bytes", "bytearray", "raw"])
def test_a_part_may_be_any_kind_of_bytes(make: type[bytes]) -> None:
    text = b'"' + b"a" * 3000 + b'"'
    whole = large.room(len(text) + 2)
    whole[:1] = whole[-1:] = b"|"

    assert large.put(whole, 1, make(text)) == len(text) + 1
    assert whole == b"|" + text + b"|"
    assert large.has(make(text), b'a"')
    assert not large.has(make(text), b"aba")


@pytest.mark.parametrize("at", [1, 3, 10])
def test_what_does_not_fit_is_not_written(at: int) -> None:
    whole = bytearray(b"abc")

    with pytest.raises(ValueError, match="no room"):
        large.put(whole, at, b"def")

    assert whole == b"abc"


@given(st.binary(max_size=60), st.binary(max_size=4))
def test_a_word_is_found_where_python_finds_it(text: bytes, word: bytes) -> None:
    assert large.has(text, word) == (word in text)
    assert large.has(text + word, word)


@pytest.mark.parametrize("place", [0, 1, 4_000_000, len(LARGE)])
def test_a_word_is_found_at_any_place_of_much(place: int) -> None:
    assert large.has(LARGE[:place] + b'"word"' + LARGE[place:], b'"word"')
    assert not large.has(LARGE[:place] + b'"word' + LARGE[place:], b'"word"')


def test_a_text_ends_where_it_ends() -> None:
    whole = b'["one","two"]'
    first = msgspec.json.decode(whole, type=list[msgspec.Raw])[0]

    assert large.has(first, b'"one"')
    assert not large.has(first, b"two")


def test_nobody_changes_the_length_of_what_is_looked_at() -> None:
    text = bytearray(LARGE)
    found: list[bool] = []
    looking = threading.Thread(target=lambda: found.extend(large.has(text, b"y") for _ in range(50)))
    looking.start()
    while looking.is_alive():
        try:
            text += b"x"
            text.pop()
        except BufferError:
            continue
    looking.join()

    assert found == [False] * 50
