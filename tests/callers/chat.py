"""OpenAI's SDK, asking for chat completions."""

from __future__ import annotations

from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage

from tests.callers.got import Got
from tests.harness import RunningGateway
from tests.voices.said import Called, Part, Picture, Question, Result, Thought, Turn, Used, Words

Json = dict[str, Any]


class ChatCaller:
    def __init__(self, gateway: RunningGateway) -> None:
        self.sdk = openai.AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=gateway.api_key, max_retries=0, _strict_response_validation=True
        )

    async def close(self) -> None:
        await self.sdk.close()

    async def ask(self, model: str, question: Question, **more: Any) -> Got:
        raw = await self.sdk.chat.completions.with_raw_response.create(**{**_body(question), "model": model, **more})
        if not question.is_stream:
            answer = raw.parse()
            assert isinstance(answer, ChatCompletion)
            return _got(answer, raw.headers)
        chunks = [chunk async for chunk in raw.parse()]
        return _got(_joined(chunks), raw.headers)


def _got(answer: ChatCompletion, headers: Any) -> Got:
    (choice,) = answer.choices
    message, usage = choice.message, answer.usage
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    used = None
    if usage is not None:
        details, prompt = usage.completion_tokens_details, usage.prompt_tokens_details
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        used = Used(
            usage.prompt_tokens,
            (prompt and prompt.cached_tokens) or 0,
            usage.completion_tokens,
            (details and details.reasoning_tokens) or 0,
        )
    return Got(
        text=message.content or "",
        thought=(message.model_extra or {}).get("reasoning_content") or "",
        calls=tuple(Called(call.id, call.function.name, call.function.arguments) for call in calls),
        end=choice.finish_reason,
        used=used,
        headers=headers,
        native=message.model_dump(exclude_none=True),
    )


def _joined(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """One answer out of a stream; holds it to the rules of such streams."""
    message: Json = {"role": None, "content": None}
    calls: dict[int, Json] = {}
    ends, usages = [], [chunk.usage for chunk in chunks if chunk.usage is not None]
    for chunk in chunks:
        for choice in chunk.choices:
            message["role"] = message["role"] or choice.delta.role
            if choice.delta.content:
                message["content"] = (message["content"] or "") + choice.delta.content
            extra = choice.delta.model_extra or {}
            if extra.get("reasoning_content"):
                message["reasoning_content"] = message.get("reasoning_content", "") + extra["reasoning_content"]
            message.setdefault("reasoning_details", []).extend(extra.get("reasoning_details") or ())
            for call in choice.delta.tool_calls or ():
                _add_call(calls, call.model_dump(exclude_none=True))
            ends += [choice.finish_reason] if choice.finish_reason else []
    (end,) = ends
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    if not message["reasoning_details"]:
        del message["reasoning_details"]
    return ChatCompletion(
        id=chunks[0].id,
        created=chunks[0].created,
        model=chunks[0].model,
        object="chat.completion",
        choices=[{"index": 0, "finish_reason": end, "message": ChatCompletionMessage(**message)}],  # type: ignore[list-item]
        usage=usages[-1] if usages else None,
    )


def _add_call(calls: dict[int, Json], piece: Json) -> None:
    index = piece.pop("index")
    if index not in calls:
        assert piece["id"]
        assert piece["function"]["name"]
        calls[index] = {**piece, "function": {"arguments": "", **piece["function"]}}
        return
    # A client of OpenAI's takes a name or an id as the beginning of another call.
    assert "id" not in piece
    assert "name" not in piece["function"]
    calls[index]["function"]["arguments"] += piece["function"].get("arguments", "")
    for name in piece.keys() - {"function", "type"}:
        calls[index][name] = piece[name]


def _body(question: Question) -> Json:
    messages: list[Json] = [{"role": "system", "content": question.system}] if question.system else []
    messages += [message for turn in question.turns for message in _messages(turn)]
    body: Json = {"messages": messages}
    if question.is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= _tools(question)
    if question.stop:
        body["stop"] = list(question.stop)
    if question.most:
        body["max_completion_tokens"] = question.most
    if question.effort:
        body["reasoning_effort"] = question.effort
    if question.schema:
        schema = {"name": "answer", "schema": question.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _tools(question: Question) -> Json:
    body: Json = {}
    if question.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            }
            for tool in question.tools
        ]
    if question.choice:
        named = {"type": "function", "function": {"name": question.choice}}
        body["tool_choice"] = question.choice if question.choice in ("auto", "none", "required") else named
    if question.parallel is not None:
        body["parallel_tool_calls"] = question.parallel
    return body


def _messages(turn: Turn) -> list[Json]:
    if turn.native is not None:
        return [turn.native]
    if turn.is_model:
        calls = [part for part in turn.parts if isinstance(part, Called)]
        said = "".join(part.text for part in turn.parts if isinstance(part, Words))
        tool_calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
        return [{"role": "assistant", "content": said or None, **({"tool_calls": tool_calls} if calls else {})}]
    results = [part for part in turn.parts if isinstance(part, Result)]
    content = [_part(part) for part in turn.parts if not isinstance(part, Result)]
    messages: list[Json] = [{"role": "tool", "tool_call_id": part.id, "content": part.text} for part in results]
    return messages + ([{"role": "user", "content": content}] if content else [])


def _part(part: Part) -> Json:
    assert not isinstance(part, Thought)
    if isinstance(part, Picture):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url}}
    assert isinstance(part, Words)
    return {"type": "text", "text": part.text}
