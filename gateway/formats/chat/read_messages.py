"""OpenAI chat completions: the messages of a request as turns."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.errors import BadInput, NotTranslatable
from gateway.formats import body as bodies
from gateway.formats.chat.thoughts import GEMINI, call_signature_of, thoughts_of
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
from gateway.formats.members import Members, is_object, is_text, text_at

_ROLES = {role.value: role for role in Role}
_AUDIO_TYPES = {"mp3": "audio/mpeg"}
_DOCUMENT = "application/pdf"  # what a file is where nobody says it


class _Conversation(msgspec.Struct):
    """What later messages need of earlier ones: the names of calls, those that take free text, and older calls, which
    have no ids.
    """

    lost: set[str]
    names: dict[str, str] = msgspec.field(default_factory=dict)
    custom: set[str] = msgspec.field(default_factory=set)
    unanswered: dict[str, list[str]] = msgspec.field(default_factory=dict)
    legacy: int = 0


def read_turns(body: Members, lost: set[str]) -> tuple[Turn, ...]:
    """One turn a message; names of what has no place are added to `lost`."""
    conversation = _Conversation(lost)
    return tuple(_turn(message, conversation) for message in body.objects("messages"))


def cache_of(part: Members) -> str:
    """How long a cache shall keep everything up to here, as Anthropic says it and clients of other formats do too."""
    control = part.object("cache_control")
    if not control.fields:
        return ""
    return "1h" if control.text("ttl") == "1h" else "5m"


def _turn(message: Members, conversation: _Conversation) -> Turn:
    role = message.needed_text("role")
    if role == "tool":
        return Turn(Role.USER, (_result(message, conversation),))
    if role == "function":
        return Turn(Role.USER, (_legacy_result(message, conversation),))
    if role not in _ROLES:
        raise NotTranslatable(f"A message cannot have the role '{role}'.", param=message.where("role"))
    if role == Role.ASSISTANT:
        parts = _assistant_parts(message, conversation)
    else:
        parts = _needed_content(message, conversation.lost)
    return Turn(_ROLES[role], parts, name=message.text("name"))


def _needed_content(message: Members, lost: set[str]) -> tuple[Part, ...]:
    if not message.has("content"):
        place = message.where("content")
        raise BadInput(f"The field '{place}' is missing.", param=place, code="missing_required_parameter")
    return _content(message, lost)


def _content(message: Members, lost: set[str]) -> tuple[Part, ...]:
    found = message.raw("content")
    if found is None:
        return ()
    if is_text(found):
        return (Text(text_at(found, message.where("content"))),)
    return tuple(_part(part, lost) for part in message.objects("content"))


def _part(part: Members, lost: set[str]) -> Part:
    kind = part.needed_text("type")
    if kind not in _PARTS:
        raise NotTranslatable(f"Content of the type '{kind}' cannot be translated.", param=part.where("type"))
    if part.has("prompt_cache_breakpoint"):
        lost.add("messages.prompt_cache_breakpoint")
    return _PARTS[kind](part)


def _text(part: Members) -> Part:
    return Text(part.text("text"), cache=cache_of(part))


def _refusal(part: Members) -> Part:
    return Refusal(part.text("refusal"))


def _image(part: Members) -> Part:
    found = part.raw("image_url")
    if found is not None and is_text(found):
        url, detail = part.needed_text("image_url"), ""
    else:
        given = part.object("image_url")
        url, detail = given.needed_text("url"), given.text("detail")
    if not url.startswith("data:"):
        return Image(url=url, detail=detail, cache=cache_of(part))
    media_type, encoded = _data_url(url, part.where("image_url"))
    return Image(data=encoded, media_type=media_type, detail=detail, cache=cache_of(part))


def _audio(part: Members) -> Part:
    given = part.object("input_audio")
    kind = given.needed_text("format")
    return Audio(data=given.needed_text("data"), media_type=_AUDIO_TYPES.get(kind, f"audio/{kind}"))


def _file(part: Members) -> Part:
    given = part.object("file")
    name, cache = given.text("filename"), cache_of(part)
    if given.has("file_id"):
        return File(file_id=given.needed_text("file_id"), name=name, cache=cache)
    found = given.needed_text("file_data")
    if not found.startswith("data:"):
        return File(data=found, media_type=_DOCUMENT, name=name, cache=cache)
    media_type, encoded = _data_url(found, given.where("file_data"))
    return File(data=encoded, media_type=media_type, name=name, cache=cache)


_PARTS: dict[str, Callable[[Members], Part]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}


def _data_url(url: str, place: str) -> tuple[str, str]:
    """Its media type and its base64."""
    head, comma, encoded = url.removeprefix("data:").partition(",")
    media_type, *options = head.split(";")
    if not comma or "base64" not in options or not media_type:
        raise BadInput(f"The field '{place}' must be a data URL with a media type and base64.", param=place)
    return media_type, encoded


def _assistant_parts(message: Members, conversation: _Conversation) -> tuple[Part, ...]:
    parts: list[Part] = list(_thoughts(message))
    calls = _calls(message, conversation)
    said = _content(message, conversation.lost)
    parts += said if said != (Text(""),) or not (parts or calls) else ()
    if refusal := message.text("refusal"):
        parts.append(Refusal(refusal))
    if message.has("audio"):
        conversation.lost.add("messages.audio")
    return (*parts, *calls)


_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")


def _thoughts(message: Members) -> list[Thinking]:
    return thoughts_of({name: bodies.decode_any(message.fields[name]) for name in _THOUGHTS if message.has(name)})


def _calls(message: Members, conversation: _Conversation) -> list[Part]:
    parts: list[Part] = []
    for given in message.objects("tool_calls"):
        extra = given.raw("extra_content")
        signature = "" if extra is None else call_signature_of(bodies.decode_any(extra))
        if signature:
            parts.append(Thinking(signature=signature, origin=GEMINI))
        call = _call(given)
        conversation.names[call.id] = call.name
        if call.is_custom:
            conversation.custom.add(call.id)
        parts.append(call)
    if message.has("function_call"):
        parts.append(_legacy_call(message.object("function_call"), conversation))
    return parts


def _call(given: Members) -> ToolCall:
    kind = given.text("type") or "function"
    call_id = given.needed_text("id")
    if kind == "function":
        function = given.object("function")
        return ToolCall(call_id, function.needed_text("name"), _arguments(function))
    if kind == "custom":
        custom = given.object("custom")
        return ToolCall(call_id, custom.needed_text("name"), custom.text("input"), is_custom=True)
    raise NotTranslatable(f"A call of the type '{kind}' cannot be translated.", param=given.where("type"))


def _arguments(function: Members) -> str:
    """As text; some clients send the object itself."""
    found = function.raw("arguments")
    if found is not None and is_object(found):
        return raw_text(found)
    return function.text("arguments")


def raw_text(value: msgspec.Raw) -> str:
    return bytes(value).decode("utf-8", "replace")  # a request's body is UTF-8; a provider's may be anything


def _legacy_call(given: Members, conversation: _Conversation) -> ToolCall:
    """A call as it was before calls had ids: here it is given one."""
    conversation.legacy += 1
    call = ToolCall(f"call_{conversation.legacy}", given.needed_text("name"), _arguments(given))
    conversation.names[call.id] = call.name
    conversation.unanswered.setdefault(call.name, []).append(call.id)
    return call


def _result(message: Members, conversation: _Conversation) -> ToolResult:
    call_id = message.needed_text("tool_call_id")
    return ToolResult(
        call_id,
        _content(message, conversation.lost),
        name=conversation.names.get(call_id, ""),
        is_custom=call_id in conversation.custom,
        cache=cache_of(message),
    )


def _legacy_result(message: Members, conversation: _Conversation) -> ToolResult:
    name = message.needed_text("name")
    waiting = conversation.unanswered.get(name)
    if not waiting:
        raise BadInput(f"The function '{name}' was not called.", param=message.where("name"))
    return ToolResult(waiting.pop(0), _content(message, conversation.lost), name=name)
