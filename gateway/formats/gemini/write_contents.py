"""Gemini: turns as the contents of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, takewhile
from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.gemini.models import needs_signatures
from gateway.formats.gemini.results import object_text, write_response
from gateway.formats.gemini.seals import GEMINI, UNSIGNED
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
from gateway.formats.messages.custom_tools import marked_name, wrapped

Block = dict[str, Any]

_NO_ARGUMENTS = msgspec.Raw(b"{}")
_TYPES = {
    **{"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"},
    **{"heic": "image/heic", "pdf": "application/pdf", "mp4": "video/mp4", "txt": "text/plain"},
}


class _Names(msgspec.Struct):
    """The functions' names by the ids of their calls, whether the model needs signatures, and what was dropped."""

    dropped: set[str]
    is_signed: bool
    calls: dict[str, str] = msgspec.field(default_factory=dict)


def write_contents(turns: Sequence[Turn], model: str, dropped: set[str]) -> Block:
    """`contents` and `systemInstruction`. Names of what they cannot carry are added to `dropped`.

    What the system says first is its instruction; what it says later becomes the user's words, in its place. Turns of
    the user and of the model alternate. Raises NotTranslatable for content that Gemini has no place for.
    """
    names = _Names(dropped, needs_signatures(model))
    told = list(takewhile(_is_told, turns))
    contents: list[Block] = []
    for is_model, run in groupby(turns[len(told) :], key=lambda turn: turn.role == Role.ASSISTANT):
        parts = _written(list(run), names)
        if parts:
            contents.append({"role": "model" if is_model else "user", "parts": parts})
    system = _written(told, names)
    if not contents:
        return {"contents": [{"role": "user", "parts": system or [{"text": ""}]}]}
    return {"contents": contents} | ({"systemInstruction": {"parts": system}} if system else {})


def _is_told(turn: Turn) -> bool:
    return turn.role in (Role.SYSTEM, Role.DEVELOPER)


def _written(run: Sequence[Turn], names: _Names) -> list[Block]:
    """The parts of neighbouring turns: results first, as Google wants all of them right after the calls."""
    if any(turn.name for turn in run):
        names.dropped.add("messages.name")
    parts = [part for turn in run for part in turn.parts]
    results = [part for part in parts if isinstance(part, ToolResult)]
    shown = [part for result in results for part in result.parts if not isinstance(part, Text)]
    others = [part for part in parts if not isinstance(part, ToolResult)]
    return [_result(result, names) for result in results] + _said([*shown, *others], names)


def _said(parts: Sequence[Part], names: _Names) -> list[Block]:
    """A signature alone goes on the part after it. Google refuses empty text."""
    written: list[Block] = []
    seal = ""
    for part in parts:
        if isinstance(part, Thinking):
            if part.origin != GEMINI:
                names.dropped.add("thinking")
            elif part.text:
                written.append({"text": part.text, "thought": True} | _signature(part.signature))
            else:
                seal = part.signature
        elif part != Text("", cache=getattr(part, "cache", "")):
            written.append(_part(part, names) | _signature(seal))
            seal = ""
    if seal:
        written.append({"text": ""} | _signature(seal))
    return _with_signed_call(written) if names.is_signed else written


def _signature(seal: str) -> Block:
    return {"thoughtSignature": seal} if seal else {}


def _with_signed_call(written: list[Block]) -> list[Block]:
    """The first call of a turn must be signed; one that another model made says so."""
    first = next((part for part in written if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", UNSIGNED)
    return written


def _part(part: Part, names: _Names) -> Block:
    if getattr(part, "cache", ""):
        names.dropped.add("messages.cache_control")
    write = _PARTS.get(type(part))
    if write is None:
        raise NotTranslatable(f"A message cannot hold a {type(part).__name__.lower()} there.", param="messages")
    return write(part, names)


def _text(part: Text | Refusal, _: _Names) -> Block:
    return {"text": part.text}


def _image(part: Image, names: _Names) -> Block:
    if part.detail not in ("", "auto"):
        names.dropped.add("messages.image_url.detail")
    return _media(part.url, part.data, part.media_type)


def _audio(part: Audio, _: _Names) -> Block:
    return _media("", part.data, part.media_type)


def _file(part: File, names: _Names) -> Block:
    if part.name:
        names.dropped.add("messages.file.filename")
    return _media(part.url, part.data, part.media_type)


def _media(url: str, encoded: str, media_type: str) -> Block:
    if encoded:
        return {"inlineData": {"mimeType": media_type, "data": encoded}}
    if not url:
        raise NotTranslatable("The model's provider does not have files of another one.", param="messages.file_id")
    kind = media_type or _TYPES.get(url.partition("?")[0].rpartition(".")[2].lower(), "")
    return {"fileData": {"fileUri": url} | ({"mimeType": kind} if kind else {})}


def _call(part: ToolCall, names: _Names) -> Block:
    name = marked_name(part.name) if part.is_custom else part.name
    names.calls[part.id] = name
    args = wrapped(part.arguments) if part.is_custom else arguments_object(part.arguments)
    if args is None:
        raise NotTranslatable(
            f"The arguments of the call '{part.id}' are no JSON object.", param="messages.tool_calls.arguments"
        )
    return {"functionCall": {"id": part.id, "name": name, "args": args}}


def arguments_object(arguments: str) -> msgspec.Raw | None:
    """The arguments as an object, empty for none; None where they are no object."""
    return object_text(arguments) if arguments.strip() else _NO_ARGUMENTS


_PARTS: dict[type, Callable[[Any, _Names], Block]] = {
    Text: _text,
    Refusal: _text,
    Image: _image,
    Audio: _audio,
    File: _file,
    ToolCall: _call,
}


def _result(part: ToolResult, names: _Names) -> Block:
    name = names.calls.get(part.call_id) or (marked_name(part.name) if part.is_custom and part.name else part.name)
    if not name:
        raise NotTranslatable(f"No call has the id '{part.call_id}'.", param="messages.tool_call_id")
    if part.cache:
        names.dropped.add("messages.cache_control")
    text = "\n".join(_texts(part.parts))
    response = write_response(text, is_error=part.is_error)
    return {"functionResponse": {"id": part.call_id, "name": name, "response": response}}


def _texts(parts: Iterable[Part]) -> Iterable[str]:
    return (part.text for part in parts if isinstance(part, Text))
