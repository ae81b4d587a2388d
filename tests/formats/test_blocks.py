"""Events read in blocks: whatever is read at once, it comes to what reading one by one comes to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.blocks import Blocks
from gateway.formats.chat import surface as chat
from gateway.formats.gemini import surface as gemini
from gateway.formats.messages import surface as messages
from gateway.formats.metering import Tap
from gateway.formats.responses import surface as responses
from gateway.formats.sse import split_events

TAPS: list[Callable[[], Tap]] = [chat.StreamTap, messages.StreamTap, responses.StreamTap, gemini.StreamTap]
TEXTS = st.text(max_size=12) | st.sampled_from(["", '"', "\\", "\n\n", ":", ",", '","', "é", "\u2028", "data: "])


def event(payload: object, *, ascii_only: bool = True) -> bytes:
    said = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=ascii_only)
    return b"data: " + said.encode("utf-8", "surrogatepass") + b"\n\n"


def chat_chunk(text: object, **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}


def messages_delta(text: str, index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def facts(tap: Tap) -> tuple[object, ...]:
    return (tap.has_output, tap.is_finished, tap.error, tap.characters, tap.usage, tap.answer_id)


def both(new_tap: Callable[[], Tap], events: list[bytes], sizes: list[int]) -> tuple[Tap, Tap]:
    """What one tap reads one by one, and another in blocks of these sizes."""
    one, blocks = new_tap(), Blocks(new_tap(), new_tap)
    told = [one_event for one_event in events if one.read(one_event)]
    found, rest = list[bytes](), events
    for size in [*sizes, len(events)]:
        block, rest = rest[:size], rest[size:]
        if block:
            found += blocks.read(b"".join(block))
    assert found == told
    return one, blocks.tap


CHUNKS = st.one_of(
    st.builds(chat_chunk, TEXTS),
    st.builds(lambda text: chat_chunk(text, obfuscation=text), TEXTS),
    st.builds(lambda text: chat_chunk(text, usage=None), TEXTS),
    st.just({"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
    st.builds(lambda text: {"choices": [{"delta": {"content": text, "reasoning": text}}]}, TEXTS),
    st.builds(lambda text: {"choices": [{"delta": {"content": text}}, {"delta": {"content": text}}]}, TEXTS),
    st.just({"choices": [{"delta": {}, "finish_reason": "stop"}]}),
    st.just({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
    st.builds(messages_delta, TEXTS, st.integers(0, 2)),
    st.just({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
    st.builds(lambda text: {"type": "response.output_text.delta", "delta": text}, TEXTS),
    st.builds(lambda text: {"candidates": [{"content": {"parts": [{"text": text}]}}]}, TEXTS),
    st.sampled_from(["[DONE]", "{", "[]", "null", '{"choices": 1}', '{"delta": []}']),
)


@given(
    st.sampled_from(TAPS),
    st.lists(CHUNKS, min_size=1, max_size=25),
    st.lists(st.integers(1, 9), max_size=4),
    st.booleans(),
)
def test_blocks_come_to_the_same_as_one_by_one(
    new_tap: Callable[[], Tap], chunks: list[Any], sizes: list[int], ascii_only: bool
) -> None:
    events = [found for chunk in chunks for found in split_events(event(chunk, ascii_only=ascii_only))]

    one, other = both(new_tap, events, sizes)

    assert facts(one) == facts(other)


@pytest.mark.parametrize("hostile", ['x","y', ":", ",", '":"', "content", "index", "c", "0"])
def test_a_text_that_stands_elsewhere_too_teaches_nothing_wrong(hostile: str) -> None:
    chunks = [chat_chunk(hostile, id=hostile), chat_chunk(hostile + "!", id=hostile), chat_chunk("abc", id=hostile)]

    one, other = both(chat.StreamTap, [event(chunk) for chunk in chunks], [1, 1])

    assert facts(one) == facts(other)


class Counting:
    """A tap that counts what it has to decode."""

    def __init__(self, inner: Tap, read: list[bytes]) -> None:
        self.inner, self.decoded = inner, read

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("inner", "decoded"):
            super().__setattr__(name, value)
        else:
            setattr(self.inner, name, value)

    def read(self, event: bytes) -> bool:
        self.decoded.append(event)
        return self.inner.read(event)


@pytest.mark.parametrize(
    ("new_tap", "chunk"),
    [(chat.StreamTap, chat_chunk), (messages.StreamTap, messages_delta)],
    ids=["chat", "messages"],
)
def test_of_a_thousand_events_that_differ_in_a_word_nearly_none_is_decoded(
    new_tap: Callable[[], Tap], chunk: Callable[[str], dict[str, Any]]
) -> None:
    decoded: list[bytes] = []
    blocks = Blocks(Counting(new_tap(), decoded), new_tap)  # type: ignore[arg-type]  # it passes all of a tap on

    blocks.read(b"".join(event(chunk(f"word {number}"), ascii_only=False) for number in range(1000)))

    assert len(decoded) == 2
    assert blocks.tap.characters == sum(len(f"word {number}") for number in range(1000))


def test_a_stream_whose_events_all_differ_is_not_learned_from_for_ever() -> None:
    probes: list[Tap] = []

    def new_tap() -> Tap:
        probes.append(chat.StreamTap())
        return probes[-1]

    blocks = Blocks(chat.StreamTap(), new_tap)
    blocks.read(b"".join(event(chat_chunk("abc", id=str(number))) for number in range(1000)))

    assert len(probes) < 20
    assert blocks.tap.characters == 3000
