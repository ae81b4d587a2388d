"""OpenAI chat completions: a whole answer, read and written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.chat.endings import finish_reason, is_failure, matched_field, read_stop, write_usage
from gateway.formats.chat.surface import read_usage
from gateway.formats.chat.thoughts import (
    GEMINI,
    call_extra,
    call_signature_of,
    is_of_next_call,
    thought_fields,
    thoughts_of,
)
from gateway.formats.conversation_facts import encoded, hash_of
from gateway.formats.intermediate import (
    Answer,
    BadAnswer,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    Told,
    ToolCall,
)
from gateway.formats.metering import count, error_message, members


class _Function(msgspec.Struct):
    """`arguments` stay raw: some servers send the object itself, and its numbers must not change."""

    name: Any = None
    arguments: msgspec.Raw = msgspec.Raw(b"null")
    input: Any = None


class _Call(msgspec.Struct):
    id: Any = None
    type: Any = None
    function: _Function | None = None
    custom: _Function | None = None
    extra_content: Any = None


class _Message(msgspec.Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    images: Any = None
    audio: Any = None
    annotations: Any = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: Any = None
    stop_reason: Any = None
    logprobs: Any = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    id: Any = None
    model: Any = None
    created: Any = None
    usage: Any = None
    error: Any = None


_COMPLETION = msgspec.json.Decoder(_Completion)


def read_whole(body: bytes) -> Answer:
    """Raises BadAnswer where it is not an answer. Of several choices the first one is read."""
    try:
        bodies.parse_object(body)
        found = _COMPLETION.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadInput):
        raise BadAnswer("The provider's answer is not a chat completion.") from None
    if found.error:
        raise BadAnswer(error_message(found.error) or "The provider reported an error.")
    if not found.choices:
        raise BadAnswer("The provider's answer has no choices.")
    return _answer(found, found.choices[0])


def _answer(found: _Completion, choice: _Choice) -> Answer:
    answer_id = text_or_empty(found.id)
    if is_failure(choice.finish_reason):
        raise BadAnswer("The provider's model failed.")
    parts = _parts(choice.message, answer_id)
    calls = any(isinstance(part, ToolCall) for part in parts)
    refuses = any(isinstance(part, Refusal) for part in parts)
    stop, matched = read_stop(choice.finish_reason, choice.stop_reason, calls=calls, refuses=refuses)
    return Answer(
        id=answer_id,
        model=text_or_empty(found.model),
        parts=parts,
        stop=stop,
        stop_sequence=matched,
        usage=read_usage(found.usage),
        created=count(found.created),
        lost=_lost(found, choice),
    )


def _lost(found: _Completion, choice: _Choice) -> tuple[str, ...]:
    lost = {name for name in ("audio", "annotations") if getattr(choice.message, name)}
    if choice.logprobs:
        lost.add("logprobs")
    if len(found.choices) > 1:
        lost.add("choices")
    return tuple(sorted(lost))


def _parts(message: _Message, answer_id: str) -> tuple[Part, ...]:
    parts: list[Part] = list(
        thoughts_of(
            {
                "reasoning_content": message.reasoning_content,
                "reasoning": message.reasoning,
                "reasoning_details": message.reasoning_details,
            }
        )
    )
    parts += _texts(message.content)
    if refusal := text_or_empty(message.refusal):
        parts.append(Refusal(refusal))
    parts += _images(message.images)
    return (*parts, *_calls(message, answer_id))


def _texts(content: Any) -> Iterable[Part]:
    """A string, or as Mistral and some proxies have it a list of parts."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    listed = content if isinstance(content, list) else []
    texts = [text_or_empty(members(part).get("text")) for part in listed]
    return [Text(text) for text in texts if text]


def _images(images: Any) -> Iterable[Part]:
    """Pictures as OpenRouter has them."""
    for image in images if isinstance(images, list) else []:
        url = text_or_empty(members(members(image).get("image_url")).get("url"))
        head, comma, data = url.partition(";base64,")
        if comma and head.startswith("data:"):
            yield Image(data=data, media_type=head.removeprefix("data:"))
        elif url:
            yield Image(url=url)


def _calls(message: _Message, answer_id: str) -> Iterable[Part]:
    calls = list(message.tool_calls or [])
    if message.function_call is not None:
        calls.append(_Call(function=message.function_call))
    for index, call in enumerate(calls):
        if signature := call_signature_of(call.extra_content):
            yield Thinking(signature=signature, origin=GEMINI)
        call_id = text_or_empty(call.id) or made_id(answer_id, index)
        if call.custom is not None:
            name, given = text_or_empty(call.custom.name), text_or_empty(call.custom.input)
            yield ToolCall(call_id, name, given, is_custom=True)
        else:
            function = call.function or _Function()
            yield ToolCall(call_id, text_or_empty(function.name), arguments_text(function.arguments))


def arguments_text(found: msgspec.Raw) -> str:
    """Arguments as the text they came as: in a string, or the object itself."""
    text = bytes(found)
    if text.startswith(b'"'):
        return text_or_empty(bodies.decode_any(text))
    return text.decode("utf-8", "replace") if text.startswith(b"{") else ""


def made_id(answer_id: str, index: int) -> str:
    """An id for a call that came without one: the same for the same answer, another one in another."""
    return "call_" + hash_of([encoded(f"{answer_id}/{index}")])


def text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def write_whole(answer: Answer, told: Told) -> bytes:
    """The answer as OpenAI's SDK reads it."""
    refuses = any(isinstance(part, Refusal) for part in answer.parts)
    choice = {
        "index": 0,
        "message": _message(answer.parts),
        "logprobs": None,
        "finish_reason": finish_reason(answer.stop, refuses=refuses),
    } | matched_field(answer.stop_sequence)
    return msgspec.json.encode(
        {
            "id": answer.id or f"chatcmpl-{told.call_id}",
            "object": "chat.completion",
            "created": answer.created or told.now,
            "model": told.model or answer.model,
            "choices": [choice],
            "usage": write_usage(answer.usage or told.estimate),
        }
    )


def _message(parts: tuple[Part, ...]) -> dict[str, object]:
    calls, thoughts = [], []
    signature = ""
    for part, after in zip(parts, (*parts, None)[1:], strict=True):
        if isinstance(part, ToolCall):
            calls.append(_call(part, signature))
        elif isinstance(part, Thinking) and not (is_of_next_call(part) and isinstance(after, ToolCall)):
            thoughts.append(part)
        signature = part.signature if isinstance(part, Thinking) and is_of_next_call(part) else ""
    said = "".join(part.text for part in parts if isinstance(part, Text))
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    message: dict[str, object] = {"role": "assistant", "content": said or None, "refusal": refusal or None}
    message |= thought_fields(thoughts)
    if images := [_image(part) for part in parts if isinstance(part, Image)]:
        message["images"] = images
    if calls:
        message["tool_calls"] = calls
    elif not said and not refusal:
        message["content"] = ""
    return message


def _image(image: Image) -> dict[str, object]:
    url = image.url or f"data:{image.media_type};base64,{image.data}"
    return {"type": "image_url", "image_url": {"url": url}}


def _call(call: ToolCall, signature: str) -> dict[str, object]:
    kind = "custom" if call.is_custom else "function"
    return {"id": call.id, "type": kind, kind: named_call(call)} | call_extra(signature)


def named_call(call: ToolCall) -> dict[str, str]:
    if call.is_custom:
        return {"name": call.name, "input": call.arguments}
    return {"name": call.name, "arguments": call.arguments or "{}"}
