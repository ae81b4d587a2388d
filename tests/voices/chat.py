"""A provider that speaks OpenAI chat completions."""

from __future__ import annotations

import json
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

PATH = "/v1/chat/completions"
_ENDS = {
    End.DONE: "stop",
    End.LENGTH: "length",
    End.CALLS: "tool_calls",
    End.STOP: "stop",
    End.FILTER: "content_filter",
    End.CONTEXT: "length",
}
_HEAD = {"id": "chatcmpl-7", "created": 1_700_000_000, "model": "upstream-chat"}


def whole(said: Said) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.thought:
        message |= {"reasoning_content": said.thought.text, **_details(said.thought)}
    if said.calls:
        message["tool_calls"] = [_call(call, call.arguments) for call in said.calls]
    choice = {"index": 0, "message": message, "finish_reason": _ENDS[said.end], "logprobs": None}
    usage = {"usage": _usage(said.used)} if said.used else {}
    return encoded({**_HEAD, "object": "chat.completion", "choices": [choice], **usage})


def stream(said: Said) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if said.thought:
        deltas += [{"reasoning_content": piece} for piece in said.cut(said.thought.text)]
        deltas += [_details(said.thought)] if said.thought.signature else []
    deltas += [{"content": piece} for piece in said.cut(said.text)]
    rows = [
        [{**_call(call, ""), "index": index}, *({"index": index, "function": {"arguments": piece}} for piece in pieces)]
        for index, call in enumerate(said.calls)
        for pieces in [said.cut(call.arguments)]
    ]
    deltas += [{"tool_calls": [piece]} for _, piece in interleaved(rows)]
    events = [event(_chunk([{"index": 0, "delta": delta, "finish_reason": None}])) for delta in deltas]
    events.append(event(_chunk([{"index": 0, "delta": {}, "finish_reason": _ENDS[said.end]}])))
    if said.used:
        events.append(event({**_chunk([]), "usage": _usage(said.used)}))
    return [*events, event("[DONE]")]


def error(message: str, status: int) -> bytes:
    kind = {429: "rate_limit_error", 400: "invalid_request_error"}.get(status, "server_error")
    return encoded({"error": {"message": message, "type": kind, "param": None, "code": None}})


def error_event(message: str) -> bytes:
    return event(error(message, 500).decode())


def _chunk(choices: list[Any]) -> dict[str, Any]:
    return {**_HEAD, "object": "chat.completion.chunk", "choices": choices}


def _call(call: Called, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _details(thought: Thought) -> dict[str, Any]:
    if not thought.signature:
        return {}
    detail = {"type": "reasoning.text", "text": thought.text, "signature": thought.signature, "index": 0}
    return {"reasoning_details": [detail]}


def _usage(used: Used) -> dict[str, Any]:
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached},
        "completion_tokens_details": {"reasoning_tokens": used.thought},
    }


def heard(body: bytes, _path: str) -> Question:
    sent = json.loads(body)
    names: dict[str, str] = {}
    turns: list[Turn] = []
    system: list[str] = []
    for message in sent["messages"]:
        if message["role"] in ("system", "developer"):
            system.append(_text(message["content"]))
        else:
            turns.append(_turn(message, names))
    shape = sent.get("response_format", {})
    return Question(
        turns=one_by_one(turns),
        system="\n".join(system),
        tools=tuple(_tool(tool["function"]) for tool in sent.get("tools", ())),
        choice=_choice(sent.get("tool_choice", "")),
        parallel=sent.get("parallel_tool_calls"),
        stop=tuple(sent.get("stop", ())),
        most=sent.get("max_tokens", sent.get("max_completion_tokens")),
        effort=sent.get("reasoning_effort", ""),
        schema=shape["json_schema"]["schema"] if shape.get("type") == "json_schema" else None,
        is_stream=sent.get("stream", False),
    )


def _tool(found: dict[str, Any]) -> Tool:
    return Tool(found["name"], found["description"], found["parameters"])


def _choice(found: Any) -> str:
    return found if isinstance(found, str) else found["function"]["name"]


def _turn(message: dict[str, Any], names: dict[str, str]) -> Turn:
    if message["role"] == "tool":
        call_id = message["tool_call_id"]
        return Turn(False, (Result(call_id, names[call_id], _text(message["content"])),))
    parts: list[Part] = []
    for detail in message.get("reasoning_details", ()):
        parts.append(Thought(detail.get("text", ""), detail.get("signature") or detail.get("data") or ""))
    parts += _content(message.get("content"))
    for call in message.get("tool_calls", ()):
        names[call["id"]] = call["function"]["name"]
        parts.append(Called(call["id"], call["function"]["name"], call["function"]["arguments"]))
    return Turn(message["role"] == "assistant", tuple(parts))


def _content(content: Any) -> list[Part]:
    if not content:
        return []
    if isinstance(content, str):
        return [Words(content)]
    return [Words(part["text"]) if part["type"] == "text" else _picture(part["image_url"]["url"]) for part in content]


def _picture(url: str) -> Picture:
    if not url.startswith("data:"):
        return Picture(url)
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return Picture(data=data, media_type=media_type)


def _text(content: Any) -> str:
    return "".join(part.text for part in _content(content) if isinstance(part, Words))
