"""Gemini requests for tests, and strategies for all that Gemini can say."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.formats import body as bodies
from gateway.formats.gemini.read_prompt import read_prompt
from gateway.formats.intermediate import (
    Audio,
    ChoiceMode,
    File,
    Image,
    Part,
    Prompt,
    Reasoning,
    Role,
    Shape,
    ShapeKind,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from gateway.formats.request import Request
from gateway.model.registry import ApiFormat

GEMINI = ApiFormat.GEMINI_GENERATE
HELLO: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "hello"}]}]


def request_of(body: bytes, *, is_stream: bool = False, action: str = "") -> Request:
    return Request(GEMINI, "m", is_stream=is_stream, fields=bodies.parse_object(body), action=action)


def asked(**fields: Any) -> Prompt:
    """The prompt of a body with these fields; `contents` are a greeting unless they are given."""
    return read_prompt(request_of(msgspec.json.encode({"contents": HELLO} | fields)))


def parts_of(*parts: Any, role: str = "user") -> tuple[Part, ...]:
    (turn,) = asked(contents=[{"role": role, "parts": list(parts)}]).turns
    return turn.parts


words = st.text(min_size=1, max_size=12)
ids = st.text("abcdef_-0123456789", min_size=1, max_size=12)
names = st.text("abcdef_-", min_size=1, max_size=12)
raws = st.sampled_from(
    [b"{}", b'{"type":"object","properties":{"n":{"maximum":1180591620717411303424}}}', b'{"b": 1.50, "a": -0.0}']
).map(msgspec.Raw)
texts = st.builds(Text, words)
media = (
    st.builds(Image, url=st.just("https://x.test/a"), media_type=st.just("image/png"))
    | st.builds(Image, data=st.just("aGk="), media_type=st.just("image/png"))
    | st.builds(Audio, data=st.just("aGk="), media_type=st.sampled_from(["audio/wav", "audio/mpeg"]))
    | st.builds(File, data=st.just("aGk="), media_type=st.just("application/pdf"))
    | st.builds(
        File,
        url=st.just("https://x.test/a.pdf"),
        media_type=st.sampled_from(["", "application/pdf"]).map(lambda kind: kind or "text/plain"),
    )
)
seals = st.builds(Thinking, signature=st.sampled_from(["c2VhbA==", "AQID"]), origin=st.just(GEMINI))
thoughts = st.builds(Thinking, words, st.sampled_from(["", "c2VhbA=="]), st.just(GEMINI))
arguments = st.sampled_from(["{}", '{"n": 1180591620717411303424, "f": 1.50, "t": "\u2028"}'])
results = st.sampled_from(
    ['{"a": 1180591620717411303424}', '{"output":"x"}', "plain", "[1]", "{broken", '{"error":"x"}']
)


@st.composite
def exchanges(draw: st.DrawFn, number: int) -> list[Turn]:
    """A turn of the model's, and what came of the tools that it called."""
    parts: list[Part] = [*draw(st.lists(thoughts, max_size=1))]
    for _ in range(draw(st.integers(0, 2))):
        parts += [*draw(st.lists(seals, max_size=1)), draw(texts)]
    called = []
    for name in draw(st.lists(ids, min_size=0 if parts else 1, max_size=3, unique=True)):
        is_custom = draw(st.booleans())
        given = draw(words if is_custom else arguments)
        call = ToolCall(f"{number}{name}", draw(names), given, is_custom=is_custom)
        parts += [*draw(st.lists(seals, max_size=1)), call]
        called.append(call)
    turns = [Turn(Role.ASSISTANT, tuple(parts))]
    answered: list[Part] = [
        ToolResult(call.id, (Text(draw(results)),), draw(st.booleans()), call.name, call.is_custom) for call in called
    ]
    said = draw(st.lists(texts | media, min_size=0 if answered else 1, max_size=2))
    return [*turns, Turn(Role.USER, (*answered, *said))]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Turn, ...]:
    turns = [Turn(Role.SYSTEM, tuple(told))] if (told := draw(st.lists(texts, max_size=2))) else []
    turns.append(Turn(Role.USER, tuple(draw(st.lists(texts | media, min_size=1, max_size=3)))))
    for number in range(draw(st.integers(0, 2))):
        turns += draw(exchanges(number))
    return tuple(turns)


tools = st.builds(Tool, names, st.just("") | words, st.none() | raws)
shapes = st.builds(Shape, st.sampled_from([ShapeKind.TEXT, ShapeKind.JSON_OBJECT])) | raws.map(
    lambda schema: Shape(ShapeKind.JSON_SCHEMA, schema=schema)
)
floats = st.none() | st.floats(0, 2)
integers = st.none() | st.integers(0, 100_000)


@st.composite
def choices(draw: st.DrawFn, named: list[str]) -> ToolChoice | None:
    mode = draw(st.none() | st.sampled_from(ChoiceMode))
    if mode is None or mode in (ChoiceMode.NONE,):
        return None if mode is None else ToolChoice(mode)
    if mode == ChoiceMode.NAMED:
        return ToolChoice(mode, name=named[0])
    allowed = tuple(named) if len(named) > 1 and draw(st.booleans()) else ()
    return ToolChoice(mode, allowed=allowed)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """All that Gemini can say."""
    offered = tuple(draw(st.lists(tools, max_size=3, unique_by=lambda tool: tool.name)))
    prompt = Prompt(
        turns=draw(conversations()),
        is_stream=draw(st.booleans()),
        tools=offered,
        tool_choice=draw(choices([tool.name for tool in offered])) if offered else None,
        max_tokens=draw(integers),
        temperature=draw(floats),
        top_p=draw(floats),
        top_k=draw(integers),
        seed=draw(st.none() | st.integers(-(2**31), 2**31 - 1)),
        presence_penalty=draw(floats),
        frequency_penalty=draw(floats),
        stop=tuple(draw(st.lists(words, max_size=5))),
        shape=draw(st.none() | shapes),
        top_logprobs=draw(st.none() | st.integers(0, 20)),
        service_tier=draw(st.sampled_from(["", "default", "flex", "priority"])),
    )
    budget = draw(st.none() | st.integers(0, 24576))
    if budget is None:
        return prompt
    return replace(prompt, reasoning=Reasoning(budget=budget, is_shown=draw(st.booleans()) if budget else None))
