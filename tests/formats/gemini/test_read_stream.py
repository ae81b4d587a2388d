from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.formats.gemini.stream import Reader
from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Failed,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Stop,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from gateway.formats.sse import plain_event
from gateway.model.calls import UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.answers import answer_of, read

GEMINI = ApiFormat.GEMINI_GENERATE


def chunk(*parts: dict[str, Any], reason: str | None = None, **fields: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    candidate |= {"finishReason": reason} if reason else {}
    return plain_event(
        msgspec.json.encode({"candidates": [candidate], "modelVersion": "m", "responseId": "a"} | fields)
    )


END = chunk({"text": ""}, reason="STOP")


def test_text_is_one_part_and_the_close_of_the_stream_its_end() -> None:
    reader = Reader()

    assert reader.read(chunk({"text": "a"})) == [Began("a", "m"), PartBegan(0, Kind.TEXT), Delta(0, "a")]
    assert reader.read(chunk({"text": "b"})) == [Delta(0, "b")]
    assert reader.end() == []
    assert reader.read(END) == [PartEnded(0), Stopped(Stop.END)]
    assert reader.end() == [Ended()]
    assert reader.end() == reader.read(END) == []


def test_usage_is_an_estimate_until_the_answer_stopped() -> None:
    def usage(output: int) -> dict[str, int]:
        return {"promptTokenCount": 3, "candidatesTokenCount": output}

    events = read(
        Reader(),
        chunk({"text": "a"}, usageMetadata=usage(1))
        + chunk({"text": "b"}, usageMetadata={})
        + chunk(reason="STOP", usageMetadata=usage(3))
        + plain_event(msgspec.json.encode({"usageMetadata": usage(4)})),
    )

    assert [(event.usage.output, event.usage.source) for event in events if isinstance(event, Measured)] == [
        (1, UsageSource.ESTIMATED),
        (3, UsageSource.REPORTED),
        (4, UsageSource.REPORTED),
    ]


def test_thoughts_text_and_calls_are_parts_of_their_own() -> None:
    stream = (
        chunk({"text": "h", "thought": True})
        + chunk({"text": "m", "thought": True})
        + chunk({"text": "so"})
        + chunk(
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2VhbA=="},
            {"functionCall": {"id": "y", "name": "g"}},
        )
        + END
    )

    answer = answer_of(read(Reader(), stream))
    thought, text, seal, first, second = answer.parts

    assert (thought, text) == (Thinking("hm"), Text("so"))
    assert seal == Thinking("", "c2VhbA==", GEMINI)
    assert isinstance(first, ToolCall)
    assert first.id.startswith("call_")
    assert (first.name, first.arguments) == ("f", '{"a":1}')
    assert second == ToolCall("y", "g", "")
    assert answer.stop == Stop.TOOL_CALLS


def test_ids_that_are_made_are_the_same_for_the_same_answer_and_no_other() -> None:
    def made(answer_id: str) -> list[str]:
        call = {"functionCall": {"name": "f", "args": {}}}
        answer = answer_of(read(Reader(), chunk(call, call, reason="STOP", responseId=answer_id)))
        return [part.id for part in answer.parts if isinstance(part, ToolCall)]

    assert made("a") == made("a")
    assert len({*made("a"), *made("b")}) == 4


def test_arguments_stay_the_text_that_they_came_as() -> None:
    stream = (
        b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"x","name":"f","args":'
        b'{ "n": 1180591620717411303424, "f": 1.50 }}}]},"finishReason":"STOP"}]}\n\n'
    )

    assert answer_of(read(Reader(), stream)).parts == (
        ToolCall("x", "f", '{ "n": 1180591620717411303424, "f": 1.50 }'),
    )


@pytest.mark.parametrize("place", ["alone at the end", "on the text"])
def test_a_signature_of_text_is_a_thought_before_it(place: str) -> None:
    if place == "on the text":
        stream = chunk({"text": "a", "thoughtSignature": "c2VhbA=="}) + END
        wanted: tuple[Any, ...] = (Thinking("", "c2VhbA==", GEMINI), Text("a"))
    else:
        stream = chunk({"text": "a"}) + chunk({"text": "", "thoughtSignature": "c2VhbA=="}, reason="STOP")
        wanted = (Text("a"), Thinking("", "c2VhbA==", GEMINI))

    assert answer_of(read(Reader(), stream)).parts == wanted


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("STOP", Stop.END), ("MAX_TOKENS", Stop.LENGTH), ("SAFETY", Stop.FILTER), ("SPII", Stop.FILTER), ("X", Stop.END)],
)
def test_each_reason_has_its_meaning(reason: str, stop: Stop) -> None:
    assert answer_of(read(Reader(), chunk({"text": "a"}, reason=reason))).stop == stop


def test_a_question_that_is_blocked_is_an_answer_without_parts() -> None:
    answer = answer_of(read(Reader(), plain_event(b'{"promptFeedback":{"blockReason":"SAFETY"},"responseId":"a"}')))

    assert (answer.id, answer.parts, answer.stop) == ("a", (), Stop.FILTER)


@pytest.mark.parametrize(
    "stream",
    [
        plain_event(b'{"error":{"code":503,"message":"too much"}}'),
        plain_event(b'[{"error":{"code":503,"message":"too much"}}]'),
        chunk({"text": "a"}) + plain_event(b'{"error":{"message":"too much"}}'),
    ],
)
def test_an_error_in_the_stream_is_the_last_that_is_said(stream: bytes) -> None:
    assert read(Reader(), stream + END)[-1] == Failed("too much")


def test_a_malformed_call_is_a_failure_and_what_it_used_counts() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1}
    *_, measured, failed = read(Reader(), chunk(reason="MALFORMED_FUNCTION_CALL", usageMetadata=usage) + END)

    assert isinstance(measured, Measured)
    assert measured.usage.source == UsageSource.REPORTED
    assert isinstance(failed, Failed)


def test_a_stream_that_breaks_off_has_no_end() -> None:
    assert read(Reader(), chunk({"text": "a"}))[-1] == Delta(0, "a")
    assert read(Reader(), b"") == []


def test_what_has_no_place_is_named() -> None:
    reader = Reader()
    stream = (
        chunk({"executableCode": {"code": "x"}}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}})
        + chunk(candidates=[{"index": 0, "groundingMetadata": {"x": 1}}, {"index": 1, "finishReason": "STOP"}])
        + b"data: {\n\n"
    )

    read(reader, stream + END)

    assert reader.lost == {"parts.executableCode", "parts.inlineData", "groundingMetadata", "candidates", "chunks"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name"),
                    *("args", "finishReason", "usageMetadata", "promptFeedback", "blockReason", "error", "inlineData"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=100)
@given(st.lists((st.binary(max_size=20) | values.map(msgspec.json.encode)).map(plain_event), max_size=5))
def test_whatever_a_provider_sends_nothing_is_raised(stream: list[bytes]) -> None:
    events = read(Reader(), b"".join(stream))

    assert not any(isinstance(event, Failed) for event in events[:-1])
    if events and isinstance(events[-1], Ended):
        answer_of(events)


@settings(max_examples=100)
@given(st.lists(values, max_size=3))
def test_parts_of_any_shape_raise_nothing(parts: list[Any]) -> None:
    read(Reader(), plain_event(msgspec.json.encode({"candidates": [{"content": {"parts": parts}}]})) + END)
