"""OpenAI Responses: the tools of a request and the choice among them."""

from __future__ import annotations

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.body import encode_object, raw
from gateway.formats.intermediate import ChoiceMode, Tool, ToolChoice
from gateway.formats.members import Members, is_text, text_at
from gateway.formats.responses.names import flat, split

_MODES = {"auto": ChoiceMode.AUTO, "none": ChoiceMode.NONE, "required": ChoiceMode.REQUIRED}
_OWN = ("function", "custom")
_OF_TOOLS = frozenset({"type", "name", "description", "parameters", "strict", "format"})
_GRAMMAR = ("syntax", "definition")


def read_tools(holder: Members, lost: set[str]) -> tuple[Tool, ...]:
    """Functions, custom tools and those in groups; the provider's own are added to `lost` by their type."""
    return tuple(tool for given in holder.objects("tools") for tool in _tools(given, "", lost))


def _tools(given: Members, namespace: str, lost: set[str]) -> tuple[Tool, ...]:
    kind = given.needed_text("type")
    if kind == "namespace" and not namespace:
        if given.has("description"):
            lost.add("tools.namespace.description")
        name = given.needed_text("name")
        return tuple(tool for inner in given.objects("tools") for tool in _tools(inner, name, lost))
    if kind not in _OWN:
        lost.add(f"tools.{kind}")
        return ()
    for name in given.fields:
        if name not in _OF_TOOLS and given.has(name) and bytes(given.fields[name]) != b"false":
            lost.add(f"tools.{name}")
    name = flat(namespace, given.needed_text("name"))
    if kind == "custom":
        return (Tool(name, given.text("description"), is_custom=True, grammar=_grammar(given)),)
    return (Tool(name, given.text("description"), given.raw_object("parameters"), given.flag("strict")),)


def _grammar(given: Members) -> msgspec.Raw | None:
    """The form of a custom tool's input as chat completions have it: a grammar is an object in it."""
    shape = given.object("format")
    if shape.text("type") != "grammar":
        return given.raw_object("format")
    rules = {name: value for name in _GRAMMAR if (value := shape.raw(name)) is not None}
    return msgspec.Raw(encode_object({"type": raw("grammar"), "grammar": msgspec.Raw(encode_object(rules))}))


def read_tool_choice(body: Members, tools: tuple[Tool, ...], lost: set[str]) -> ToolChoice | None:
    """Raises NotTranslatable for a choice that forces a tool of the provider's own."""
    found = body.raw("tool_choice")
    if found is None:
        return None
    if is_text(found):
        return _mode(text_at(found, "tool_choice"), tools)
    given = body.object("tool_choice")
    kind = given.needed_text("type")
    if kind in _OWN:
        return ToolChoice(ChoiceMode.NAMED, name=_known_name(given.needed_text("name"), tools))
    if kind != "allowed_tools":
        raise _not_there(kind)
    return _allowed(given, tools, lost)


def _allowed(given: Members, tools: tuple[Tool, ...], lost: set[str]) -> ToolChoice:
    names = []
    for tool in given.objects("tools"):
        kind = tool.needed_text("type")
        if kind in _OWN:
            names.append(_known_name(tool.needed_text("name"), tools))
        else:
            lost.add(f"tool_choice.{kind}")
    choice = _mode(given.text("mode") or "auto", tools)
    if names:
        return ToolChoice(choice.mode, allowed=tuple(names))
    if choice.mode is ChoiceMode.REQUIRED:
        raise _not_there("allowed_tools")
    return ToolChoice(ChoiceMode.NONE)


def _known_name(name: str, tools: tuple[Tool, ...]) -> str:
    """The name as the tool has it now, where a choice names one in a group."""
    known = [tool.name for tool in tools]
    return next((found for found in known if name not in known and split(found)[1] == name), name)


def _mode(word: str, tools: tuple[Tool, ...]) -> ToolChoice:
    if word not in _MODES:
        raise NotTranslatable(f"The choice of tools '{word[:50]}' is not known.", "tool_choice")
    mode = _MODES[word]
    if mode is ChoiceMode.REQUIRED and not tools:
        raise _not_there(word)
    return ToolChoice(mode)


def _not_there(kind: str) -> NotTranslatable:
    return NotTranslatable(f"'{kind[:50]}' wants a tool that the backend's format does not have.", "tool_choice")
