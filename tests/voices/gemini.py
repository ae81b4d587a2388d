"""A provider that speaks Gemini's generateContent."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.voices.messages import exactly, written_again
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
    encoded,
    event,
    one_by_one,
    raw,
)

PATH = "/v1/models/"
_ENDS = {
    End.DONE: "STOP",
    End.LENGTH: "MAX_TOKENS",
    End.CALLS: "STOP",
    End.STOP: "STOP",
    End.FILTER: "SAFETY",
    End.CONTEXT: "MAX_TOKENS",
}
_CHOICES = {"AUTO": "auto", "NONE": "none", "ANY": "required"}


def whole(said: Said) -> bytes:
    parts = [part for _, part in _parts(said, in_pieces=False)]
    return encoded(_answer(parts, said, is_last=True))


def stream(said: Said) -> list[bytes]:
    chunks = [_answer([part], said, is_last=False) for _, part in _parts(said, in_pieces=True)]
    return [event(chunk) for chunk in (*chunks, _answer([{"text": ""}], said, is_last=True))]


def error(message: str, status: int) -> bytes:
    word = {429: "RESOURCE_EXHAUSTED", 400: "INVALID_ARGUMENT"}.get(status, "INTERNAL")
    return encoded({"error": {"code": status, "message": message, "status": word}})


def error_event(message: str) -> bytes:
    return event(error(message, 500).decode())


def _parts(said: Said, *, in_pieces: bool) -> list[tuple[str, dict[str, Any]]]:
    """The signature is on the first part after the thought, as Google has it."""
    parts: list[tuple[str, dict[str, Any]]] = []
    seal: dict[str, Any] = {}
    if said.thought:
        texts = said.cut(said.thought.text) if in_pieces else [said.thought.text]
        parts += [("thought", {"text": text, "thought": True}) for text in texts]
        seal = {"thoughtSignature": said.thought.signature} if said.thought.signature else {}
    for text in said.cut(said.text) if in_pieces else [said.text] if said.text else []:
        parts.append(("text", {"text": text, **seal}))
        seal = {}
    for call in said.calls:
        args = {"id": call.id, "name": call.name, "args": raw(call.arguments)}
        parts.append(("call", {"functionCall": args, **seal}))
        seal = {}
    return parts


def _answer(parts: list[dict[str, Any]], said: Said, *, is_last: bool) -> dict[str, Any]:
    ending = {"finishReason": _ENDS[said.end]} if is_last else {}
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **ending}
    usage = {"usageMetadata": _usage(said.used)} if said.used and is_last else {}
    return {"candidates": [candidate], **usage, "modelVersion": "upstream-gemini", "responseId": "r7"}


def _usage(used: Used) -> dict[str, int]:
    return {
        "promptTokenCount": used.input,
        "cachedContentTokenCount": used.cached,
        "candidatesTokenCount": used.output - used.thought,
        "thoughtsTokenCount": used.thought,
        "totalTokenCount": used.input + used.output,
    }


def heard(body: bytes, path: str) -> Question:
    sent, written = json.loads(body), exactly(body)
    config = sent.get("generationConfig", {})
    declared = [tool for group in sent.get("tools", ()) for tool in group["functionDeclarations"]]
    thinking = config.get("thinkingConfig", {})
    budget = _either(thinking, "thinkingBudget")
    return Question(
        turns=one_by_one([_turn(content) for content in written["contents"]]),
        system="".join(part["text"] for part in sent.get("systemInstruction", {}).get("parts", ())),
        tools=tuple(
            Tool(tool["name"], tool["description"], _either(tool, "parametersJsonSchema")) for tool in declared
        ),
        choice=_choice(sent.get("toolConfig", {}).get("functionCallingConfig", {})),
        stop=tuple(config.get("stopSequences", ())),
        most=config.get("maxOutputTokens"),
        effort="" if budget is None else WORDS[budget],
        schema=config.get("responseJsonSchema") or config.get("responseSchema"),
        is_stream=":streamGenerateContent" in path,
    )


def _tool(found: dict[str, Any]) -> Tool:
    return Tool(found["name"], found["description"], _either(found, "parametersJsonSchema"))


def _either(found: dict[str, Any], name: str) -> Any:
    """Google's own SDK writes some names in the other way."""
    return found.get(name) or found.get(re.sub("([A-Z])", r"_\1", name).lower())


def _choice(found: dict[str, Any]) -> str:
    names = found.get("allowedFunctionNames", ())
    return str(names[0]) if names else _CHOICES.get(found.get("mode", ""), "")


def _turn(content: dict[str, Any]) -> Turn:
    parts: list[Part] = []
    for part in content["parts"]:
        found = _part(part)
        if "thoughtSignature" in part:
            seal = part["thoughtSignature"]
            if parts and isinstance(parts[-1], Thought):
                parts[-1] = Thought(parts[-1].text, seal)
            else:
                parts.append(Thought("", seal))
        if found != Words(""):
            parts.append(found)
    return Turn(content.get("role") == "model", tuple(parts))


def _part(part: dict[str, Any]) -> Part:
    if "functionCall" in part:
        call = part["functionCall"]
        return Called(call.get("id", ""), call["name"], written_again(call.get("args", {})))
    if "functionResponse" in part:
        result = part["functionResponse"]
        response = result["response"]
        texts = [response[name] for name in ("output", "result") if name in response]
        return Result(result.get("id", ""), result["name"], texts[0] if texts else written_again(response))
    if "fileData" in part:
        found = part["fileData"]
        return Picture(_either(found, "fileUri"), media_type=_either(found, "mimeType"))
    if "inlineData" in part:
        # Google takes both alphabets of base64, and its SDK sends that for URLs.
        found = part["inlineData"]
        return Picture(data=found["data"].replace("-", "+").replace("_", "/"), media_type=_either(found, "mimeType"))
    return Thought(part["text"]) if part.get("thought") else Words(part["text"])
