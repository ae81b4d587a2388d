"""Strategies for all answers that chat can give."""

from __future__ import annotations

from hypothesis import strategies as st

from gateway.formats.intermediate import Answer, Part, Refusal, Stop, Text, Thinking, ToolCall
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.answers import tokens

words = st.text(min_size=1, max_size=12)
ids = st.text("abcdef0123456789_", min_size=1, max_size=12)
arguments = st.sampled_from(["{}", '{"n": 1180591620717411303424, "f": 1.50}', '{"a": "é\u2028"}', "not JSON"])
usages = st.builds(Usage, tokens, tokens, tokens, tokens, reasoning=tokens, source=st.just(UsageSource.REPORTED))
signed = st.builds(Thinking, words, words, st.sampled_from([ApiFormat.OPENAI_CHAT, ApiFormat.ANTHROPIC_MESSAGES]))
sealed = st.builds(Thinking, st.just(""), words, st.just(ApiFormat.ANTHROPIC_MESSAGES))
unsigned = st.builds(Thinking, words, origin=st.just(ApiFormat.OPENAI_CHAT))
google = st.builds(Thinking, st.just(""), words, st.just(ApiFormat.GEMINI_GENERATE))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    parts: list[Part] = draw(st.lists(signed | sealed, max_size=2) | unsigned.map(lambda thought: [thought]))
    if text := draw(st.just("") | words):
        parts.append(Text(text))
    names = draw(st.lists(ids, max_size=3, unique=True))
    for call_id in names:
        if draw(st.booleans()):
            parts.append(draw(google))
        parts.append(ToolCall(call_id, draw(words), draw(arguments), is_custom=draw(st.booleans())))
    stop, matched = Stop.TOOL_CALLS, ""
    if not names:
        stop = draw(st.sampled_from([Stop.END, Stop.LENGTH, Stop.FILTER, Stop.STOP_SEQUENCE, Stop.REFUSAL]))
        matched = draw(words) if stop == Stop.STOP_SEQUENCE else ""
    if stop == Stop.REFUSAL:
        parts.append(Refusal(draw(words)))
    return Answer(
        id=draw(ids),
        model="m",
        parts=tuple(parts),
        stop=stop,
        stop_sequence=matched,
        usage=draw(usages),
        created=draw(st.integers(1, 2**31)),
    )
