"""Content blocks of Anthropic Messages, read into parts."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.body import parse_object
from gateway.formats.intermediate import File, Image, Part, Text, Thinking, ToolCall, ToolResult
from gateway.formats.members import Members
from gateway.formats.messages.read_blocks import content_of, text_blocks
from gateway.model.registry import ApiFormat

HERE = ApiFormat.ANTHROPIC_MESSAGES


def read(*blocks: Any) -> tuple[tuple[Part, ...], set[str]]:
    lost: set[str] = set()
    body = json.dumps({"content": list(blocks)}).encode()
    return content_of(Members(parse_object(body)), lost), lost


def source(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


CACHED = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "Hi"}, Text("Hi")),
        ({"type": "text", "text": ""}, Text("")),
        ({"type": "text", "text": "Hi", "cache_control": CACHED, "citations": None}, Text("Hi", "5m")),
        ({"type": "text", "text": "Hi", "cache_control": HOUR}, Text("Hi", "1h")),
        (
            {"type": "image", "source": source("base64", data="AA==", media_type="image/png"), "cache_control": CACHED},
            Image(data="AA==", media_type="image/png", cache="5m"),
        ),
        ({"type": "image", "source": source("url", url="https://x/a.png")}, Image(url="https://x/a.png")),
        ({"type": "image", "source": source("file", file_id="file_1")}, Image(file_id="file_1")),
        (
            {"type": "document", "source": source("base64", data="AA==", media_type="application/pdf"), "title": "A"},
            File(data="AA==", media_type="application/pdf", name="A"),
        ),
        (
            {"type": "document", "source": source("text", data="Grüße", media_type="text/plain")},
            File(data=b64encode("Grüße".encode()).decode(), media_type="text/plain"),
        ),
        ({"type": "document", "source": source("url", url="https://x/a.pdf")}, File(url="https://x/a.pdf")),
        ({"type": "document", "source": source("file", file_id="file_1")}, File(file_id="file_1")),
        ({"type": "document", "source": source("content", content="Words")}, Text("Words")),
        ({"type": "thinking", "thinking": "Hm", "signature": "EqQ"}, Thinking("Hm", "EqQ", HERE)),
        ({"type": "thinking", "thinking": "", "signature": "EqQ"}, Thinking("", "EqQ", HERE)),
        ({"type": "thinking", "thinking": "Hm", "signature": ""}, Thinking("Hm")),
        (
            {"type": "thinking", "thinking": "Hm", "signature": "gw1.gemini_generate.S"},
            Thinking("Hm", "S", ApiFormat.GEMINI_GENERATE),
        ),
        ({"type": "redacted_thinking", "data": "D"}, Thinking("", "redacted:D", HERE)),
        (
            {"type": "redacted_thinking", "data": "gw1.openai_responses.D"},
            Thinking("", "D", ApiFormat.OPENAI_RESPONSES),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}},
            ToolCall("t", "f", "{}"),
        ),
        ({"type": "tool_use", "id": "t", "name": "f"}, ToolCall("t", "f", "")),
        ({"type": "tool_result", "tool_use_id": "t"}, ToolResult("t", ())),
        ({"type": "tool_result", "tool_use_id": "t", "content": "42"}, ToolResult("t", (Text("42"),))),
        (
            {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": [], "cache_control": CACHED},
            ToolResult("t", (), is_error=True, cache="5m"),
        ),
    ],
)
def test_each_block_has_its_part(block: dict[str, Any], part: Part) -> None:
    assert read(block) == ((part,), set())


def test_the_input_of_a_tool_stays_the_text_that_it_came_as() -> None:
    written = '{"n": 123456789012345678901234567890, "x": 1.50, "z": -0.0, "b": 1, "a": "\\u00e9"}'
    body = f'{{"content": [{{"type": "tool_use", "id": "t", "name": "f", "input": {written}}}]}}'

    (call,) = content_of(Members(parse_object(body.encode())), set())

    assert call == ToolCall("t", "f", written)


def test_a_result_may_have_pictures_and_documents() -> None:
    image = {"type": "image", "source": source("url", url="https://x/a.png")}

    parts, _ = read({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}, image]})

    assert parts == (ToolResult("t", (Text("a"), Image(url="https://x/a.png"))),)


@pytest.mark.parametrize(
    ("block", "lost"),
    [
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, {"messages.server_tool_use"}),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, {"messages.web_search_tool_result"}),
        ({"type": "mcp_tool_result", "tool_use_id": "s"}, {"messages.mcp_tool_result"}),
        ({"type": "compaction", "content": "…"}, {"messages.compaction"}),
    ],
)
def test_what_tools_of_the_provider_did_is_lost_by_name(block: dict[str, Any], lost: set[str]) -> None:
    assert read(block) == ((), lost)


@pytest.mark.parametrize(
    ("block", "lost"),
    [
        ({"type": "text", "text": "x", "citations": [{"type": "page_location"}]}, {"messages.citations"}),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "cache_control": CACHED},
            {"messages.cache_control"},
        ),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code_execution_20250825"}},
            {"messages.tool_use.caller"},
        ),
        (
            {"type": "document", "source": source("url", url="u"), "context": "c", "citations": {"enabled": True}},
            {"messages.document.context", "messages.citations"},
        ),
        (
            {"type": "document", "source": source("content", content="x"), "title": "t"},
            {"messages.document.title"},
        ),
        (
            {"type": "image", "source": source("url", url="u"), "transformations": {"x": 1}},
            {"messages.image.transformations"},
        ),
    ],
)
def test_members_without_a_place_are_lost_by_name(block: dict[str, Any], lost: set[str]) -> None:
    parts, named = read(block)

    assert named == lost
    assert len(parts) == 1


def test_the_words_of_a_search_result_stay() -> None:
    found = {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "C"}]}

    assert read(found) == ((Text("T\nS"), Text("C")), {"messages.search_result"})


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"type": "container_upload", "file_id": "f"}, "content[0].type"),
        ({"type": "hologram"}, "content[0].type"),
        ({"type": "image", "source": source("cloud")}, "content[0].source.type"),
        ({"type": "document", "source": source("cloud")}, "content[0].source.type"),
    ],
)
def test_what_no_other_format_can_take_is_refused_by_name(block: dict[str, Any], field: str) -> None:
    with pytest.raises(NotTranslatable) as refused:
        read(block)
    assert refused.value.param == field


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (7, "content[0]"),
        ({}, "content[0].type"),
        ({"type": 7}, "content[0].type"),
        ({"type": "text", "text": 7}, "content[0].text"),
        ({"type": "image", "source": "x"}, "content[0].source"),
        ({"type": "image", "source": source("url", url=7)}, "content[0].source.url"),
        ({"type": "tool_use", "id": "t", "name": "f", "input": "x"}, "content[0].input"),
        ({"type": "tool_use", "name": "f"}, "content[0].id"),
        ({"type": "tool_result", "tool_use_id": "t", "is_error": "no"}, "content[0].is_error"),
        (
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "thinking", "thinking": "x"}]},
            "content[0].content",
        ),
    ],
)
def test_a_member_of_the_wrong_type_is_refused_by_name(block: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(block)
    assert refused.value.param == field


def test_a_system_prompt_is_made_of_text() -> None:
    body = Members(parse_object(b'{"a": "x", "b": [{"type": "text", "text": "y"}], "c": [{"type": "image"}]}'))

    assert text_blocks(body, "a", set()) == (Text("x"),)
    assert text_blocks(body, "b", set()) == (Text("y"),)
    assert text_blocks(body, "missing", set()) == ()
    with pytest.raises(NotTranslatable):
        text_blocks(body, "c", set())
