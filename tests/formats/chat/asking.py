"""Chat requests for tests, and strategies for all that chat can say."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from gateway.formats import body as bodies
from gateway.formats.chat.read_prompt import read_prompt
from gateway.formats.intermediate import (
    Audio,
    ChoiceMode,
    File,
    Image,
    Prompt,
    Reasoning,
    Refusal,
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

CHAT = ApiFormat.OPENAI_CHAT
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]


def request_of(body: bytes) -> Request:
    fields = bodies.parse_object(body)
    return Request(CHAT, "m", is_stream=bodies.bool_field(fields, "stream"), fields=fields)


def asked(**fields: Any) -> Prompt:
    """The prompt of a body with these fields; `messages` is a greeting unless it is given."""
    return read_prompt(request_of(msgspec.json.encode({"model": "m", "messages": HELLO} | fields)))


def turns_of(*messages: dict[str, Any]) -> tuple[Turn, ...]:
    return asked(messages=list(messages)).turns


words = st.text(min_size=1, max_size=12)
ids = st.text("abcdefgh_-0123456789", min_size=1, max_size=40)
names = st.text("abcdef_-", min_size=1, max_size=12)
raws = st.sampled_from(
    [b"{}", b'{"type":"object","properties":{"n":{"maximum":1180591620717411303424}}}', b'{"b": 1.50, "a": -0.0}']
).map(msgspec.Raw)
base64s = st.sampled_from(["aGk=", "AAAA"])
texts = st.builds(Text, words)
images = st.builds(Image, url=st.just("https://x.test/a.png"), detail=st.sampled_from(["", "low"])) | st.builds(
    Image, data=base64s, media_type=st.just("image/png")
)
audios = st.builds(Audio, data=st.just("aGk="), media_type=st.sampled_from(["audio/wav", "audio/mpeg"]))
files = st.builds(File, data=st.just("aGk="), media_type=st.just("application/pdf"), name=names) | st.builds(
    File, file_id=ids, name=names
)
user_turns = st.builds(
    Turn,
    st.just(Role.USER),
    st.lists(texts | images | audios | files, min_size=1, max_size=3).map(tuple),
    name=st.just("") | names,
)
told_turns = st.builds(
    Turn, st.sampled_from([Role.SYSTEM, Role.DEVELOPER]), st.lists(texts, min_size=1, max_size=3).map(tuple)
)
thoughts = st.lists(
    st.builds(Thinking, text=words, signature=words, origin=st.just(CHAT))
    | st.builds(Thinking, signature=words, origin=st.just(CHAT), id=st.just("") | names),
    max_size=2,
) | st.builds(Thinking, text=words, origin=st.just(CHAT)).map(lambda thought: [thought])
calls = st.builds(ToolCall, ids, names, st.sampled_from(["{}", '{"n":1180591620717411303424,"f":1.50}', "not JSON"]))
custom_calls = st.builds(ToolCall, ids, names, words, is_custom=st.just(True))


@st.composite
def exchanges(draw: st.DrawFn) -> list[Turn]:
    """A turn of the model's, and what came of the tools that it called."""
    called = draw(st.lists(calls | custom_calls, max_size=3, unique_by=lambda call: call.id))
    said = draw(st.lists(texts | st.builds(Refusal, words), min_size=0 if called else 1, max_size=2))
    results = [
        ToolResult(
            call.id, tuple(draw(st.lists(texts, min_size=1, max_size=2))), name=call.name, is_custom=call.is_custom
        )
        for call in called
    ]
    parts = (*draw(thoughts), *said, *called)
    return [Turn(Role.ASSISTANT, parts), *(Turn(Role.USER, (result,)) for result in results)]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Turn, ...]:
    turns = draw(st.lists(told_turns, max_size=2))
    for number in range(draw(st.integers(1, 3))):
        turns.append(draw(user_turns))
        turns += [_with_own_ids(turn, number) for turn in draw(exchanges())]
    return tuple(turns)


def _with_own_ids(turn: Turn, number: int) -> Turn:
    """Ids of calls are not used twice in one conversation."""
    parts = []
    for part in turn.parts:
        if isinstance(part, ToolCall):
            part = ToolCall(f"{number}{part.id}"[:40], part.name, part.arguments, is_custom=part.is_custom)
        if isinstance(part, ToolResult):
            part = ToolResult(f"{number}{part.call_id}"[:40], part.parts, name=part.name, is_custom=part.is_custom)
        parts.append(part)
    return Turn(turn.role, tuple(parts), turn.name)


tools = st.builds(Tool, names, st.just("") | words, st.none() | raws, is_strict=st.none() | st.booleans()) | st.builds(
    Tool, names, st.just("") | words, is_custom=st.just(True), grammar=st.none() | raws
)
shapes = st.builds(Shape, st.sampled_from([ShapeKind.TEXT, ShapeKind.JSON_OBJECT])) | st.builds(
    Shape, st.just(ShapeKind.JSON_SCHEMA), names, st.none() | raws, st.none() | st.booleans(), st.just("") | words
)
floats = st.none() | st.floats(0, 2)
integers = st.none() | st.integers(0, 100_000)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """All that chat can say."""
    offered = tuple(draw(st.lists(tools, max_size=3, unique_by=lambda tool: tool.name)))
    choice = None
    if offered:
        named = st.sampled_from([tool.name for tool in offered])
        choice = draw(
            st.none()
            | st.builds(ToolChoice, st.sampled_from([ChoiceMode.AUTO, ChoiceMode.NONE, ChoiceMode.REQUIRED]))
            | st.builds(ToolChoice, st.just(ChoiceMode.NAMED), named)
            | st.builds(
                ToolChoice,
                st.sampled_from([ChoiceMode.AUTO, ChoiceMode.REQUIRED]),
                allowed=st.lists(named, min_size=1, max_size=2).map(tuple),
            )
        )
    stored = draw(st.booleans())
    return Prompt(
        turns=draw(conversations()),
        is_stream=draw(st.booleans()),
        tools=offered,
        tool_choice=choice,
        parallel_tool_calls=draw(st.none() | st.booleans()) if offered else None,
        max_tokens=draw(integers),
        temperature=draw(floats),
        top_p=draw(floats),
        seed=draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        presence_penalty=draw(floats),
        frequency_penalty=draw(floats),
        stop=tuple(draw(st.lists(words, max_size=4))),
        reasoning=draw(st.none() | st.builds(Reasoning, st.sampled_from(["none", "minimal", "low", "xhigh"]))),
        shape=draw(st.none() | shapes),
        verbosity=draw(st.sampled_from(["", "low", "high"])),
        top_logprobs=draw(st.none() | st.integers(0, 20)),
        user=draw(st.just("") | words),
        cache_key=draw(st.just("") | words),
        service_tier=draw(st.sampled_from(["", "auto", "flex"])),
        metadata=draw(st.none() | st.just(msgspec.Raw(b'{"a":"b"}'))) if stored else None,
        extras={"store": msgspec.Raw(b"true"), "prompt_cache_retention": msgspec.Raw(b'"24h"')} if stored else {},
    )
