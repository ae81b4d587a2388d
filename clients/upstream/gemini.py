"""Gemini's generateContent, as a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.upstream import script
from clients.upstream.script import Heard, Said, Tool
from clients.upstream.wire import Event


def read(body: Mapping[str, Any], path: str) -> Heard:
    parts = [part for turn in body["contents"] for part in turn.get("parts") or ()]
    results = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]
    return Heard(
        text=script.all_text(body["contents"]),
        tools=[_tool(one) for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()],
        results=[str(one.get("output", one.get("result", one))) for one in results],
        signatures=[part["thoughtSignature"] for part in parts if "thoughtSignature" in part],
        is_stream=":streamGenerateContent" in path,
    )


def _tool(declared: Mapping[str, Any]) -> Tool:
    schema = declared.get("parametersJsonSchema") or declared.get("parameters")
    return Tool(declared["name"], script.properties_of(schema))


def whole(said: Said) -> Mapping[str, Any]:
    return _answer(list(_parts(said)), is_last=True)


def stream(said: Said, _heard: Heard) -> Iterator[Event]:
    for part in _parts(Said(thought=said.thought, calls=said.calls)):
        yield Event(_answer([part], is_last=False))
    for piece in script.pieces(said.text):
        yield Event(_answer([{"text": piece}], is_last=False))
    yield Event(_answer([{"text": ""}], is_last=True))


def _parts(said: Said) -> Iterator[Mapping[str, Any]]:
    if said.thought:
        yield {"text": said.thought, "thought": True}
    if said.text:
        yield {"text": said.text}
    for call in said.calls:
        # Of several calls only the first is signed.
        signed = {"thoughtSignature": script.SIGNATURE} if call.number == 1 else {}
        yield {"functionCall": {"name": call.tool.name, "args": call.arguments}, **signed}


def _answer(parts: list[Mapping[str, Any]], *, is_last: bool) -> Mapping[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if is_last:
        candidate["finishReason"] = "STOP"
    usage = {
        "promptTokenCount": script.INPUT_TOKENS,
        "cachedContentTokenCount": script.CACHED_TOKENS,
        "candidatesTokenCount": script.OUTPUT_TOKENS,
        "totalTokenCount": script.INPUT_TOKENS + script.OUTPUT_TOKENS,
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "scripted", "responseId": "r1"}
