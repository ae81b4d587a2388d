"""Content blocks of Anthropic Messages, read into the parts that every format has."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import File, Image, Part, Text, Thinking, ToolCall, ToolResult
from gateway.formats.members import Members, is_text, object_at, objects_at, text_at, wrong_type
from gateway.formats.signatures import unmarked
from gateway.model.registry import ApiFormat

HERE = ApiFormat.ANTHROPIC_MESSAGES
REDACTED = "redacted:"
"""Before the data of a redacted thought, where it stands in the place of a signature. Signatures have no colon."""
PLAIN_TEXT = "text/plain"


def content_of(holder: Members, lost: set[str]) -> tuple[Part, ...]:
    """The parts of `content`: text, or a list of blocks. Names of what has no place go to `lost`."""
    found = holder.raw("content")
    if found is None:
        return ()
    place = holder.where("content")
    if is_text(found):
        return (Text(text_at(found, place)),)
    return tuple(part for block in objects_at(found, place) for part in _parts_of(block, lost))


def text_blocks(holder: Members, name: str, lost: set[str]) -> tuple[Text, ...]:
    """The texts of the member `name`, which has nothing else: as a system prompt has."""
    found = holder.raw(name)
    if found is None:
        return ()
    if is_text(found):
        return (Text(text_at(found, holder.where(name))),)
    parts = []
    for block in objects_at(found, holder.where(name)):
        if block.text("type") != "text":
            raise NotTranslatable("A system prompt is made of text only.", block.where("type"))
        parts += [part for part in _parts_of(block, lost) if isinstance(part, Text)]
    return tuple(parts)


def cache_of(holder: Members) -> str:
    """`5m`, `1h` or empty, as its `cache_control` says."""
    found = holder.raw("cache_control")
    if found is None:
        return ""
    return "1h" if object_at(found, holder.where("cache_control")).text("ttl") == "1h" else "5m"


def signature_of(found: str) -> tuple[str, ApiFormat | None]:
    """A signature and whose it is; a thought without one is nobody's."""
    return unmarked(found, HERE) if found else ("", None)


def redacted(data: str) -> Thinking:
    """A thought that nobody can read, from the data of its block: marked where it came from another format."""
    signature, origin = unmarked(data, HERE)
    return Thinking(signature=REDACTED + signature if origin is HERE else signature, origin=origin)


def _parts_of(block: Members, lost: set[str]) -> tuple[Part, ...]:
    kind = block.needed_text("type")
    known = _BLOCKS.get(kind)
    if known is None:
        return _without_counterpart(kind, block, lost)
    for name in block.fields:
        if name not in known.members and block.has(name):
            lost.add(_NAMES.get(name, f"messages.{kind}.{name}"))
    return known.read(block, lost)


_NAMES = {"citations": "messages.citations", "cache_control": "messages.cache_control"}


def _without_counterpart(kind: str, block: Members, lost: set[str]) -> tuple[Part, ...]:
    """What a tool of the provider did is left out; anything else that no other format has cannot be."""
    if kind not in _SERVER_SIDE and not kind.endswith("_tool_result"):
        raise NotTranslatable(
            f"A content block of type '{kind[:50]}' has no counterpart in the backend's format.", block.where("type")
        )
    lost.add(f"messages.{kind}")
    return ()


_SERVER_SIDE = frozenset(
    {
        *("server_tool_use", "mcp_tool_use", "mcp_tool_listing", "tool_reference", "browser_state"),
        *("compaction", "fallback", "tool_addition", "tool_removal"),
    }
)


def _text(block: Members, lost: set[str]) -> tuple[Part, ...]:
    return (Text(block.text("text"), cache_of(block)),)


