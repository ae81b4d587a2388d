"""Pieces of what routing reads of a conversation, whatever its format."""

from __future__ import annotations

import json
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats import conversation_facts as facts

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Hello"}


def beginning(model: str, before: tuple[msgspec.Raw, ...], turns: msgspec.Raw | None) -> bytes:
    return b"\0".join(bytes(part) for part in facts.beginning_of(model, before, turns))


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


@pytest.mark.parametrize("empty", [b"null", b"[]", b"{}", b'""'])
def test_a_field_that_is_null_or_empty_is_not_given(empty: bytes) -> None:
    assert not facts.is_given({"tools": msgspec.Raw(empty)}, "tools")
    assert not facts.is_given({}, "tools")
    assert facts.is_given({"tools": raw([1])}, "tools")


def test_fields_are_joined_in_the_order_of_their_names() -> None:
    assert facts.joined({"b": raw(2), "a": raw(1)}, ("a", "missing", "b")) == b"1 2"
    assert facts.size_of({"b": raw(22), "a": raw("x")}) == 5


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, True),
        ({"cache_control": {"type": "ephemeral", "ttl": "5m"}}, False),
        ({"ttl": "1h"}, False),
        ({"text": '"cache_control": {"ttl": "1h"}'}, False),
    ],
)
def test_an_hour_of_cache_is_seen(part: object, found: bool) -> None:
    assert facts.asks_for_an_hour_of_cache(json.dumps(part).encode()) is found


def test_tokens_are_rounded_up() -> None:
    assert (facts.tokens_of(0), facts.tokens_of(1), facts.tokens_of(8)) == (0, 1, 2)
    assert (facts.most_tokens_of(0), facts.most_tokens_of(1), facts.most_tokens_of(6)) == (0, 1, 2)


@pytest.mark.parametrize(
    ("fields", "user"),
    [({"user_id": " u "}, "u"), ({"user_id": 7}, ""), ({}, ""), ([], ""), (None, "")],
)
def test_the_user_is_named_in_the_metadata(fields: object, user: str) -> None:
    assert facts.user_of({"metadata": raw(fields)}) == user
    assert facts.user_of({}) == ""


def test_only_a_string_has_text() -> None:
    assert facts.text_of(raw(" key ")) == "key"
    assert [facts.text_of(value) for value in (None, raw(None), raw(7), msgspec.Raw(b'"\\ud800"'))] == [""] * 4


def test_the_first_name_that_is_given_is_the_session() -> None:
    assert facts.session_name(("", "b", "c"), [b"x"]) == "b"
    assert facts.session_name(("", ""), [b"x"]).startswith("begins:")


@given(st.text(min_size=65))
def test_a_long_name_is_shortened_to_its_hash(name: str) -> None:
    session = facts.session_name((name,), [b""])
    assert session.startswith("hash:")
    assert len(session) < 40
    assert session == facts.session_name((name,), b"other") != facts.session_name((name + "x",), [b""])


def test_a_conversation_that_goes_on_keeps_its_beginning() -> None:
    begun = beginning("m", (), raw([SYSTEM, USER]))

    assert beginning("m", (), raw([SYSTEM, USER, {"role": "assistant", "content": "Hi"}, USER])) == begun
    others = [
        beginning("n", (), raw([SYSTEM, USER])),
        beginning("m", (raw("x"),), raw([SYSTEM, USER])),
        beginning("m", (), raw([USER])),
        beginning("m", (), None),
    ]
    assert len({begun, *others}) == 5


@pytest.mark.parametrize("turns", [b"[]", b"[1, 2]", b'"text"', b'[{"role":7}]', b'[{"role":"user"},1]'])
def test_turns_of_any_shape_have_a_beginning(turns: bytes) -> None:
    assert beginning("m", (), msgspec.Raw(turns)).startswith(b"m")


def test_the_hash_of_parts_is_that_of_all_of_it() -> None:
    parts = [b"model", msgspec.Raw(b"[1]"), b""]

    assert facts.hash_of(parts) == blake2b(b"model\0[1]\0", digest_size=12).hexdigest()


@pytest.mark.parametrize(
    "turn",
    [
        '{"role":"user","content":"Hi"}',
        '{ "role" : "user" , "content":"Hi"}',
        '{"content":"Hi","role":"user"}',
        '{"content":"{\\"role\\":\\"user\\"","role":"user"}',
    ],
)
def test_the_first_turn_of_a_user_ends_the_beginning_however_it_is_written(turn: str) -> None:
    system, answer = '{"role":"system","content":"{ \\"role\\":\\"user\\""}', '{"role":"user-like"}'
    turns = msgspec.Raw(f"[{system},{answer},{turn},{answer}]".encode())

    assert beginning("m", (), turns) == f"m\0{system}\0{answer}\0{turn}".encode()
