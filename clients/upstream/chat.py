"""OpenAI chat completions, as a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.upstream import script
from clients.upstream.script import Heard, Said, Tool
from clients.upstream.wire import Event

_USAGE = {
    "prompt_tokens": script.INPUT_TOKENS,
    "completion_tokens": script.OUTPUT_TOKENS,
    "total_tokens": script.INPUT_TOKENS + script.OUTPUT_TOKENS,
    "prompt_tokens_details": {"cached_tokens": script.CACHED_TOKENS},
}


def read(body: Mapping[str, Any], _path: str) -> Heard:
    functions = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    return Heard(
        text=script.all_text(body["messages"]),
        tools=[Tool(one["name"], script.properties_of(one.get("parameters"))) for one in functions],
        results=[script.texts_in(one.get("content")) for one in body["messages"] if one["role"] == "tool"],
        is_stream=bool(body.get("stream")),
        wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def whole(said: Said) -> Mapping[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.tool is not None:
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": _function(said)}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    return {**_head("chat.completion"), "choices": [choice], "usage": _USAGE}


def stream(said: Said, heard: Heard) -> Iterator[Event]:
    yield _chunk({"role": "assistant", "content": ""})
    for piece in script.pieces(said.text):
        yield _chunk({"content": piece})
    if said.tool is not None:
        opening = {"name": said.tool.name, "arguments": ""}
        yield _chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": opening}]})
        for piece in script.pieces(said.arguments_text):
            yield _chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield _chunk({}, _finish(said))
    if heard.wants_usage:
        yield Event({**_head("chat.completion.chunk"), "choices": [], "usage": _USAGE})
    yield Event("[DONE]")


def _chunk(delta: Mapping[str, Any], finish: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return Event({**_head("chat.completion.chunk"), "choices": [choice]})


def _function(said: Said) -> Mapping[str, str]:
    assert said.tool is not None
    return {"name": said.tool.name, "arguments": said.arguments_text}


def _finish(said: Said) -> str:
    return "stop" if said.tool is None else "tool_calls"


def _head(kind: str) -> Mapping[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": "scripted"}