def _image(block: Members, lost: set[str]) -> tuple[Part, ...]:
    source, cache = block.object("source"), cache_of(block)
    kind = source.text("type")
    if kind == "base64":
        return (Image(data=source.needed_text("data"), media_type=source.needed_text("media_type"), cache=cache),)
    if kind == "url":
        return (Image(url=source.needed_text("url"), cache=cache),)
    if kind == "file":
        return (Image(file_id=source.needed_text("file_id"), cache=cache),)
    raise _unknown_source(source)


def _document(block: Members, lost: set[str]) -> tuple[Part, ...]:
    source, cache, name = block.object("source"), cache_of(block), block.text("title")
    kind = source.text("type")
    if kind == "base64":
        media_type = source.text("media_type") or "application/pdf"
        return (File(data=source.needed_text("data"), media_type=media_type, name=name, cache=cache),)
    if kind == "text":
        data = b64encode(source.needed_text("data").encode()).decode()
        return (File(data=data, media_type=PLAIN_TEXT, name=name, cache=cache),)
    if kind == "url":
        return (File(url=source.needed_text("url"), name=name, cache=cache),)
    if kind == "file":
        return (File(file_id=source.needed_text("file_id"), name=name, cache=cache),)
    if kind == "content":
        return _contents(block, source, lost)
    raise _unknown_source(source)


def _contents(block: Members, source: Members, lost: set[str]) -> tuple[Part, ...]:
    """A document that is made of blocks comes as these blocks."""
    lost.update(f"messages.document.{name}" for name in ("title", "cache_control") if block.has(name))
    return content_of(source, lost)


def _unknown_source(source: Members) -> NotTranslatable:
    return NotTranslatable("This kind of source has no counterpart in the backend's format.", source.where("type"))


def _search_result(block: Members, lost: set[str]) -> tuple[Part, ...]:
    """The words of a search result stay; that it is one is lost."""
    lost.add("messages.search_result")
    heading = "\n".join(words for name in ("title", "source") if (words := block.text(name)))
    return (Text(heading), *content_of(block, lost)) if heading else content_of(block, lost)


def _thinking(block: Members, lost: set[str]) -> tuple[Part, ...]:
    signature, origin = signature_of(block.text("signature"))
    return (Thinking(block.text("thinking"), signature, origin),)


def _redacted_thinking(block: Members, lost: set[str]) -> tuple[Part, ...]:
    return (redacted(block.needed_text("data")),)


def _tool_use(block: Members, lost: set[str]) -> tuple[Part, ...]:
    if block.object("caller").text("type") not in ("", "direct"):
        lost.add("messages.tool_use.caller")
    found = block.raw_object("input")
    arguments = "" if found is None else bytes(found).decode()
    return (ToolCall(block.needed_text("id"), block.needed_text("name"), arguments),)


def _tool_result(block: Members, lost: set[str]) -> tuple[Part, ...]:
    parts = content_of(block, lost)
    for part in parts:
        if not isinstance(part, Text | Image | File):
            raise wrong_type(block.where("content"), "text, images and documents")
    is_error = block.flag("is_error") or False
    return (ToolResult(block.needed_text("tool_use_id"), parts, is_error, cache=cache_of(block)),)


class _Block(msgspec.Struct, frozen=True):
    read: Callable[[Members, set[str]], tuple[Part, ...]]
    members: frozenset[str]


def _block(read: Callable[[Members, set[str]], tuple[Part, ...]], *members: str) -> _Block:
    return _Block(read, frozenset({"type", *members}))


_BLOCKS = {
    "text": _block(_text, "text", "cache_control"),
    "image": _block(_image, "source", "cache_control"),
    "document": _block(_document, "source", "title", "cache_control"),
    "search_result": _block(_search_result, "title", "source", "content"),
    "thinking": _block(_thinking, "thinking", "signature"),
    "redacted_thinking": _block(_redacted_thinking, "data"),
    "tool_use": _block(_tool_use, "id", "name", "input", "caller"),
    "tool_result": _block(_tool_result, "tool_use_id", "content", "is_error", "cache_control"),
}
