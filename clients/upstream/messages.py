"""Anthropic Messages, as a provider."""

from __future__ import annotations

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
        is_stream=bool(body.get("stream")),
    )


def whole(said: Said) -> Mapping[str, Any]:
    return {
        **_HEAD,
        "content": [{**_opening(said), **_filling(said)}],
        "stop_reason": _stop(said),
        "stop_sequence": None,
        "usage": _usage(script.OUTPUT_TOKENS),
    }


def stream(said: Said, _heard: Heard) -> Iterator[Event]:
    start = {**_HEAD, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(1)}
    yield _event("message_start", message=start)
    yield _event("content_block_start", index=0, content_block=_opening(said))
    yield _event("ping")
    for piece in script.pieces(said.text):
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    for piece in script.pieces(said.arguments_text) if said.tool is not None else ():
        yield _event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": piece})
    yield _event("content_block_stop", index=0)
    ending = {"stop_reason": _stop(said), "stop_sequence": None}
    yield _event("message_delta", delta=ending, usage=_usage(script.OUTPUT_TOKENS))
    yield _event("message_stop")


_HEAD: Mapping[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted"}


def _event(kind: str, **members: Any) -> Event:
    return Event({"type": kind, **members}, kind)


def _opening(said: Said) -> Mapping[str, Any]:
    if said.tool is None:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": "toolu_1", "name": said.tool.name, "input": {}}


def _filling(said: Said) -> Mapping[str, Any]:
    return {"text": said.text} if said.tool is None else {"input": said.arguments}


def _stop(said: Said) -> str:
    return "end_turn" if said.tool is None else "tool_use"


def _usage(output: int) -> Mapping[str, int]:
    return {
        "input_tokens": script.INPUT_TOKENS - script.CACHED_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": script.CACHED_TOKENS,
        "output_tokens": output,
    }
