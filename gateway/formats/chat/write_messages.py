"""OpenAI chat completions: turns as the messages of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any

from gateway.errors import NotTranslatable
from gateway.formats.chat.dialect import takes_cache_control, takes_thought_signatures
from gateway.formats.chat.thoughts import CHAT, call_extra, is_of_next_call, thought_fields
from gateway.formats.intermediate import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)

Message = dict[str, Any]

_LONGEST_ID = 40  # OpenAI refuses longer ids of calls
_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}


def write_messages(turns: Iterable[Turn], model: str, dropped: set[str]) -> list[Message]:
    """Messages for the provider's `model`; names of what they cannot carry are added to `dropped`.

    Raises NotTranslatable for content that chat has no place for.
    """
    messages: list[Message] = []
    for role, run in groupby(turns, key=lambda turn: turn.role):
        if role == Role.USER:
            messages += _user_run(list(run), model, dropped)
        elif role == Role.ASSISTANT:
            messages += [_assistant(turn, model, dropped) for turn in run]
        else:
            messages += [_said(turn, turn.parts, model, dropped) for turn in run]
    return messages


def _user_run(run: Sequence[Turn], model: str, dropped: set[str]) -> list[Message]:
    """First a message for every result, as they must follow the calls, then what else the user says.

    A message with a result takes text only: its pictures and files come in a message of the user right after.
    """
    results = [part for turn in run for part in turn.parts if isinstance(part, ToolResult)]
    messages = [_result(result, model, dropped) for result in results]
    shown = tuple(part for result in results for part in result.parts if not isinstance(part, Text))
    if shown:
        messages.append(_said(Turn(Role.USER, shown), shown, model, dropped))
    for turn in run:
        said = tuple(part for part in turn.parts if not isinstance(part, ToolResult))
        if said or not turn.parts:
            messages.append(_said(turn, said, model, dropped))
    return messages


def _result(result: ToolResult, model: str, dropped: set[str]) -> Message:
    texts = [part for part in result.parts if isinstance(part, Text)]
    if result.is_error:
        dropped.add("messages.is_error")
    message: Message = {
        "role": "tool",
        "tool_call_id": call_id(result.call_id),
        "content": _content(texts, model, dropped),
    }
    return message | _cache(result.cache, model, dropped)


def _said(turn: Turn, parts: Sequence[Part], model: str, dropped: set[str]) -> Message:
    message: Message = {"role": turn.role.value, "content": _content(parts, model, dropped)}
    if turn.name:
        message["name"] = turn.name
    return message


def _content(parts: Sequence[Part], model: str, dropped: set[str]) -> str | list[Message]:
    """Text alone as a string, which every server takes."""
    kept = [part for part in parts if not isinstance(part, Thinking)]
    if len(kept) < len(parts):
        dropped.add("thinking")
    if not kept:
        return ""
    written = [_part(part, model, dropped) for part in kept]
    if len(written) == 1 and written[0].keys() == {"type", "text"}:
        return str(written[0]["text"])
    return written


def _part(part: Part, model: str, dropped: set[str]) -> Message:
    write = _PARTS.get(type(part))
    if write is None:
        raise NotTranslatable(f"A chat message cannot hold a {type(part).__name__.lower()} there.", param="messages")
    return write(part) | _cache(getattr(part, "cache", ""), model, dropped)


def _text(part: Text) -> Message:
    return {"type": "text", "text": part.text}


def _refusal(part: Refusal) -> Message:
    return {"type": "refusal", "refusal": part.text}


def _image(part: Image) -> Message:
    if not part.url and not part.data:
        raise NotTranslatable("A chat message cannot hold an image by the id of its file.", param="messages.file_id")
    shown = {"url": part.url or f"data:{part.media_type};base64,{part.data}"}
    if part.detail:
        shown["detail"] = part.detail
    return {"type": "image_url", "image_url": shown}


def _audio(part: Audio) -> Message:
    kind = part.media_type.rpartition("/")[2]
    return {"type": "input_audio", "input_audio": {"data": part.data, "format": _AUDIO_FORMATS.get(kind, kind)}}


def _file(part: File) -> Message:
    named = {"filename": part.name} if part.name else {}
    if part.file_id:
        return {"type": "file", "file": {"file_id": part.file_id} | named}
    if part.url:
        raise NotTranslatable("A chat message cannot hold a file by its URL.", param="messages.file.url")
    return {"type": "file", "file": {"file_data": f"data:{part.media_type};base64,{part.data}"} | named}


_PARTS: dict[type, Callable[[Any], Message]] = {
    Text: _text,
    Refusal: _refusal,
    Image: _image,
    Audio: _audio,
    File: _file,
}


def _cache(cache: str, model: str, dropped: set[str]) -> Message:
    if not cache:
        return {}
    if not takes_cache_control(model):
        dropped.add("messages.cache_control")
        return {}
    return {"cache_control": cache_control(cache)}


def cache_control(cache: str) -> dict[str, str]:
    return {"type": "ephemeral"} if cache == "5m" else {"type": "ephemeral", "ttl": cache}


def _assistant(turn: Turn, model: str, dropped: set[str]) -> Message:
    said: list[Part] = []
    thoughts: list[Thinking] = []
    calls: list[Message] = []
    for place, part in enumerate(turn.parts):
        if isinstance(part, ToolCall):
            calls.append(_call(part, _signature_before(turn.parts, place, model)))
        elif isinstance(part, Thinking):
            thoughts += _kept_thought(turn.parts, place, model, dropped)
        else:
            said.append(part)
    message: Message = {"role": "assistant"}
    message["content"] = _content(said, model, dropped) if said or not calls else None
    if turn.name:
        message["name"] = turn.name
    message |= thought_fields(thoughts)
    if calls:
        message["tool_calls"] = calls
    return message


def _kept_thought(parts: Sequence[Part], place: int, model: str, dropped: set[str]) -> list[Thinking]:
    """The thought at `place` where this server made it; one that is written with its call is not named as dropped."""
    thought = parts[place]
    assert isinstance(thought, Thinking)
    if thought.origin == CHAT:
        return [thought]
    with_call = place + 1 < len(parts) and isinstance(parts[place + 1], ToolCall)
    if not (with_call and is_of_next_call(thought) and takes_thought_signatures(model)):
        dropped.add("thinking")
    return []


def _signature_before(parts: Sequence[Part], place: int, model: str) -> str:
    """Google's signature of the call at `place`, where the provider takes it."""
    before = parts[place - 1] if place else None
    if isinstance(before, Thinking) and is_of_next_call(before) and takes_thought_signatures(model):
        return before.signature
    return ""


def _call(call: ToolCall, signature: str) -> Message:
    named: Message
    if call.is_custom:
        named = {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        named = {"type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
    return {"id": call_id(call.id)} | named | call_extra(signature)


def call_id(given: str) -> str:
    """The id of a call as OpenAI takes it: one that is too long becomes its hash, in the call and in its result."""
    return given if len(given) <= _LONGEST_ID else "call_" + blake2b(given.encode(), digest_size=16).hexdigest()
