"""Strategies for all answers that Gemini can give."""

from __future__ import annotations

from hypothesis import strategies as st

from gateway.formats.intermediate import Answer, Part, Stop, Text, Thinking, ToolCall
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.answers import tokens

words = st.text(min_size=1, max_size=12)
ids = st.text("abcdef0123456789_", min_size=1, max_size=12)
arguments = st.sampled_from(["{}", '{"n": 1180591620717411303424, "f": 1.50}', '{"a": "é\u2028"}'])
seals = st.builds(Thinking, st.just(""), st.sampled_from(["c2VhbA==", "AQID"]), st.just(ApiFormat.GEMINI_GENERATE))
signed = st.builds(Thinking, words, words, st.just(ApiFormat.ANTHROPIC_MESSAGES))
sealed = st.builds(Thinking, st.just(""), words, st.just(ApiFormat.ANTHROPIC_MESSAGES))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    thoughts, said = draw(tokens), draw(tokens)
    return Usage(draw(tokens), thoughts + said, draw(tokens), reasoning=thoughts, source=UsageSource.REPORTED)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    parts: list[Part] = [*draw(st.lists(signed | sealed, max_size=2))]
    if text := draw(st.just("") | words):
        parts += [*draw(st.lists(seals, max_size=1)), Text(text)]
    called = draw(st.lists(ids, max_size=3, unique=True))
    for call_id in called:
        parts += draw(st.lists(seals, max_size=1))
        is_custom = draw(st.booleans())
        parts.append(ToolCall(call_id, draw(ids), draw(words if is_custom else arguments), is_custom=is_custom))
    if not called:
        parts += draw(st.lists(seals, max_size=1))
    stop = Stop.TOOL_CALLS if called else draw(st.sampled_from([Stop.END, Stop.LENGTH, Stop.FILTER]))
    return Answer(id=draw(ids), model="m", parts=tuple(parts), stop=stop, usage=draw(usages()))
