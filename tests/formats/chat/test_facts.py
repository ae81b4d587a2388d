"""What routing reads of a chat completion besides its model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.chat.facts import capabilities_of, session_of
from gateway.formats.chat.surface import read_request
from gateway.formats.request import Asked, Request

USER = {"role": "user", "content": "Hello"}
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}


def request(*messages: Any, **body: Any) -> Request:
    return read_request(Asked(json.dumps({"model": "m", "messages": list(messages) or [USER], **body}).encode()))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, set()),
        ({"tools": [WEATHER]}, {"tools"}),
        ({"functions": [{"name": "weather"}]}, {"tools"}),
        ({"tools": []}, set()),
        ({"tools": None}, set()),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}, {"json_schema"}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"tools": [{**WEATHER, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, {"tools", "cache_1h"}),
    ],
)
def test_a_body_shows_what_it_needs(body: dict[str, Any], found: set[str]) -> None:
    assert capabilities_of(request(**body)) == found


def test_pictures_and_an_hour_of_cache_are_seen_in_messages() -> None:
    cached = {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"ttl": "1h"}}]}
    brief = {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"ttl": "5m"}}]}

    assert capabilities_of(request(USER, PICTURE)) == {"vision"}
    assert capabilities_of(request(cached)) == {"cache_1h"}
    assert capabilities_of(request(brief)) == frozenset()


@given(
    st.text() | st.sampled_from(['"image_url"', '{"type":"image_url"}', '"ttl":"1h"', '"cache_control":{"ttl": "1h"}'])
)
def test_mere_text_shows_nothing(text: str) -> None:
    encodable = text.encode("utf-8", "replace").decode()
    assert capabilities_of(request({"role": "user", "content": encodable})) == frozenset()


def test_a_session_has_the_first_name_that_is_given() -> None:
    named: dict[str, Any] = {"prompt_cache_key": " cache ", "metadata": {"user_id": "user"}}

    assert session_of(request(**named), "header") == "cache"
    assert session_of(request(metadata=named["metadata"]), "header") == "user"
    assert session_of(request(), "header") == "header"
    assert session_of(request(prompt_cache_key="", metadata={"user_id": 7}), "header") == "header"
    assert session_of(request(prompt_cache_key=None, metadata=None), "header") == "header"


def test_a_long_name_is_shortened_to_its_hash() -> None:
    long = session_of(request(prompt_cache_key="x" * 5000), "")

    assert len(long) < 40
    assert long == session_of(request(), "x" * 5000) != session_of(request(), "x" * 5001)


def test_without_a_name_a_conversation_is_known_by_its_beginning() -> None:
    system = {"role": "system", "content": "Be brief."}
    begun = session_of(request(system, USER), "")
    further = request(system, USER, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "More"})

    assert session_of(further, "") == begun
    others = [
        request(USER),
        request({**system, "content": "Be long."}, USER),
        request(system, {**USER, "content": "Bye"}),
        request(system, USER, tools=[WEATHER]),
        read_request(Asked(json.dumps({"model": "n", "messages": [system, USER]}).encode())),
    ]
    assert len({begun, *(session_of(other, "") for other in others)}) == 6


@pytest.mark.parametrize("messages", [b"[]", b"[1, 2]", b'["user"]', b'[{"role": 7}]', b'[{"role":"user"},1]'])
def test_messages_of_any_shape_have_a_session(messages: bytes) -> None:
    odd = read_request(Asked(b'{"model": "m", "messages": ' + messages + b"}"))

    assert session_of(odd, "").startswith("begins:")
    assert session_of(odd, "") == session_of(odd, "")
