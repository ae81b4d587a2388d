"""Requests of every kind that the form between formats can hold: such as the SDK would send, or refused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import (
    Audio,
    ChoiceMode,
    Destination,
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
from gateway.formats.messages.read_prompt import read_prompt
from gateway.formats.messages.surface import read_request
from gateway.formats.messages.write_prompt import write_prompt
from gateway.formats.request import Asked
from gateway.model.registry import TRANSLATABLE
from tests.formats.messages.judges import judged_request

WORDS = st.sampled_from(
    ["", " ", "a", "f", "g", "é\u2028\U0001f600", "https://x/a.pdf", "file_1", "AA==", "redacted:x"]
)
CACHES = st.sampled_from(["", "5m", "1h", "odd"])
TYPES = st.sampled_from(["", "image/png", "application/pdf", "text/plain", "text/csv", "video/mp4"])
RAW = st.sampled_from(
    [Raw(b"{}"), Raw(b'{"type":"object","properties":{"n":{"minimum":1}}}'), Raw(b"null"), Raw(b"[]")]
)
ORIGINS = st.none() | st.sampled_from(TRANSLATABLE)
SEEN = st.one_of(
    st.builds(Text, WORDS, CACHES),
    st.builds(Image, WORDS, WORDS, TYPES, st.sampled_from(["", "low"]), WORDS, CACHES),
    st.builds(File, WORDS, WORDS, TYPES, WORDS, WORDS, CACHES),
)
IDS = st.sampled_from(["a", "b", "c.d", ""])
PARTS = st.one_of(
    SEEN,
    st.builds(Audio, WORDS, TYPES),
    st.builds(Refusal, WORDS),
    st.builds(Thinking, WORDS, WORDS, ORIGINS, WORDS),
    st.builds(ToolCall, IDS, WORDS, st.sampled_from(["", "{}", "[", '{"a":1.50}']), st.booleans(), WORDS),
    st.builds(ToolResult, IDS, st.lists(SEEN, max_size=2).map(tuple), st.booleans(), WORDS, st.booleans(), CACHES),
)
ANY_PARTS = st.lists(PARTS, max_size=2).map(tuple)
TURNS = st.one_of(
    st.builds(Turn, st.sampled_from([Role.USER, Role.ASSISTANT]), ANY_PARTS, st.sampled_from(["", "Ann"])),
    st.builds(Turn, st.sampled_from(Role), st.builds(Text, WORDS, CACHES).map(lambda part: (part,))),
    st.builds(Turn, st.sampled_from([Role.USER, Role.ASSISTANT]), st.just((Text("x"),))),
)
NAMES = st.sampled_from(["f", "f", "f", "g", "a b"])
ALLOWED = st.lists(NAMES, max_size=1).map(tuple)
FLAGS = st.none() | st.booleans()
NUMBERS = st.none() | st.floats(0, 2)
PROMPTS = st.builds(
    Prompt,
    st.lists(TURNS, max_size=5).map(tuple),
    is_stream=st.booleans(),
    tools=st.lists(
        st.builds(
            Tool, NAMES, WORDS, st.none() | RAW, st.none() | st.booleans(), st.booleans(), st.none() | RAW, CACHES
        ),
        max_size=2,
    ).map(tuple),
    tool_choice=st.none()
    | st.builds(ToolChoice, st.sampled_from(ChoiceMode), NAMES, st.lists(NAMES, max_size=1).map(tuple)),
    parallel_tool_calls=st.none() | st.booleans(),
    max_tokens=st.none() | st.integers(1, 50_000),
    temperature=NUMBERS,
    top_p=NUMBERS,
    top_k=st.none() | st.integers(0, 100),
    seed=st.none() | st.integers(),
    stop=st.lists(WORDS, max_size=2).map(tuple),
    reasoning=st.none()
    | st.builds(
        Reasoning,
        st.sampled_from(["", "none", "minimal", "high", "max", "odd"]),
        st.none() | st.integers(-1, 40_000),
        st.none() | st.booleans(),
        st.sampled_from(["", "auto"]),
    ),
    shape=st.none() | st.builds(Shape, st.sampled_from(ShapeKind), WORDS, st.none() | RAW, st.none(), WORDS),
    verbosity=WORDS,
    user=WORDS,
    service_tier=st.sampled_from(["", "auto", "default", "flex"]),
    metadata=st.none() | RAW,
)
MODELS = st.sampled_from(["claude-opus-4-8", "claude-sonnet-4-6", "claude-sonnet-4-5", "claude-3-haiku", "other"])


@settings(max_examples=100, deadline=None)
@given(PROMPTS, st.builds(Destination, MODELS, st.none() | st.integers(1, 64_000)))
def test_any_request_is_one_that_the_sdk_would_send_or_is_refused(prompt: Prompt, destination: Destination) -> None:
    try:
        written = write_prompt(prompt, destination)
    except NotTranslatable as refused:
        assert refused.param
        return

    body = judged_request(written.body)
    again = read_prompt(read_request(Asked(written.body)))

    assert [message["role"] for message in body["messages"]][:2] in (["user"], ["user", "assistant"])
    assert again.lost == ()
    assert again.is_stream == prompt.is_stream
    assert not body.get("thinking", {}).get("budget_tokens", 0) >= body["max_tokens"]
