"""The official SDKs' types as judges of what a provider is asked: they must be able to send a translated request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anthropic.types.message_create_params import MessageCreateParams
from google.genai import types
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import ConfigDict, TypeAdapter, ValidationError

_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
_CHAT: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams, config=_STRICT)
_RESPONSES: TypeAdapter[Any] = TypeAdapter(ResponseCreateParams, config=_STRICT)
_MESSAGES: TypeAdapter[Any] = TypeAdapter(MessageCreateParams, config=_STRICT)
_GEMINI: Mapping[str, TypeAdapter[Any]] = {
    "contents": TypeAdapter(list[types.Content]),
    "systemInstruction": TypeAdapter(types.Content),
    "tools": TypeAdapter(list[types.Tool]),
    "toolConfig": TypeAdapter(types.ToolConfig),
    "generationConfig": TypeAdapter(types.GenerationConfig),
    "safetySettings": TypeAdapter(list[types.SafetySetting]),
    "cachedContent": TypeAdapter(str),
}


def fault(upstream: str, body: Mapping[str, Any]) -> str:
    """What is wrong with a request to an upstream of this name, empty where nothing is."""
    try:
        _JUDGES[upstream](body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}, in all {error.error_count()} faults"
    except (KeyError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _gemini(body: Mapping[str, Any]) -> None:
    for name, content in body.items():
        _GEMINI[name].validate_python(content)
    for turn in body["contents"]:
        calls = [part for part in turn["parts"] if "functionCall" in part]
        assert all("thoughtSignature" in call for call in calls[:1]), "Gemini 3 refuses a call without a signature"


def _without_thoughts(messages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Providers that tell thoughts in chat want them back, by a name that OpenAI does not have."""
    return [{name: one for name, one in turn.items() if name != "reasoning_content"} for turn in messages]


def _named(items: str | list[Mapping[str, Any]]) -> str | list[Mapping[str, Any]]:
    """What carries its own proof needs no id, whatever the type says: Codex sends none either."""
    if isinstance(items, str):
        return items
    return [{"id": "rs_1", **item} if item.get("type") == "reasoning" else item for item in items]


def _walk(value: Any) -> None:
    """Lists of an SDK's types are only judged when they are walked through."""
    if isinstance(value, Mapping):
        for inner in value.values():
            _walk(inner)
    elif not isinstance(value, str | bytes | int | float | None):
        for inner in value:
            _walk(inner)


_JUDGES: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "chat": lambda body: _walk(_CHAT.validate_python({**body, "messages": _without_thoughts(body["messages"])})),
    "responses": lambda body: _walk(_RESPONSES.validate_python({**body, "input": _named(body["input"])})),
    "messages": lambda body: _walk(_MESSAGES.validate_python(body)),
    "gemini": _gemini,
}
