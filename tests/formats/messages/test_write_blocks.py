"""Parts of a conversation, written as content blocks."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.formats.messages.write_blocks import blocks
from gateway.model.registry import ApiFormat

HERE = ApiFormat.ANTHROPIC_MESSAGES


def written(part: Part) -> Any:
    dropped: set[str] = set()
    (block,) = blocks([part], dropped)
    assert dropped == set()
    return msgspec.json.decode(msgspec.json.encode(block))


def based(media_type: str, data: str = "AA==") -> dict[str, str]:
    return {"type": "base64", "media_type": media_type, "data": data}


FILE = {"type": "document", "title": "a.txt"}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("Hi", "5m"), {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}),
        (Text("Hi", "1h"), {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        (Refusal("No."), {"type": "text", "text": "No."}),
        (Image(url="https://x/a.png"), {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}}),
        (Image(data="AA==", media_type="image/PNG"), {"type": "image", "source": based("image/png")}),
        (Image(data="AA==", media_type="image/jpg"), {"type": "image", "source": based("image/jpeg")}),
        (Image(file_id="file_1"), {"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        (
            File(data="AA==", media_type="application/pdf", name="a.pdf"),
            {"type": "document", "source": based("application/pdf"), "title": "a.pdf"},
        ),
        (
            File(data="AA==", name="a.PDF"),
            {"type": "document", "source": based("application/pdf"), "title": "a.PDF"},
        ),
        (
            File(data=b64encode("Grüße".encode()).decode(), media_type="text/csv; charset=utf-8", name="a.txt"),
            {**FILE, "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
        ),
        (File(url="https://x/a.pdf"), {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}),
        (File(file_id="file_1"), {"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        (File(data="AA==", media_type="image/gif", name="a"), {"type": "image", "source": based("image/gif")}),
        (Thinking("Hm", "EqQ", HERE), {"type": "thinking", "thinking": "Hm", "signature": "EqQ"}),
        (Thinking("", "EqQ", HERE), {"type": "thinking", "thinking": "", "signature": "EqQ"}),
        (Thinking("", "redacted:D", HERE), {"type": "redacted_thinking", "data": "D"}),
        (ToolCall("t", "f", ""), {"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        (
            ToolCall("t", "f", "a\n*b", is_custom=True),
            {"type": "tool_use", "id": "t", "name": "f__free_text", "input": {"input": "a\n*b"}},
        ),
        (ToolResult("t", ()), {"type": "tool_result", "tool_use_id": "t"}),
        (ToolResult("t", (Text(""),)), {"type": "tool_result", "tool_use_id": "t"}),
        (ToolResult("t", (Text("4"),)), {"type": "tool_result", "tool_use_id": "t", "content": "4"}),
        (
            ToolResult("t", (Text(""),), is_error=True),
            {"type": "tool_result", "tool_use_id": "t", "content": "error", "is_error": True},
        ),
        (
            ToolResult("t", (Text("a"), Text("b", "5m")), cache="1h"),
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
                ],
                "cache_control": {"type": "ephemeral", "ttl": "1h"},
            },
        ),
    ],
)
def test_each_part_has_its_block(part: Part, block: dict[str, Any]) -> None:
    assert written(part) == block


def test_arguments_of_a_call_stay_the_text_that_they_are() -> None:
    arguments = '{"n": 123456789012345678901234567890, "x": 1.50, "z": -0.0, "b": 1, "a": "\\u00e9"}'

    (block,) = blocks([ToolCall("t", "f", f" {arguments}\n")], set())

    assert arguments.encode() in msgspec.json.encode(block)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Image(url="https://x", detail="low"), "messages.image.detail"),
        (ToolCall("t", "f", "{}", namespace="mcp"), "namespace"),
    ],
)
def test_what_a_block_has_no_place_for_is_named(part: Part, name: str) -> None:
    dropped: set[str] = set()
    assert len(blocks([part], dropped)) == 1
    assert dropped == {name}


@pytest.mark.parametrize(
    "part",
    [
        Audio("AA==", "audio/wav"),
        Image(data="AA==", media_type="image/svg+xml"),
        Image(url="data:image/png;base64,AA=="),
        Image(url="gs://bucket/a.png"),
        Image(file_id="file-openai"),
        File(file_id="file-openai"),
        File(data="AA==", media_type="application/zip"),
        File(data="not base64!", media_type="text/plain"),
        File(data="/w==", media_type="text/plain"),
        ToolCall("t", "f", "[1]"),
        ToolCall("t", "f", '{"torn": '),
        ToolCall("t", "f", '{"a": 1} trailing'),
        ToolResult("t", (Audio("AA==", "audio/wav"),)),
    ],
)
def test_what_anthropic_has_no_block_for_is_refused(part: Part) -> None:
    with pytest.raises(NotTranslatable) as refused:
        blocks([part], set())
    assert refused.value.param == "messages"
