"""Gemini: the contents of a request as turns."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.gemini.results import read_response
from gateway.formats.gemini.seals import GEMINI, standard_base64, unsealed
from gateway.formats.gemini.spelling import one, several
from gateway.formats.intermediate import Audio, File, Image, Part, Role, Text, Thinking, ToolCall, ToolResult, Turn
from gateway.formats.members import Members, is_text, text_at
from gateway.formats.messages.custom_tools import is_marked, unmarked_name, unwrapped

_ROLES = {"": Role.USER, "user": Role.USER, "function": Role.USER, "model": Role.ASSISTANT}
_GOOGLES = ("gs://", "https://generativelanguage.googleapis.com/")
_LOST = (
    *("executableCode", "codeExecutionResult", "toolCall", "toolResponse", "videoMetadata", "mediaResolution"),
    *("partMetadata", "audioTranscription", "mediaProcessing"),
)


class _Conversation(msgspec.Struct):
    """What results need of the calls before: those of each name that have no result yet."""

    lost: set[str]
    calls: int = 0
    unanswered: dict[str, list[str]] = msgspec.field(default_factory=dict)
    custom: set[str] = msgspec.field(default_factory=set)


def read_turns(body: Members, lost: set[str]) -> tuple[Turn, ...]:
    """The system's turn first, then one a content; names of what has no place are added to `lost`."""
    conversation = _Conversation(lost)
    told = _system(body, conversation)
    return (*told, *(_turn(content, conversation) for content in several(body, "contents")))


def _system(body: Members, conversation: _Conversation) -> tuple[Turn, ...]:
    found = body.raw("systemInstruction")
    if found is None:
        return ()
    if is_text(found):
        return (Turn(Role.SYSTEM, (Text(text_at(found, "systemInstruction")),)),)
    parts = _parts(one(body, "systemInstruction"), conversation)
    return (Turn(Role.SYSTEM, parts),) if parts else ()


def _turn(content: Members, conversation: _Conversation) -> Turn:
    role = content.text("role")
    if role not in _ROLES:
        raise NotTranslatable(f"A content cannot have the role '{role}'.", param=content.where("role"))
    return Turn(_ROLES[role], _parts(content, conversation))


def _parts(content: Members, conversation: _Conversation) -> tuple[Part, ...]:
    """Pieces of a thought that a client collected from a stream become one again: the proof in the last is of all."""
    found: list[Part] = []
    for part in (part for given in several(content, "parts") for part in _part(given, conversation)):
        last = found[-1] if found else None
        if isinstance(part, Thinking) and isinstance(last, Thinking) and _goes_on(last, part):
            found[-1] = Thinking(last.text + part.text, part.signature, part.origin)
        else:
            found.append(part)
    return tuple(found)


def _goes_on(last: Thinking, thought: Thinking) -> bool:
    is_proof = bool(thought.signature) and not thought.text and thought.origin != GEMINI
    return bool(last.text) and not last.signature and (is_proof or not thought.signature)


def _part(given: Members, conversation: _Conversation) -> list[Part]:
    """The part, after the signature on it where it is not a thought itself."""
    conversation.lost.update(f"contents.parts.{name}" for name in _LOST if given.has(name))
    signature, origin = unsealed(given.text("thoughtSignature"))
    if given.flag("thought"):
        return [Thinking(given.text("text"), signature, origin)]
    parts: list[Part] = [Thinking(signature=signature, origin=origin)] if signature else []
    for name, read in _READ.items():
        if given.has(name):
            return [*parts, read(given, conversation)]
    if given.has("text") and (given.text("text") or not signature):
        parts.append(Text(given.text("text")))
    return parts


def _inline(given: Members, _: _Conversation) -> Part:
    return media(one(given, "inlineData"))


def media(blob: Members) -> Part:
    """Base64 of what its type says: a picture, sound, or any other file."""
    kind, encoded = blob.needed_text("mimeType"), standard_base64(blob.text("data"))
    if kind.startswith("image/"):
        return Image(data=encoded, media_type=kind)
    if kind.startswith("audio/"):
        return Audio(data=encoded, media_type=kind)
    return File(data=encoded, media_type=kind, name=blob.text("displayName"))


def _file(given: Members, _: _Conversation) -> Part:
    found = one(given, "fileData")
    url, kind = found.needed_text("fileUri"), found.text("mimeType")
    if url.startswith(_GOOGLES):
        raise NotTranslatable("Files that are kept at Google cannot be read elsewhere.", param=found.where("fileUri"))
    if kind.startswith("image/"):
        return Image(url=url, media_type=kind)
    return File(url=url, media_type=kind, name=found.text("displayName"))


def _call(given: Members, conversation: _Conversation) -> Part:
    found = one(given, "functionCall")
    name = found.needed_text("name")
    call_id = found.text("id") or f"call_{conversation.calls}"
    conversation.calls += 1
    conversation.unanswered.setdefault(name, []).append(call_id)
    args = found.raw_object("args")
    arguments = "" if args is None else bytes(args).decode()  # a request's body is UTF-8
    if not is_marked(name):
        return ToolCall(call_id, name, arguments)
    conversation.custom.add(call_id)
    return ToolCall(call_id, unmarked_name(name), unwrapped(arguments), is_custom=True)


def _result(given: Members, conversation: _Conversation) -> Part:
    """Of the call with its id, else of the first call of its name that has no result yet."""
    found = one(given, "functionResponse")
    name = found.needed_text("name")
    waiting = conversation.unanswered.get(name, [])
    call_id = found.text("id") or (waiting[0] if waiting else "")
    if not call_id:
        raise BadInput(f"The function '{name}' was not called.", param=found.where("name"))
    if call_id in waiting:
        waiting.remove(call_id)
    response = found.raw_object("response")
    text, is_error = ("", False) if response is None else read_response(response, found.where("response"))
    shown = [media(one(part, "inlineData")) for part in several(found, "parts") if part.has("inlineData")]
    is_custom = call_id in conversation.custom
    parts = (Text(text), *shown)
    return ToolResult(call_id, parts, is_error, unmarked_name(name) if is_custom else name, is_custom)


_READ: dict[str, Callable[[Members, _Conversation], Part]] = {
    "inlineData": _inline,
    "fileData": _file,
    "functionCall": _call,
    "functionResponse": _result,
}
