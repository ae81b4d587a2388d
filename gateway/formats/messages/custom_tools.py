"""Tools that take free text, for a provider whose tools take an object.

Such a tool is offered under a marked name and with one property, `input`. The mark comes back in the call, so that
whoever reads the answer knows the tool for what it is without knowing the request.
"""

from __future__ import annotations

import msgspec

from gateway.formats.intermediate import Tool

_MARK = "__free_text"
_SCHEMA = b'{"type":"object","properties":{"input":%b},"required":["input"],"additionalProperties":false}'


class _Input(msgspec.Struct):
    input: str


_INPUT = msgspec.json.Decoder(_Input)


def marked_name(name: str) -> str:
    """The name that the tool has at the provider."""
    return name + _MARK


def is_marked(name: str) -> bool:
    return name.endswith(_MARK) and name != _MARK


def unmarked_name(name: str) -> str:
    return name.removesuffix(_MARK)


def schema_for(tool: Tool) -> msgspec.Raw:
    """The schema of the one property; a grammar is told in words, for nothing enforces it."""
    words = "The whole input of the tool as plain text."
    if tool.grammar is not None:
        words += " It must follow this grammar: " + bytes(tool.grammar).decode("utf-8", "replace")
    return msgspec.Raw(_SCHEMA % msgspec.json.encode({"type": "string", "description": words}))


def wrapped(words: str) -> msgspec.Raw:
    """Free text as the input of a call."""
    return msgspec.Raw(msgspec.json.encode({"input": words}))


def unwrapped(arguments: str) -> str:
    """The free text in the input of a call; the input itself where it is not of that form."""
    try:
        return _INPUT.decode(arguments.encode()).input
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return arguments
