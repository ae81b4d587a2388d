"""A provider that speaks OpenAI Responses."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from tests.voices.said import (
    Called,
    End,
    Part,
    Picture,
    Question,
    Result,
    Said,
    Thought,
    Tool,
    Turn,
    Used,
    Words,
    encoded,
    event,
    interleaved,
    one_by_one,
)

PATH = "/v1/responses"
_CUT = {End.LENGTH: "max_output_tokens", End.CONTEXT: "max_output_tokens", End.FILTER: "content_filter"}
Item = dict[str, Any]


def whole(said: Said) -> bytes:
    return encoded(_response(said, _items(said)))


def stream(said: Said) -> list[bytes]:
    numbers = count()
    events: list[tuple[str, Item]] = []
    begun = {**_response(said, []), "status": "in_progress", "incomplete_details": None, "usage": None}
    events += [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    rows = [_item_events(place, item, said) for place, item in enumerate(_items(said))]
    first = [row for row in rows if row[0][1]["item"]["type"] != "function_call"]
    calls = [row for row in rows if row[0][1]["item"]["type"] == "function_call"]
    events += [told for row in first for told in row] + [told for _, told in interleaved(calls)]
    last = "response.incomplete" if said.end in _CUT else "response.completed"
    events.append((last, {"response": _response(said, _items(said))}))
    return [event({"type": kind, "sequence_number": next(numbers), **fields}, kind) for kind, fields in events]


def error(message: str, status: int) -> bytes:
    kind = {429: "rate_limit_error", 400: "invalid_request_error"}.get(status, "server_error")
    return encoded({"error": {"message": message, "type": kind, "param": None, "code": None}})


def error_event(message: str) -> bytes:
    failed = {
        "type": "error",
        "sequence_number": 9,
        "code": "server_error",
        "message": message,
        "param": None,
    }
    return event(failed, "error")


def _response(said: Said, output: list[Item]) -> Item:
    reason = _CUT.get(said.end)
    return {
        "id": "resp_7",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
        "instructions": None,
        "metadata": {},
        "model": "upstream-responses",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _usage(said.used),
    }


def _items(said: Said) -> list[Item]:
    items: list[Item] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thought.text}]
        signed = {"encrypted_content": said.thought.signature} if said.thought.signature else {}
        items.append({"id": "rs_7", "type": "reasoning", "summary": summary, **signed})
    if said.text:
        words = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        status = "incomplete" if said.end in _CUT else "completed"
        items.append({"id": "msg_7", "type": "message", "role": "assistant", "status": status, "content": [words]})
    items += [
        {"id": f"fc_{place}", "type": "function_call", "status": "completed", "call_id": call.id}
        | {"name": call.name, "arguments": call.arguments}
        for place, call in enumerate(said.calls)
    ]
    return items


def _item_events(place: int, item: Item, said: Said) -> list[tuple[str, Item]]:
    at = {"output_index": place, "item_id": item["id"]}
    if item["type"] == "reasoning":
        return _thought_events(place, item, said)
    if item["type"] == "function_call":
        opened: Item = {**item, "arguments": "", "status": "in_progress"}
        pieces = [
            ("response.function_call_arguments.delta", {**at, "delta": piece}) for piece in said.cut(item["arguments"])
        ]
        whole_one = {**at, "arguments": item["arguments"], "name": item["name"]}
        middle = [*pieces, ("response.function_call_arguments.done", whole_one)]
    else:
        opened = {**item, "content": [], "status": "in_progress"}
        part, text = item["content"][0], {**at, "content_index": 0}
        middle = [
            ("response.content_part.added", {**text, "part": {**part, "text": ""}}),
            *(
                ("response.output_text.delta", {**text, "delta": piece, "logprobs": []})
                for piece in said.cut(part["text"])
            ),
            ("response.output_text.done", {**text, "text": part["text"], "logprobs": []}),
            ("response.content_part.done", {**text, "part": part}),
        ]
    return [_added(place, opened), *middle, _done(place, item)]


def _thought_events(place: int, item: Item, said: Said) -> list[tuple[str, Item]]:
    at = {"output_index": place, "item_id": item["id"], "summary_index": 0}
    part = item["summary"][0]
    return [
        _added(place, {"id": item["id"], "type": "reasoning", "summary": []}),
        ("response.reasoning_summary_part.added", {**at, "part": {**part, "text": ""}}),
        *(("response.reasoning_summary_text.delta", {**at, "delta": piece}) for piece in said.cut(part["text"])),
        ("response.reasoning_summary_text.done", {**at, "text": part["text"]}),
        ("response.reasoning_summary_part.done", {**at, "part": part}),
        _done(place, item),
    ]


def _added(place: int, item: Item) -> tuple[str, Item]:
    return "response.output_item.added", {"output_index": place, "item": item}


def _done(place: int, item: Item) -> tuple[str, Item]:
    return "response.output_item.done", {"output_index": place, "item": item}


def _usage(used: Used | None) -> Item | None:
    if used is None:
        return None
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.thought},
        "total_tokens": used.input + used.output,
    }


def heard(body: bytes, _path: str) -> Question:
    sent = json.loads(body)
    names: dict[str, str] = {}
    items = [{"role": "user", "content": sent["input"]}] if isinstance(sent["input"], str) else sent["input"]
    system = [sent["instructions"]] if sent.get("instructions") else []
    turns = []
    for item in items:
        if item.get("role") in ("system", "developer"):
            system.append(_text(item["content"]))
        else:
            turns.append(_turn(item, names))
    shape = sent.get("text", {}).get("format", {})
    choice = sent.get("tool_choice", "")
    return Question(
        turns=one_by_one(turns),
        system="\n".join(system),
        tools=tuple(Tool(tool["name"], tool["description"], tool["parameters"]) for tool in sent.get("tools", ())),
        choice=choice if isinstance(choice, str) else choice["name"],
        parallel=sent.get("parallel_tool_calls"),
        most=sent.get("max_output_tokens"),
        effort=sent.get("reasoning", {}).get("effort", ""),
        schema=shape.get("schema"),
        is_stream=sent.get("stream", False),
    )


def _turn(item: Item, names: dict[str, str]) -> Turn:
    kind = item.get("type", "message")
    if kind == "message":
        return Turn(item["role"] == "assistant", tuple(_content(item["content"])))
    if kind == "function_call":
        names[item["call_id"]] = item["name"]
        return Turn(True, (Called(item["call_id"], item["name"], item["arguments"]),))
    if kind == "reasoning":
        text = "".join(part["text"] for part in item["summary"])
        return Turn(True, (Thought(text, item.get("encrypted_content") or ""),))
    assert kind == "function_call_output", kind
    return Turn(False, (Result(item["call_id"], names[item["call_id"]], _text(item["output"])),))


def _content(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [Words(content)]
    return [_part(part) for part in content]


def _part(part: Item) -> Part:
    if part["type"] != "input_image":
        return Words(part["text"])
    url: str = part["image_url"]
    if not url.startswith("data:"):
        return Picture(url)
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return Picture(data=data, media_type=media_type)


def _text(content: Any) -> str:
    return "".join(part.text for part in _content(content) if isinstance(part, Words))
