"""Parts of answers for property tests: everything that Anthropic Messages can say."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from gateway.formats.intermediate import Text, Thinking, ToolCall
from gateway.model.registry import ApiFormat

HERE = ApiFormat.ANTHROPIC_MESSAGES

TEXTS = st.builds(Text, st.text(max_size=20))
THOUGHTS = st.one_of(
    st.builds(Thinking, st.text(max_size=20), st.just("EqQ="), st.just(HERE)),
    st.builds(Thinking, st.text(min_size=1, max_size=20)),
    st.builds(Thinking, st.text(max_size=20), st.just("S/+="), st.sampled_from(list(ApiFormat)[:2])),
    st.just(Thinking("", "redacted:EmI=", HERE)),
)
NAMES = st.sampled_from(["weather", "now", "f"])
OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5) | st.none(),
    max_size=3,
)
CALLS = st.one_of(
    st.builds(lambda name, found: ToolCall("toolu_1", name, json.dumps(found)), NAMES, OBJECTS),
    st.builds(lambda name: ToolCall("toolu_2", name, '{"n": 123456789012345678901234567890, "x": 1.50}'), NAMES),
)
PARTS = st.lists(TEXTS | THOUGHTS | CALLS, max_size=5).map(tuple)
