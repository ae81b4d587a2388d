"""Anthropic Messages, as a provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clients.upstream import script
from clients.upstream.script import Heard, Said, Tool
from clients.upstream.wire import Event


def read(body: Mapping[str, Any], _path: str) -> Heard:
    blocks = [block for turn in body["messages"] if isinstance(turn["content"], list) for block in turn["content"]]
    tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    return Heard(
        text=script.all_text(body["messages"]),
        tools=[Tool(tool["name"], script.properties_of(tool["input_schema"])) for tool in tools],
        results=[script.texts_in(block.get("content")) for block in blocks if block["type"] == "tool_result"],
        signatures=[block["signature"] for block in blocks if block["type"] == "thinking"],
        is_stream=bool(body.get("stream")),
    )


def whole(said: Said) -> Mapping[str, Any]:
    return {
        **_HEAD,
        "content": list(_blocks(said)),
        "stop_reason": _stop(said),
        "stop_sequence": None,
        "usage": _usage(script.OUTPUT_TOKENS),
    }


def stream(said: Said, _heard: Heard) -> Iterator[Event]:
    start = {**_HEAD, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(1)}
    yield _event("message_start", message=start)
    yield _event("ping")
    for index, block in enumerate(_blocks(said)):
        yield _event("content_block_start", index=index, content_block=_opening(block))
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ending = {"stop_reason": _stop(said), "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage=_usage(script.OUTPUT_TOKENS))
    yield _event("message_stop")


_HEAD: Mapping[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted"}


def _event(kind: str, **members: Any) -> Event:
    return Event({"type": kind, **members}, kind)


def _blocks(said: Said) -> Iterator[Mapping[str, Any]]:
    if said.thought:
        yield {"type": "thinking", "thinking": said.thought, "signature": script.SIGNATURE}
    if said.text:
        yield {"type": "text", "text": said.text}
    for call in said.calls:
        yield {"type": "tool_use", "id": f"toolu_{call.number}", "name": call.tool.name, "input": call.arguments}


def _opening(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """The block without what its deltas bring."""
    empty: Mapping[str, Any] = {"thinking": "", "signature": "", "text": "", "input": {}}
    return {name: empty.get(name, content) for name, content in block.items()}


def _deltas(block: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    match block["type"]:
        case "thinking":
            for piece in script.pieces(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in script.pieces(block["text"]):
                yield {"type": "text_delta", "text": piece}
        case _:
            for piece in script.pieces(json.dumps(block["input"], ensure_ascii=False)):
                yield {"type": "input_json_delta", "partial_json": piece}


def _stop(said: Said) -> str:
    return "tool_use" if said.calls else "end_turn"


def _usage(output: int) -> Mapping[str, int]:
    return {
        "input_tokens": script.INPUT_TOKENS - script.CACHED_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": script.CACHED_TOKENS,
        "output_tokens": output,
    }
