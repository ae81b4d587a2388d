"""Thoughts of other formats' providers stay behind; every other byte goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.body import encode_object
from gateway.formats.foreign import without_foreign
from gateway.formats.gemini.seals import sealed
from gateway.formats.request import Asked, Request
from gateway.formats.signatures import marked
from gateway.formats.table import FORMATS
from gateway.model.registry import TRANSLATABLE, ApiFormat

CHAT, RESPONSES, MESSAGES, GEMINI = TRANSLATABLE
FOREIGN = marked("abc", CHAT, MESSAGES)
FROM_CLAUDE = marked("abc", MESSAGES, CHAT)
SEALED = sealed("abc", MESSAGES)
UNSIGNED = marked("", CHAT, MESSAGES)
SAID = {"type": "text", "text": "hm, 1.50 and 12345678901234567890"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
CASES: list[tuple[ApiFormat, str, list[Any], list[Any]]] = [
    (
        MESSAGES,
        "messages",
        [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    THOUGHT,
                    {**THOUGHT, "signature": FOREIGN},
                    {**THOUGHT, "signature": UNSIGNED},
                    {"type": "redacted_thinking", "data": FOREIGN},
                    {"type": "redacted_thinking", "data": "own"},
                    SAID,
                ],
            },
            {"role": "assistant", "content": [{**THOUGHT, "signature": FOREIGN}]},
            {"role": "user", "content": [{"type": "text", "text": '"gw1." is a mark'}]},
        ],
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [THOUGHT, {"type": "redacted_thinking", "data": "own"}, SAID]},
            {"role": "user", "content": [{"type": "text", "text": '"gw1." is a mark'}]},
        ],
    ),
    (
        RESPONSES,
        "input",
        [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": FROM_CLAUDE},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "own"},
            {"role": "user", "content": "hi"},
        ],
        [
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "own"},
            {"role": "user", "content": "hi"},
        ],
    ),
    (
        CHAT,
        "messages",
        [
            {
                "role": "assistant",
                "content": "a",
                "reasoning_details": [
                    {"type": "reasoning.encrypted", "data": FROM_CLAUDE},
                    {"type": "reasoning.text", "text": "t", "signature": "own"},
                ],
            },
            {"role": "assistant", "content": "b", "reasoning_details": [{"type": "x", "signature": FROM_CLAUDE}]},
        ],
        [
            {
                "role": "assistant",
                "content": "a",
                "reasoning_details": [{"type": "reasoning.text", "text": "t", "signature": "own"}],
            },
            {"role": "assistant", "content": "b"},
        ],
    ),
    (
        GEMINI,
        "contents",
        [
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True, "thoughtSignature": SEALED},
                    {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": SEALED},
                    {"text": "ok", "thoughtSignature": "b3du"},
                ],
            }
        ],
        [
            {
                "role": "model",
                "parts": [{"functionCall": {"name": "f", "args": {}}}, {"text": "ok", "thoughtSignature": "b3du"}],
            }
        ],
    ),
]


def request_of(api_format: ApiFormat, name: str, turns: Any) -> Request:
    sent = json.dumps({"model": "m", name: turns}).encode()
    return FORMATS[api_format].read_request(Asked(sent, model="m"))


@pytest.mark.parametrize(("api_format", "name", "sent", "kept"), CASES, ids=[case[0] for case in CASES])
def test_only_what_another_formats_provider_signed_is_left_out(
    api_format: ApiFormat, name: str, sent: list[Any], kept: list[Any]
) -> None:
    cleaned = without_foreign(request_of(api_format, name, sent))
    assert json.loads(bytes(cleaned.fields[name])) == kept
    assert (
        without_foreign(cleaned).fields[name] is cleaned.fields[name]
        or json.loads(bytes(without_foreign(cleaned).fields[name])) == kept
    )


@pytest.mark.parametrize(("api_format", "name", "sent", "kept"), CASES, ids=[case[0] for case in CASES])
def test_what_has_nothing_foreign_is_the_same_request(
    api_format: ApiFormat, name: str, sent: list[Any], kept: list[Any]
) -> None:
    request = request_of(api_format, name, kept)
    cleaned = without_foreign(request)
    assert encode_object(cleaned.fields) == encode_object(request.fields)


json_values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["gw1.x", FOREIGN, SEALED, "", "thinking", "reasoning"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "parts", "signature", "data", "encrypted_content", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=4), st.sampled_from(CASES))
def test_nothing_makes_it_fail(turns: list[Any], case: tuple[ApiFormat, str, Any, Any]) -> None:
    request = request_of(case[0], case[1], turns)
    json.loads(bytes(without_foreign(request).fields[case[1]]))
