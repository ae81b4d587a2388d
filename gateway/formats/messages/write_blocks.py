"""Parts of a conversation, written as content blocks of Anthropic Messages."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.body import Fields
from gateway.formats.intermediate import Audio, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from gateway.formats.messages.custom_tools import marked_name, wrapped
from gateway.formats.messages.read_blocks import PLAIN_TEXT, REDACTED

Block = dict[str, Any]
"""A content block; what it holds of others' JSON is raw."""

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
MOST_CACHE_MARKS = 4
_SAME_TYPES = {"image/jpg": "image/jpeg"}
_PDF = "application/pdf"
_URL = re.compile(r"https?://", re.IGNORECASE)
_OBJECT = msgspec.json.Decoder(Fields)
_LIFETIMES = {"5m": {"type": "ephemeral"}, "1h": {"type": "ephemeral", "ttl": "1h"}}


def blocks(parts: Sequence[Part], dropped: set[str]) -> list[Block]:
    """One block for each part, in order. Raises NotTranslatable for what Anthropic has no block for."""
    return [_WRITERS[type(part)](part, dropped) for part in parts]


def with_cache(block: Block, cache: str) -> Block:
    """The block, asking the cache to keep everything up to it where `cache` is `5m` or `1h`."""
    return {**block, "cache_control": _LIFETIMES[cache]} if cache in _LIFETIMES else block


def within_cache_limit(blocks_in_order: Iterable[Block], dropped: set[str]) -> None:
    """Takes the first marks for the cache off where there are more than Anthropic takes; the last reach furthest."""
    marked = [block for block in blocks_in_order if "cache_control" in block]
    for block in marked[: max(0, len(marked) - MOST_CACHE_MARKS)]:
        del block["cache_control"]
        dropped.add("cache_control")


def each_block(content: Any) -> Iterator[Block]:
    """All blocks of a body's `system`, `tools` or `content`, those inside results of tools before these."""
    if isinstance(content, list):
        for block in content:
            yield from each_block(block.get("content"))
            yield block


def text(words: str, cache: str = "") -> Block:
    return with_cache({"type": "text", "text": words}, cache)


def input_of(arguments: str) -> msgspec.Raw:
    """The arguments of a call as the text that they are, `{}` for none."""
    found = msgspec.Raw(arguments.strip().encode() or b"{}")
    try:
        _OBJECT.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotTranslatable("The arguments of a tool call are not a JSON object.", "messages") from None
    return found


def _text(part: Text, _: set[str]) -> Block:
    return text(part.text, part.cache)


def _refusal(part: Refusal, _: set[str]) -> Block:
    return text(part.text)


def _image(part: Image, dropped: set[str]) -> Block:
    if part.detail not in ("", "auto"):
        dropped.add("messages.image.detail")
    return with_cache({"type": "image", "source": _image_source(part)}, part.cache)


def _image_source(part: Image) -> Block:
    if part.url:
        return _url_source(part.url)
    if part.file_id:
        return _file_source(part.file_id)
    media_type = _SAME_TYPES.get(part.media_type.lower(), part.media_type.lower())
    if media_type not in IMAGE_TYPES:
        raise NotTranslatable(f"Anthropic takes no images of type '{part.media_type[:50]}'.", "messages")
    return {"type": "base64", "media_type": media_type, "data": part.data}


def _url_source(url: str) -> Block:
    if not _URL.match(url):
        raise NotTranslatable("Anthropic takes URLs that begin with https:// only.", "messages")
    return {"type": "url", "url": url}


def _file_source(file_id: str) -> Block:
    # A file is known to the provider that it was sent to, and to no other.
    if not file_id.startswith("file_"):
        raise NotTranslatable("The file is not one that Anthropic knows.", "messages")
    return {"type": "file", "file_id": file_id}


def _file(part: File, _: set[str]) -> Block:
    media_type = part.media_type.lower().partition(";")[0].strip()
    if media_type.startswith("image/") and not part.file_id:
        return _image(Image(url=part.url, data=part.data, media_type=media_type, cache=part.cache), set())
    block: Block = {"type": "document", "source": _file_source_of(part, media_type)}
    return with_cache({**block, "title": part.name} if part.name else block, part.cache)


def _file_source_of(part: File, media_type: str) -> Block:
    if part.file_id:
        return _file_source(part.file_id)
    if part.url:
        return _url_source(part.url)
    if media_type == _PDF or not media_type and part.name.lower().endswith(".pdf"):
        return {"type": "base64", "media_type": _PDF, "data": part.data}
    if not media_type.startswith("text/"):
        raise NotTranslatable(f"Anthropic takes no files of type '{media_type[:50]}'.", "messages")
    try:
        words = b64decode(part.data, validate=True).decode()
    except ValueError:
        raise NotTranslatable("A text file is not in base64, or not UTF-8.", "messages") from None
    return {"type": "text", "media_type": PLAIN_TEXT, "data": words}


def _audio(part: Audio, _: set[str]) -> Block:
    raise NotTranslatable("Anthropic takes no audio.", "messages")


def _thinking(part: Thinking, _: set[str]) -> Block:
    if part.signature.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": part.signature.removeprefix(REDACTED)}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _tool_call(part: ToolCall, dropped: set[str]) -> Block:
    if part.namespace:
        dropped.add("namespace")
    name = marked_name(part.name) if part.is_custom else part.name
    arguments = wrapped(part.arguments) if part.is_custom else input_of(part.arguments)
    return {"type": "tool_use", "id": part.id, "name": name, "input": arguments}


def _tool_result(part: ToolResult, dropped: set[str]) -> Block:
    said = [inner for inner in part.parts if not (isinstance(inner, Text) and not inner.text.strip())]
    block: Block = {"type": "tool_result", "tool_use_id": part.call_id}
    if said:
        block["content"] = _only_text(said) or blocks(said, dropped)
    elif part.is_error:
        # An error without a word is refused.
        block["content"] = "error"
    if part.is_error:
        block["is_error"] = True
    return with_cache(block, part.cache)


def _only_text(parts: list[Part]) -> str:
    only = parts[0]
    return only.text if len(parts) == 1 and isinstance(only, Text) and not only.cache else ""


_WRITERS: dict[type, Callable[[Any, set[str]], Block]] = {
    Text: _text,
    Refusal: _refusal,
    Image: _image,
    File: _file,
    Audio: _audio,
    Thinking: _thinking,
    ToolCall: _tool_call,
    ToolResult: _tool_result,
}
