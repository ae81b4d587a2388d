"""Content parts of OpenAI Responses, read into the parts that every format has, and written out of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import Audio, File, Image, Part, Refusal, Text
from gateway.formats.members import Members, is_text, objects_at, text_at

_BASE64 = ";base64,"
_UNNAMED = {"application/pdf": "document.pdf", "text/plain": "document.txt"}


def content_of(holder: Members, name: str, lost: set[str]) -> tuple[Part, ...]:
    """The parts of the member `name`: text, or a list of parts. Names of what has no place go to `lost`."""
    found = holder.raw(name)
    if found is None:
        return ()
    place = holder.where(name)
    if is_text(found):
        return (Text(text_at(found, place)),)
    return tuple(_part(given, lost) for given in objects_at(found, place))


def _part(given: Members, lost: set[str]) -> Part:
    kind = given.needed_text("type")
    known = _PARTS.get(kind)
    if known is None:
        raise NotTranslatable(
            f"A content part of type '{kind[:50]}' has no counterpart in the backend's format.", given.where("type")
        )
    lost.update(f"input.{name}" for name in given.fields if name not in known.members and _says_something(given, name))
    return known.read(given)


def _says_something(given: Members, name: str) -> bool:
    return given.has(name) and bytes(given.fields[name]) not in (b"[]", b"{}", b"false")


def _text(given: Members) -> Part:
    return Text(given.text("text"))


def _refusal(given: Members) -> Part:
    return Refusal(given.text("refusal"))


def _image(given: Members) -> Part:
    detail, file_id = given.text("detail"), given.text("file_id")
    detail = "" if detail == "auto" else detail
    if file_id:
        return Image(file_id=file_id, detail=detail)
    url = given.needed_text("image_url")
    media_type, data = split_data_url(url)
    return Image(data=data, media_type=media_type, detail=detail) if data else Image(url=url, detail=detail)


def _file(given: Members) -> Part:
    name, file_id, url = given.text("filename"), given.text("file_id"), given.text("file_url")
    if file_id:
        return File(file_id=file_id, name=name)
    if url:
        return File(url=url, name=name)
    sent = given.needed_text("file_data")
    media_type, data = split_data_url(sent)
    return File(data=data or sent, media_type=media_type or "application/pdf", name=name)


def _audio(given: Members) -> Part:
    sound = given.object("input_audio")
    return Audio(sound.needed_text("data"), f"audio/{sound.text('format') or 'wav'}")


class _Known(msgspec.Struct, frozen=True):
    read: Callable[[Members], Part]
    members: frozenset[str]


def _known(read: Callable[[Members], Part], *members: str) -> _Known:
    return _Known(read, frozenset({"type", *members}))


_PARTS = {
    "input_text": _known(_text, "text"),
    "output_text": _known(_text, "text", "logprobs"),
    "text": _known(_text, "text"),
    "summary_text": _known(_text, "text"),
    "refusal": _known(_refusal, "refusal"),
    "input_image": _known(_image, "image_url", "file_id", "detail"),
    "input_file": _known(_file, "filename", "file_id", "file_url", "file_data"),
    "input_audio": _known(_audio, "input_audio"),
}


def split_data_url(url: str) -> tuple[str, str]:
    """Media type and base64 of a `data:` URL; both empty for any other."""
    head, found, data = url.partition(_BASE64)
    if not found or not head.startswith("data:"):
        return "", ""
    return head.removeprefix("data:").partition(";")[0], data


def written_content(parts: tuple[Part, ...], dropped: set[str]) -> list[dict[str, Any]]:
    """Content of a message to the model, or of a tool's result."""
    return [written for part in parts if (written := _written(part, dropped)) is not None]


def _written(part: Part, dropped: set[str]) -> dict[str, Any] | None:
    if getattr(part, "cache", ""):
        dropped.add("messages.cache_control")
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Image):
        return _written_image(part)
    if isinstance(part, File):
        return _written_file(part)
    if isinstance(part, Audio):
        raise NotTranslatable("The backend's format, OpenAI Responses, has no place for audio.", "messages.audio")
    if isinstance(part, Refusal):
        return {"type": "input_text", "text": part.text}
    return None


def _written_image(part: Image) -> dict[str, Any]:
    written = {"type": "input_image", "detail": part.detail or "auto"}
    if part.file_id:
        return {**written, "file_id": part.file_id}
    return {**written, "image_url": part.url or f"data:{part.media_type}{_BASE64}{part.data}"}


def _written_file(part: File) -> dict[str, Any]:
    named = {"filename": part.name} if part.name else {}
    if part.file_id:
        return {"type": "input_file", "file_id": part.file_id, **named}
    if part.url:
        return {"type": "input_file", "file_url": part.url, **named}
    # Data without the name of a file is refused; its ending says what it is.
    name = part.name or _UNNAMED.get(part.media_type, "document")
    return {"type": "input_file", "filename": name, "file_data": f"data:{part.media_type}{_BASE64}{part.data}"}
