"""A provider that speaks Anthropic Messages."""

from __future__ import annotations

import json
from typing import Any

from tests.voices.said import (
    WORDS,
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
    compact,
    encoded,
    event,
    one_by_one,
    raw,
)

PATH = "/v1/messages"
_ENDS = {
    End.DONE: "end_turn",
    End.LENGTH: "max_tokens",
    End.CALLS: "tool_use",
    End.STOP: "stop_sequence",
    End.FILTER: "refusal",
    End.CONTEXT: "model_context_window_exceeded",
}
_HEAD = {"id": "msg_7", "type": "message", "role": "assistant", "model": "upstream-claude"}


def whole(said: Said) -> bytes:
    blocks = [_filled(block) for block in _blocks(said)]
    return encoded({**_HEAD, "content": blocks, **_ending(said), "usage": _usage(said.used, last=True)})


def stream(said: Said) -> list[bytes]:
    start = {**_HEAD, "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(said.used, last=False)}
    events = [_event("message_start", message=start), _event("ping")]
    for index, block in enumerate(_blocks(said)):
        events.append(_event("content_block_start", index=index, content_block=_opening(block)))
        events += [_event("content_block_delta", index=index, delta=delta) for delta in _deltas(block, said)]
        events.append(_event("content_block_stop", index=index))
    told = {"output_tokens": said.used.output, **_thought(said.used)} if said.used else {}
    events.append(_event("message_delta", delta=_ending(said), usage=told))
    return [*events, _event("message_stop")]


def error(message: str, status: int) -> bytes:
    kind = {429: "rate_limit_error", 529: "overloaded_error", 400: "invalid_request_error"}.get(status, "api_error")
    return encoded({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_up"})


def error_event(message: str) -> bytes:
    return event(error(message, 529).decode(), "error")


def _event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


def _blocks(said: Said) -> list[Part]:
    first: list[Part] = [said.thought] if said.thought else []
    return [*first, *([Words(said.text)] if said.text else []), *said.calls]


def _filled(block: Part) -> dict[str, Any]:
    if isinstance(block, Thought):
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    if isinstance(block, Called):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": raw(block.arguments)}
    assert isinstance(block, Words)
    return {"type": "text", "text": block.text}


def _opening(block: Part) -> dict[str, Any]:
    if isinstance(block, Thought):
        return {"type": "thinking", "thinking": "", "signature": ""}
    if isinstance(block, Called):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}
    return {"type": "text", "text": ""}


def _deltas(block: Part, said: Said) -> list[dict[str, Any]]:
    if isinstance(block, Thought):
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in said.cut(block.text)]
        return [*thoughts, {"type": "signature_delta", "signature": block.signature}]
    if isinstance(block, Called):
        return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *said.cut(block.arguments))]
    assert isinstance(block, Words)
    return [{"type": "text_delta", "text": piece} for piece in said.cut(block.text)]


def _ending(said: Said) -> dict[str, Any]:
    return {"stop_reason": _ENDS[said.end], "stop_sequence": "END" if said.end is End.STOP else None}


def _usage(used: Used | None, *, last: bool) -> dict[str, Any]:
    if used is None:
        return {}
    return {
        "input_tokens": used.input - used.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.output if last else 1,
        **(_thought(used) if last else {}),
    }


def _thought(used: Used) -> dict[str, Any]:
    return {"output_tokens_details": {"thinking_tokens": used.thought}}


def heard(body: bytes, _path: str) -> Question:
    # Numbers in arguments stay as they are written.
    sent, written = json.loads(body), json.loads(body, parse_float=_Number, parse_int=_Number)
    names: dict[str, str] = {}
    thinking, choice = sent.get("thinking", {}), sent.get("tool_choice", {})
    budget = thinking.get("budget_tokens", 0)
    shape = sent.get("output_config", {}).get("format", {})
    is_parallel = None if "disable_parallel_tool_use" not in choice else not choice["disable_parallel_tool_use"]
    return Question(
        turns=one_by_one([_turn(message, names) for message in written["messages"]]),
        system=_text(sent.get("system", "")),
        tools=tuple(Tool(tool["name"], tool["description"], tool["input_schema"]) for tool in sent.get("tools", ())),
        choice=_choice(choice),
        parallel=is_parallel,
        stop=tuple(sent.get("stop_sequences", ())),
        most=sent["max_tokens"],
        effort=WORDS[budget] if thinking.get("type") == "enabled" else "",
        schema=shape.get("schema"),
        is_stream=sent.get("stream", False),
    )


class _Number(str):
    """Digits as they came."""


def _choice(found: dict[str, Any]) -> str:
    kind = found.get("type", "")
    return str(found["name"]) if kind == "tool" else {"any": "required"}.get(kind, kind)


def _turn(message: dict[str, Any], names: dict[str, str]) -> Turn:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return Turn(message["role"] == "assistant", tuple(_part(block, names) for block in blocks))


def _part(block: dict[str, Any], names: dict[str, str]) -> Part:
    match block["type"]:
        case "text":
            return Words(block["text"])
        case "thinking":
            return Thought(block["thinking"], block["signature"])
        case "tool_use":
            names[block["id"]] = block["name"]
            return Called(block["id"], block["name"], written_again(block["input"]))
        case "tool_result":
            return Result(block["tool_use_id"], names[block["tool_use_id"]], _text(block.get("content", "")))
    source = block["source"]
    if source["type"] == "url":
        return Picture(source["url"])
    return Picture(data=source["data"], media_type=source["media_type"])


def written_again(value: Any) -> str:
    """Compact JSON with the digits of its numbers as they came."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{compact(name)}:{written_again(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written_again, value)) + "]"
    return compact(value)


def exactly(body: bytes) -> Any:
    return json.loads(body, parse_float=_Number, parse_int=_Number)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
