"""Anthropic's SDK."""

from __future__ import annotations

import json
from typing import Any

import anthropic
from anthropic.types import Message

from tests.callers.got import Got
from tests.harness import RunningGateway
from tests.voices.said import WORDS, Called, Part, Picture, Question, Result, Thought, Turn, Used, Words, compact

Json = dict[str, Any]
_BUDGETS = {word: budget for budget, word in WORDS.items()}
USUAL = 900
"""Tokens of an answer: there is no request without a limit."""


class MessagesCaller:
    def __init__(self, gateway: RunningGateway) -> None:
        self.sdk = anthropic.AsyncAnthropic(
            base_url=gateway.url, api_key=gateway.api_key, max_retries=0, timeout=30, _strict_response_validation=True
        )

    async def close(self) -> None:
        await self.sdk.close()

    async def ask(self, model: str, question: Question, **more: Any) -> Got:
        body: Json = {**_body(question), "model": model, **more}
        if not question.is_stream:
            raw = await self.sdk.messages.with_raw_response.create(**body)
            answer = await raw.parse()
            assert isinstance(answer, Message)
            return _got(answer, raw.headers)
        async with self.sdk.messages.stream(**body) as stream:
            kinds, arguments = [], dict[int, str]()
            async for event in stream:
                kinds.append(event.type)
                if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                    arguments[event.index] = arguments.get(event.index, "") + event.delta.partial_json
            assert kinds[0] == "message_start"
            assert kinds[-1] == "message_stop"
            got = _got(await stream.get_final_message(), stream.response.headers)
            streamed = [arguments.get(index, "") for index in sorted(arguments)]
            assert [json.loads(text) for text in streamed] == [json.loads(call.arguments) for call in got.calls]
            return _with_arguments(got, streamed)


def _with_arguments(got: Got, streamed: list[str]) -> Got:
    """With the arguments as they came in the stream, which the SDK shows only as objects."""
    calls = [Called(call.id, call.name, text) for call, text in zip(got.calls, streamed, strict=True)]
    return Got(got.text, got.thought, tuple(calls), got.end, got.used, got.headers, got.native)


def _got(answer: Message, headers: Any) -> Got:
    text, thought, calls = "", "", []
    for block in answer.content:
        if block.type == "text":
            text += block.text
        elif block.type == "thinking":
            thought += block.thinking
        elif block.type == "tool_use":
            calls.append(Called(block.id, block.name, compact(block.input)))
    usage = answer.usage
    cached = usage.cache_read_input_tokens or 0
    total = usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0)
    details = usage.output_tokens_details
    used = Used(total, cached, usage.output_tokens, details.thinking_tokens if details else 0)
    native = [block.model_dump(exclude_none=True) for block in answer.content]
    return Got(text, thought, tuple(calls), answer.stop_reason or "", used, headers, native)


def _body(question: Question) -> Json:
    body: Json = {"max_tokens": question.most or USUAL, "messages": [_message(turn) for turn in question.turns]}
    if question.system:
        body["system"] = question.system
    if question.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.schema} for tool in question.tools
        ]
    if question.choice or question.parallel is not None:
        kinds = {"required": "any", "auto": "auto", "none": "none", "": "auto"}
        kind = kinds.get(question.choice)
        body["tool_choice"] = {"type": kind} if kind else {"type": "tool", "name": question.choice}
        if question.parallel is not None:
            body["tool_choice"]["disable_parallel_tool_use"] = not question.parallel
    if question.stop:
        body["stop_sequences"] = list(question.stop)
    if question.effort:
        body["thinking"] = {"type": "enabled", "budget_tokens": _BUDGETS[question.effort]}
    if question.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": question.schema}}
    return body


def _message(turn: Turn) -> Json:
    content = turn.native if turn.native is not None else [_block(part) for part in turn.parts]
    return {"role": "assistant" if turn.is_model else "user", "content": content}


def _block(part: Part) -> Json:
    match part:
        case Words():
            return {"type": "text", "text": part.text}
        case Picture():
            base64 = {"type": "base64", "media_type": part.media_type, "data": part.data}
            return {"type": "image", "source": {"type": "url", "url": part.url} if part.url else base64}
        case Called():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": json.loads(part.arguments)}
        case Result():
            return {"type": "tool_result", "tool_use_id": part.id, "content": part.text}
        case Thought():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
