"""OpenAI Responses, as a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from clients.upstream import script
from clients.upstream.script import Heard, Said, Tool
from clients.upstream.wire import Event


def read(body: Mapping[str, Any], _path: str) -> Heard:
    items = [] if isinstance(body["input"], str) else body["input"]
    ended = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
    return Heard(
        text=script.all_text(body["input"]),
        tools=list(_tools(body.get("tools") or ())),
        results=[script.texts_in(item["output"]) for item in items if item.get("type") in ended],
        is_stream=bool(body.get("stream")),
    )


def _tools(listed: Any, namespace: str = "") -> Iterator[Tool]:
    for tool in listed:
        if tool["type"] == "function":
            yield Tool(tool["name"], script.properties_of(tool.get("parameters")), namespace)
        elif tool["type"] == "namespace":
            yield from _tools(tool["tools"], tool["name"])


def whole(said: Said) -> Mapping[str, Any]:
    return _response("completed", [_item(said, "completed")])


def stream(said: Said, _heard: Heard) -> Iterator[Event]:
    for number, (kind, members) in zip(count(), _events(said), strict=False):
        yield Event({"type": kind, "sequence_number": number, **members}, kind)


def _events(said: Said) -> Iterator[tuple[str, Mapping[str, Any]]]:
    begun = _response("in_progress", [])
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    opening = _item(said, "in_progress")
    yield "response.output_item.added", {"output_index": 0, "item": opening}
    yield from _text_events(said) if said.tool is None else _call_events(said)
    yield "response.output_item.done", {"output_index": 0, "item": _item(said, "completed")}
    yield "response.completed", {"response": _response("completed", [_item(said, "completed")])}


def _text_events(said: Said) -> Iterator[tuple[str, Mapping[str, Any]]]:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield "response.content_part.added", {**place, "part": _part("")}
    for piece in script.pieces(said.text):
        yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**place, "text": said.text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": _part(said.text)}


def _call_events(said: Said) -> Iterator[tuple[str, Mapping[str, Any]]]:
    assert said.tool is not None
    place = {"item_id": "fc_1", "output_index": 0}
    for piece in script.pieces(said.arguments_text):
        yield "response.function_call_arguments.delta", {**place, "delta": piece}
    whole = {"name": said.tool.name, "arguments": said.arguments_text}
    yield "response.function_call_arguments.done", {**place, **whole}


def _item(said: Said, status: str) -> Mapping[str, Any]:
    is_done = status == "completed"
    if said.tool is None:
        content = [_part(said.text)] if is_done else []
        return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}
    arguments = said.arguments_text if is_done else ""
    call = {"id": "fc_1", "type": "function_call", "status": status, "call_id": "call_1"}
    named = {"namespace": said.tool.namespace} if said.tool.namespace else {}
    return {**call, "name": said.tool.name, **named, "arguments": arguments}


def _part(text: str) -> Mapping[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(status: str, output: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "scripted",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _USAGE if status == "completed" else None,
    }


_USAGE = {
    "input_tokens": script.INPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": script.CACHED_TOKENS},
    "output_tokens": script.OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": script.INPUT_TOKENS + script.OUTPUT_TOKENS,
}
