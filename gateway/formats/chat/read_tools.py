"""OpenAI chat completions: the tools of a request and the choice among them, old and new."""

from __future__ import annotations

from gateway.errors import NotTranslatable
from gateway.formats.chat.read_messages import cache_of
from gateway.formats.intermediate import ChoiceMode, Tool, ToolChoice
from gateway.formats.members import Members, is_text, text_at

_MODES = {
    "auto": ChoiceMode.AUTO,
    "none": ChoiceMode.NONE,
    "required": ChoiceMode.REQUIRED,
    "any": ChoiceMode.REQUIRED,  # Mistral's word
}
_NAMED = ("function", "custom")


def read_tools(body: Members, lost: set[str]) -> tuple[Tool, ...]:
    """Functions and custom tools; the provider's own are added to `lost` by their type."""
    read = [_tool(given, lost) for given in body.objects("tools")]
    read += [_function(given) for given in body.objects("functions")]
    return tuple(tool for tool in read if tool is not None)


def _tool(given: Members, lost: set[str]) -> Tool | None:
    kind = given.text("type") or "function"
    if kind == "function":
        return _function(given.object("function"), cache_of(given))
    if kind == "custom":
        custom = given.object("custom")
        return Tool(
            name=custom.needed_text("name"),
            description=custom.text("description"),
            is_custom=True,
            grammar=custom.raw_object("format"),
            cache=cache_of(given),
        )
    lost.add(f"tools.{kind}")
    return None


def _function(given: Members, cache: str = "") -> Tool:
    return Tool(
        name=given.needed_text("name"),
        description=given.text("description"),
        schema=given.raw_object("parameters"),
        is_strict=given.flag("strict"),
        cache=cache,
    )


def read_tool_choice(body: Members) -> ToolChoice | None:
    """Raises NotTranslatable for a choice that forces a tool of the provider's own."""
    found = body.raw("tool_choice")
    if found is None:
        return _function_call(body)
    if is_text(found):
        return _mode(text_at(found, "tool_choice"), "tool_choice")
    given = body.object("tool_choice")
    kind = given.needed_text("type")
    if kind in _NAMED:
        return ToolChoice(ChoiceMode.NAMED, name=given.object(kind).needed_text("name"))
    if kind != "allowed_tools":
        raise NotTranslatable(f"The tool '{kind}' is not one that the model's API has.", param="tool_choice")
    allowed = given.object("allowed_tools")
    names = tuple(_allowed_name(tool) for tool in allowed.objects("tools"))
    mode = _mode(allowed.text("mode") or "auto", allowed.where("mode"))
    return ToolChoice(mode.mode, allowed=names) if names else ToolChoice(ChoiceMode.NONE)


def _allowed_name(tool: Members) -> str:
    kind = tool.text("type") or "function"
    if kind not in _NAMED:
        raise NotTranslatable(f"The tool '{kind}' is not one that the model's API has.", param=tool.where("type"))
    return tool.object(kind).needed_text("name")


def _function_call(body: Members) -> ToolChoice | None:
    """The older field for functions."""
    found = body.raw("function_call")
    if found is None:
        return None
    if is_text(found):
        return _mode(text_at(found, "function_call"), "function_call")
    return ToolChoice(ChoiceMode.NAMED, name=body.object("function_call").needed_text("name"))


def _mode(word: str, place: str) -> ToolChoice:
    if word not in _MODES:
        raise NotTranslatable(f"The choice of tools '{word}' is not known.", param=place)
    return ToolChoice(_MODES[word])
