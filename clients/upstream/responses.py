"""OpenAI Responses, as a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
        signatures=[item["encrypted_content"] for item in items if item.get("encrypted_content")],
        is_stream=bool(body.get("stream")),
    )


def _tools(listed: Any, namespace: str = "") -> Iterator[Tool]:
    for tool in listed:
        if tool["type"] == "function":
            yield Tool(tool["name"], script.properties_of(tool.get("parameters")), namespace)
        elif tool["type"] == "namespace":
            yield from _tools(tool["tools"], tool["name"])


def whole(said: Said) -> Mapping[str, Any]:
    return _response("completed", list(_items(said)))


def stream(said: Said, _heard: Heard) -> Iterator[Event]:
    for number, (kind, members) in zip(count(), _events(said), strict=False):
        yield Event({"type": kind, "sequence_number": number, **members}, kind)


def _events(said: Said) -> Iterator[tuple[str, Mapping[str, Any]]]:
    begun = _response("in_progress", [])
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    items = list(_items(said))
    for index, item in enumerate(items):
        yield "response.output_item.added", {"output_index": index, "item": _opening(item)}
        yield from _FILLING[item["type"]](item, {"item_id": item["id"], "output_index": index})
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield "response.completed", {"response": _response("completed", items)}


Item = Mapping[str, Any]


def _items(said: Said) -> Iterator[Item]:
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought}]
        yield {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": script.SIGNATURE}
    if said.text:
        message = {"type": "message", "role": "assistant", "status": "completed", "content": [_part(said.text)]}
        yield {"id": "msg_1", **message}
    for call in said.calls:
        named = {"namespace": call.tool.namespace} if call.tool.namespace else {}
        asked = {"call_id": f"call_{call.number}", "name": call.tool.name, "arguments": call.arguments_text}
        yield {"id": f"fc_{call.number}", "type": "function_call", "status": "completed", **asked, **named}


def _opening(item: Item) -> Item:
    """The item without what its events bring."""
    empty: Item = {"status": "in_progress", "content": [], "summary": [], "arguments": ""}
    return {name: empty.get(name, content) for name, content in item.items() if name != "encrypted_content"}


def _thinking(item: Item, place: Item) -> Iterator[tuple[str, Item]]:
    place, text = {**place, "summary_index": 0}, item["summary"][0]["text"]
    yield "response.reasoning_summary_part.added", {**place, "part": {"type": "summary_text", "text": ""}}
    for piece in script.pieces(text):
        yield "response.reasoning_summary_text.delta", {**place, "delta": piece}
    yield "response.reasoning_summary_text.done", {**place, "text": text}
    yield "response.reasoning_summary_part.done", {**place, "part": item["summary"][0]}


def _telling(item: Item, place: Item) -> Iterator[tuple[str, Item]]:
    place, text = {**place, "content_index": 0}, item["content"][0]["text"]
    yield "response.content_part.added", {**place, "part": _part("")}
    for piece in script.pieces(text):
        yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**place, "text": text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": _part(text)}


def _calling(item: Item, place: Item) -> Iterator[tuple[str, Item]]:
    for piece in script.pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", {**place, "delta": piece}
    whole = {"name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", {**place, **whole}


_FILLING: Mapping[str, Callable[[Item, Item], Iterator[tuple[str, Item]]]] = {
    "reasoning": _thinking,
    "message": _telling,
    "function_call": _calling,
}


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
    "input_tokens_details": {"cached_tokens": script.CACHED_TOKENS, "cache_write_tokens": 0},
    "output_tokens": script.OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": script.INPUT_TOKENS + script.OUTPUT_TOKENS,
}
