"""OpenAI's SDK, asking for responses."""

from __future__ import annotations

from typing import Any

import openai
from openai.types.responses import Response, ResponseStreamEvent

from tests.callers.got import Got
from tests.harness import RunningGateway
from tests.voices.said import Called, Part, Picture, Question, Result, Thought, Turn, Used, Words

Json = dict[str, Any]


class ResponsesCaller:
    def __init__(self, gateway: RunningGateway) -> None:
        self.sdk = openai.AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=gateway.api_key, max_retries=0, _strict_response_validation=True
        )

    async def close(self) -> None:
        await self.sdk.close()

    async def ask(self, model: str, question: Question, **more: Any) -> Got:
        raw = await self.sdk.responses.with_raw_response.create(**{**_body(question), "model": model, **more})
        if not question.is_stream:
            answer = raw.parse()
            assert isinstance(answer, Response)
            return _got(answer, raw.headers)
        events = [event async for event in raw.parse()]
        if events[-1].type == "error":
            # This SDK hands it to its caller like every other event.
            raise openai.APIError(events[-1].message, raw.http_request, body=None)
        return _got(_last(events), raw.headers)


def _got(answer: Response, headers: Any) -> Got:
    text, thought, calls = "", "", []
    for item in answer.output:
        if item.type == "message":
            text += "".join(part.text for part in item.content if part.type == "output_text")
        elif item.type == "reasoning":
            thought += "".join(part.text for part in item.summary)
        elif item.type == "function_call":
            calls.append(Called(item.call_id, item.name, item.arguments))
    used, usage, details = None, answer.usage, answer.incomplete_details
    if usage is not None:
        inputs, outputs = usage.input_tokens_details, usage.output_tokens_details
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        used = Used(usage.input_tokens, inputs.cached_tokens, usage.output_tokens, outputs.reasoning_tokens)
    end = answer.status if details is None or details.reason is None else details.reason
    native = [item.model_dump(exclude_none=True, exclude={"status"}) for item in answer.output]
    return Got(text, thought, tuple(calls), end or "", used, headers, native)


def _last(events: list[ResponseStreamEvent]) -> Response:
    """The answer that the stream ends with; the events before must have said the same, one after the other."""
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    texts: dict[str, str] = {}
    for event in events:
        if event.type in (
            "response.output_text.delta",
            "response.function_call_arguments.delta",
            "response.reasoning_summary_text.delta",
        ):
            texts[event.item_id] = texts.get(event.item_id, "") + event.delta
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete"), last.type
    answer: Response = last.response
    for item in answer.output:
        told = texts.get(item.id or "", "")
        if item.type == "message":
            assert told == "".join(part.text for part in item.content if part.type == "output_text")
        elif item.type == "function_call":
            assert told == item.arguments
    added = [event.item.id for event in events if event.type == "response.output_item.added"]
    done = [event.item.id for event in events if event.type == "response.output_item.done"]
    assert added == [item.id for item in answer.output]
    assert sorted(map(str, done)) == sorted(map(str, added))
    return answer


def _body(question: Question) -> Json:
    body: Json = {"input": [item for turn in question.turns for item in _items(turn)]}
    if question.system:
        body["instructions"] = question.system
    if question.is_stream:
        body["stream"] = True
    body |= _tools(question)
    if question.most:
        body["max_output_tokens"] = question.most
    if question.effort:
        body["reasoning"] = {"effort": question.effort}
    if question.schema:
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": question.schema}}
    assert not question.stop, "Responses has no stop sequences"
    return body


def _tools(question: Question) -> Json:
    body: Json = {}
    if question.tools:
        body["tools"] = [
            {"type": "function", "strict": False}
            | {"name": tool.name, "description": tool.description, "parameters": tool.schema}
            for tool in question.tools
        ]
    if question.choice:
        named = {"type": "function", "name": question.choice}
        body["tool_choice"] = question.choice if question.choice in ("auto", "none", "required") else named
    if question.parallel is not None:
        body["parallel_tool_calls"] = question.parallel
    return body


def _items(turn: Turn) -> list[Json]:
    if turn.native is not None:
        items: list[Json] = turn.native
        return items
    items, content = [], []
    for part in turn.parts:
        if isinstance(part, Called):
            items.append({"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments})
        elif isinstance(part, Result):
            items.append({"type": "function_call_output", "call_id": part.id, "output": part.text})
        else:
            content.append(_part(part, is_model=turn.is_model))
    said: list[Json] = [{"role": "assistant" if turn.is_model else "user", "content": content}] if content else []
    return said + items if turn.is_model else items + said


def _part(part: Part, *, is_model: bool) -> Json:
    assert not isinstance(part, Thought)
    if isinstance(part, Picture):
        url = part.url or f"data:{part.media_type};base64,{part.data}"
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    assert isinstance(part, Words)
    return {"type": "output_text" if is_model else "input_text", "text": part.text}
