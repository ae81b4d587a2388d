"""The `response` object and its items, with everything that the official types have to have."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response, ResponseOutputItem
from pydantic import TypeAdapter

from gateway.formats.intermediate import Audio, Image, Part, Refusal, Text, Thinking, ToolCall
from gateway.formats.responses.output import Ids, frame_of, output_item, response_object, status_for
from tests.formats.responses.answers import HERE, TOLD, USED

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseOutputItem)


@pytest.mark.parametrize(
    ("part", "own"),
    [
        (Text("x"), "msg_c1_3"),
        (Refusal("x"), "msg_c1_3"),
        (ToolCall("a", "f", "{}"), "fc_c1_3"),
        (ToolCall("a", "f", "x", is_custom=True), "ctc_c1_3"),
        (ToolCall("a", "f", "{}", namespace="g"), "fc_c1_3"),
        (Thinking("x", "proof", HERE, "rs_9"), "rs_9"),
        (Thinking("x", "sig", None, "thought"), "rs_c1_3"),
        (Image(data="aGk=", media_type="image/png"), "ig_c1_3"),
        (Image(data="aGk=", media_type="image/tiff"), "ig_c1_3"),
    ],
)
def test_every_item_is_one_of_the_official_ones(part: Part, own: str) -> None:
    item = output_item(part, Ids(TOLD), 3)

    assert ITEM.validate_python(item, strict=True).id == own


@pytest.mark.parametrize("part", [Image(url="https://a.test"), Audio("aGk=", "audio/wav")])
def test_what_has_no_place_is_no_item(part: Part) -> None:
    assert output_item(part, Ids(TOLD), 0) is None


@pytest.mark.parametrize("status", ["in_progress", "completed", "incomplete"])
def test_every_response_is_an_official_one(status: str) -> None:
    frame = frame_of("resp_1", "gpt", 5, TOLD)

    found = Response.model_validate(response_object(frame, status, [], USED), strict=True)

    assert (found.id, found.model, found.created_at, found.status) == ("resp_1", "asked", 5, status)


def test_what_the_answer_does_not_say_is_known_of_the_call() -> None:
    frame = frame_of("chatcmpl-1", "gpt", 0, TOLD)

    assert (frame.id, frame.model, frame.created) == ("resp_c1", "asked", 1_700_000_000)


def test_an_answer_with_a_reason_is_incomplete() -> None:
    assert (status_for(""), status_for("content_filter")) == ("completed", "incomplete")
