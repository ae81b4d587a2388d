"""OpenAI chat completions, as a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from clients.upstream import script
from clients.upstream.script import Call, Heard, Said, Tool
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
    if said.calls:
        message |= {"reasoning_content": said.thought, "tool_calls": [_call(call) for call in said.calls]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    return {**_head("chat.completion"), "choices": [choice], "usage": _USAGE}


def stream(said: Said, heard: Heard) -> Iterator[Event]:
    yield _chunk({"role": "assistant", "content": ""})
    for piece in script.pieces(said.thought):
        yield _chunk({"reasoning_content": piece})
    for piece in script.pieces(said.text):
        yield _chunk({"content": piece})
    yield from _call_chunks(said.calls)
    yield _chunk({}, _finish(said))
    if heard.wants_usage:
        yield Event({**_head("chat.completion.chunk"), "choices": [], "usage": _USAGE})
    yield Event("[DONE]")


def _chunk(delta: Mapping[str, Any], finish: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return Event({**_head("chat.completion.chunk"), "choices": [choice]})


def _call_chunks(calls: Sequence[Call]) -> Iterator[Event]:
    """The pieces of all of them by turns, as models that call in parallel may say them."""
    for index, call in enumerate(calls):
        opening = {"name": call.tool.name, "arguments": ""}
        yield _chunk({"tool_calls": [{"index": index, "id": _id(call), "type": "function", "function": opening}]})
    for turn in zip_longest(*(script.pieces(call.arguments_text) for call in calls)):
        for index, piece in enumerate(turn):
            if piece is not None:
                yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def _call(call: Call) -> Mapping[str, Any]:
    function = {"name": call.tool.name, "arguments": call.arguments_text}
    return {"id": _id(call), "type": "function", "function": function}


def _id(call: Call) -> str:
    return f"call_{call.number}"


def _finish(said: Said) -> str:
    return "tool_calls" if said.calls else "stop"


def _head(kind: str) -> Mapping[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": "scripted"}
