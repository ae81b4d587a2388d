"""Google's SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

from google import genai
from google.genai import types

from tests.callers.got import Got
from tests.harness import RunningGateway
from tests.voices.said import WORDS, Called, Part, Picture, Question, Result, Thought, Turn, Used, Words, compact

Json = dict[str, Any]
_BUDGETS = {word: budget for budget, word in WORDS.items()}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


class GeminiCaller:
    def __init__(self, gateway: RunningGateway) -> None:
        self.sdk = genai.Client(
            api_key=gateway.api_key, http_options=types.HttpOptions(base_url=gateway.url, timeout=30_000)
        ).aio

    async def close(self) -> None:
        await self.sdk.aclose()

    async def ask(self, model: str, question: Question, **more: Any) -> Got:
        body: Json = {"contents": [_content(turn) for turn in question.turns], "config": {**_config(question), **more}}
        if not question.is_stream:
            return _got([await self.sdk.models.generate_content(model=model, **body)])
        stream = await self.sdk.models.generate_content_stream(model=model, **body)
        return _got([chunk async for chunk in stream])


def _got(chunks: list[types.GenerateContentResponse]) -> Got:
    parts: list[types.Part] = []
    ends: list[str] = []
    for chunk in chunks:
        for candidate in chunk.candidates or ():
            parts += (candidate.content and candidate.content.parts) or []
            ends += [candidate.finish_reason.value] if candidate.finish_reason else []
    (end,) = ends
    calls = [part.function_call for part in parts if part.function_call]
    told = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    used = None
    if told:
        last = told[-1]
        thought = last.thoughts_token_count or 0
        used = Used(
            last.prompt_token_count or 0,
            last.cached_content_token_count or 0,
            (last.candidates_token_count or 0) + thought,
            thought,
        )
        assert last.total_token_count == used.input + used.output
    response = chunks[0].sdk_http_response
    return Got(
        text="".join(part.text for part in parts if part.text and not part.thought),
        thought="".join(part.text for part in parts if part.text and part.thought),
        calls=tuple(Called(call.id or "", call.name or "", compact(call.args)) for call in calls),
        end=end,
        used=used,
        headers=(response and response.headers) or {},
        native=types.Content(role="model", parts=parts),
    )


def _config(question: Question) -> Json:
    config: Json = {"automatic_function_calling": {"disable": True}}
    if question.system:
        config["system_instruction"] = question.system
    if question.tools:
        declared = [
            {"name": tool.name, "description": tool.description, "parameters_json_schema": tool.schema}
            for tool in question.tools
        ]
        config["tools"] = [{"function_declarations": declared}]
    if question.choice:
        named = {"mode": "ANY", "allowed_function_names": [question.choice]}
        mode = _MODES.get(question.choice)
        config["tool_config"] = {"function_calling_config": {"mode": mode} if mode else named}
    assert question.parallel is None, "Gemini has no word for it"
    if question.stop:
        config["stop_sequences"] = list(question.stop)
    if question.most:
        config["max_output_tokens"] = question.most
    if question.effort:
        config["thinking_config"] = {"thinking_budget": _BUDGETS[question.effort], "include_thoughts": True}
    if question.schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": question.schema}
    return config


def _content(turn: Turn) -> Any:
    if turn.native is not None:
        return turn.native
    return {"role": "model" if turn.is_model else "user", "parts": [_part(part) for part in turn.parts]}


def _part(part: Part) -> Json:
    assert not isinstance(part, Thought)
    match part:
        case Words():
            return {"text": part.text}
        case Picture():
            if part.url:
                return {"file_data": {"file_uri": part.url, "mime_type": part.media_type}}
            return {"inline_data": {"data": base64.b64decode(part.data), "mime_type": part.media_type}}
        case Called():
            return {"function_call": {"id": part.id, "name": part.name, "args": json.loads(part.arguments)}}
        case Result():
            return {"function_response": {"id": part.id, "name": part.name, "response": {"output": part.text}}}
