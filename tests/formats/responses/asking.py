"""Requests in OpenAI Responses as Hypothesis draws them: everything that the form between formats has a place for."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)


def parts_of(*kinds: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    drawn = {
        "input_text": st.builds(lambda text: {"type": "input_text", "text": text}, WORDS),
        "input_image": st.sampled_from(
            [
                {"type": "input_image", "image_url": "https://a.test/b.png", "detail": "low"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
                {"type": "input_image", "file_id": "file-1"},
            ]
        ),
        "input_file": st.sampled_from(
            [
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
                {"type": "input_file", "file_url": "https://a.test/b.pdf"},
                {"type": "input_file", "file_id": "file-2"},
            ]
        ),
        "output_text": st.builds(lambda text: {"type": "output_text", "text": text, "annotations": []}, WORDS),
        "refusal": st.builds(lambda text: {"type": "refusal", "refusal": text}, WORDS),
    }
    return st.lists(st.one_of(*(drawn[kind] for kind in kinds)), min_size=1, max_size=3)


ASKED = ("input_text", "input_image", "input_file")
OUTPUT = WORDS | parts_of(*ASKED)


def _message(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


ITEMS = st.one_of(
    st.builds(_message, st.sampled_from(["user", "system", "developer"]), WORDS | parts_of(*ASKED)),
    st.builds(_message, st.just("assistant"), parts_of("output_text", "refusal")),
    st.builds(
        lambda call_id, name, arguments: {
            "type": "function_call",
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
        },
        NAMES,
        NAMES,
        st.sampled_from(["{}", '{"n":123456789012345678901234567890}', '{"a":1.50, "b":-0.0}', '{"broken']),
    ),
    st.builds(
        lambda call_id, text: {"type": "custom_tool_call", "call_id": "c" + call_id, "name": "patch", "input": text},
        NAMES,
        WORDS,
    ),
    st.builds(
        lambda call_id, output: {"type": "function_call_output", "call_id": call_id, "output": output}, NAMES, OUTPUT
    ),
    st.builds(
        lambda call_id, output: {"type": "custom_tool_call_output", "call_id": "c" + call_id, "output": output},
        NAMES,
        OUTPUT,
    ),
    st.just(
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "proof",
        }
    ),
)

TOOLS = st.lists(
    st.one_of(
        st.builds(
            lambda name, strict: {
                "type": "function",
                "name": name,
                "description": "does",
                "parameters": {"type": "object", "properties": {"n": {"const": 2**70}}},
                "strict": strict,
            },
            NAMES,
            st.booleans(),
        ),
        st.just(
            {
                "type": "custom",
                "name": "patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"},
            }
        ),
    ),
    max_size=3,
)

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "instructions": WORDS,
        "stream": st.booleans(),
        "max_output_tokens": st.integers(16, 1000),
        "temperature": st.sampled_from([0, 0.7, 1, 2]),
        "top_p": st.sampled_from([0.1, 1]),
        "top_logprobs": st.integers(0, 20),
        "parallel_tool_calls": st.booleans(),
        "tool_choice": st.sampled_from(["auto", "none"]),
        "reasoning": st.sampled_from(
            [{"effort": "high"}, {"summary": "auto"}, {"effort": "low", "summary": "concise"}]
        ),
        "text": st.sampled_from(
            [
                {"verbosity": "low"},
                {"format": {"type": "json_object"}},
                {
                    "format": {
                        "type": "json_schema",
                        "name": "x",
                        "schema": {"type": "object", "maximum": 2**70},
                        "strict": True,
                        "description": "d",
                    }
                },
            ]
        ),
        "metadata": st.just({"a": "b"}),
        "user": NAMES,
        "prompt_cache_key": NAMES,
        "prompt_cache_retention": st.just("24h"),
        "service_tier": st.just("flex"),
    },
)

BODIES = st.builds(
    lambda fields, items, tools: {"model": "m", "input": items, "tools": tools, **fields},
    FIELDS,
    st.lists(ITEMS, min_size=1, max_size=6),
    TOOLS,
)
