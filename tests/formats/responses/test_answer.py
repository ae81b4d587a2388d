"""Whole answers in OpenAI Responses, read and written; the official type is the judge of what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.responses import Response

from gateway.formats.intermediate import (
    Answer,
    Audio,
    BadAnswer,
    Image,
    Part,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolCall,
)
from gateway.formats.responses.answer import read_whole, write_whole
from gateway.model.calls import UsageSource
from tests.formats.responses.answers import CLAUDE, GUESSED, HERE, PARTS, TOLD, USED, stop_of
from tests.formats.responses.wires import USAGE, function_call, message, output_text, response


def read(*output: Any, **fields: Any) -> Answer:
    return read_whole(json.dumps(response(*output, **fields)).encode())


def written(*parts: Part, stop: Stop = Stop.END, **fields: Any) -> dict[str, Any]:
    body = write_whole(Answer("resp_1", "gpt", parts, stop, **fields), TOLD)
    Response.model_validate_json(body, strict=True)
    found: dict[str, Any] = json.loads(body)
    return found


def test_an_answer_is_read_item_by_item() -> None:
    found = read(
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "proof"},
        message(output_text("Hello"), {"type": "refusal", "refusal": "no"}),
        function_call("a"),
        {"type": "custom_tool_call", "id": "ctc", "call_id": "b", "name": "patch", "input": "free\ntext"},
    )

    assert found == Answer(
        id="resp_1",
        model="gpt",
        parts=(
            Thinking("hm", "", None, "rs_1"),
            Thinking("", "proof", HERE, "rs_2"),
            Text("Hello"),
            Refusal("no"),
            ToolCall("a", "weather", '{"place":"Bern"}'),
            ToolCall("b", "patch", "free\ntext", is_custom=True),
        ),
        stop=Stop.TOOL_CALLS,
        usage=USED,
        created=1_700_000_000,
    )


def test_an_empty_thought_is_nothing() -> None:
    assert read({"type": "reasoning", "id": "rs_1", "summary": []}).parts == ()


def test_what_has_no_place_is_named() -> None:
    content = {**output_text("x"), "annotations": [{"type": "url_citation"}], "logprobs": [{"token": "x"}]}
    found = read({"type": "web_search_call", "id": "ws"}, {"type": "mcp_call", "arguments": {}}, message(content))

    assert found.parts == (Text("x"),)
    assert found.lost == ("annotations", "logprobs", "output.mcp_call", "output.web_search_call")


def test_a_picture_that_was_made_is_one() -> None:
    item = {
        "type": "image_generation_call",
        "id": "ig",
        "status": "completed",
        "result": "aGk=",
        "output_format": "webp",
    }

    assert read(item).parts == (Image(data="aGk=", media_type="image/webp"),)


@pytest.mark.parametrize(
    ("output", "fields", "stop"),
    [
        ([message(output_text("x"))], {}, Stop.END),
        ([message({"type": "refusal", "refusal": "no"})], {}, Stop.REFUSAL),
        ([function_call()], {}, Stop.TOOL_CALLS),
        ([], {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, Stop.LENGTH),
        ([function_call()], {"status": "incomplete", "incomplete_details": None}, Stop.LENGTH),
        ([], {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, Stop.FILTER),
    ],
)
def test_why_an_answer_ended(output: list[Any], fields: dict[str, Any], stop: Stop) -> None:
    assert read(*output, **fields).stop is stop


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"output":3}',
        b'{"output":[3]}',
        b'{"output":[{"type":3}]}',
        b'{"output":[{"type":"message","content":3}]}',
        b'{"output":[{"type":"function_call","arguments":{}}]}',
        b'{"output":[{"type":"message","content":[{"type":"output_text","text":"\\ud800"}]}]}',
        b'{"output":[],"status":"failed","error":{"message":"broken"}}',
        b'{"output":[],"status":"queued"}',
        b'{"output":[],"status":["completed"]}',
        b'{"error":{"message":"broken"}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_whole(body)


def test_an_answer_s_error_is_told_in_its_words() -> None:
    with pytest.raises(BadAnswer, match="broken"):
        read(error={"code": "server_error", "message": "broken"}, status="failed")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda of: (
            st.lists(of)
            | st.dictionaries(
                st.sampled_from(["output", "type", "content", "summary", "status", "error", "usage", "id", "text"]), of
            )
        ),
    )
)
@settings(max_examples=80)
def test_nothing_but_a_refusal_comes_of_any_value(value: Any) -> None:
    try:
        read_whole(json.dumps(value).encode())
    except BadAnswer as refusal:
        assert str(refusal)


def test_an_answer_is_written_as_the_official_type_has_it() -> None:
    found = written(
        Thinking("hm", "proof", HERE, "rs_7"),
        Text("Hello"),
        Refusal("no"),
        ToolCall("a", "weather", ""),
        ToolCall("b", "patch", "free", is_custom=True),
        stop=Stop.TOOL_CALLS,
        usage=USED,
        created=5,
    )

    assert [item["id"] for item in found["output"]] == ["rs_7", "msg_c1_1", "msg_c1_2", "fc_c1_3", "ctc_c1_4"]
    assert found["output"][0]["encrypted_content"] == "proof"
    assert found["output"][1]["content"] == [output_text("Hello")]
    assert found["output"][3]["arguments"] == "{}"
    assert (found["id"], found["model"], found["created_at"], found["status"]) == ("resp_1", "asked", 5, "completed")
    assert found["usage"] == USAGE


def test_an_id_of_another_format_gives_way_to_one_of_this() -> None:
    body = write_whole(Answer("msg_x", "claude", (), Stop.END), TOLD)

    assert json.loads(body)["id"] == "resp_c1"


def test_a_thought_of_another_format_is_marked() -> None:
    found = written(Thinking("hm", "sig", CLAUDE, "thought"))["output"][0]

    assert (found["id"], found["encrypted_content"]) == ("rs_c1_0", "gw1.anthropic_messages.sig")


def test_two_thoughts_of_the_same_id_are_two_items() -> None:
    found = written(Thinking("a", "", None, "rs_1"), Thinking("", "proof", HERE, "rs_1"))

    assert [item["id"] for item in found["output"]] == ["rs_1", "rs_c1_1"]


def test_a_call_of_a_tool_in_a_group_names_the_group() -> None:
    found = written(ToolCall("a", "files_-_read", "{}"))["output"][0]

    assert (found["namespace"], found["name"]) == ("files", "read")


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (Stop.END, "completed", None),
        (Stop.TOOL_CALLS, "completed", None),
        (Stop.STOP_SEQUENCE, "completed", None),
        (Stop.PAUSE, "completed", None),
        (Stop.LENGTH, "incomplete", "max_output_tokens"),
        (Stop.CONTEXT, "incomplete", "max_output_tokens"),
        (Stop.FILTER, "incomplete", "content_filter"),
        (Stop.REFUSAL, "incomplete", "content_filter"),
    ],
)
def test_endings_in_the_words_of_the_format(stop: Stop, status: str, reason: str | None) -> None:
    found = written(Text("x"), stop=stop)

    assert found["status"] == status
    assert (found["incomplete_details"] or {}).get("reason") == reason


def test_a_refusal_with_words_is_complete() -> None:
    assert written(Refusal("no"), stop=Stop.REFUSAL)["status"] == "completed"


def test_usage_is_estimated_where_none_was_told() -> None:
    found = written(Text("x"))["usage"]

    assert (found["input_tokens"], found["output_tokens"]) == (GUESSED.input, GUESSED.output)


def test_pictures_are_written_and_sound_is_not() -> None:
    parts = (Image(data="aGk=", media_type="image/png"), Image(url="https://a.test"), Audio("aGk=", "audio/wav"))

    assert [item["type"] for item in written(*parts)["output"]] == ["image_generation_call"]


@given(PARTS, st.sampled_from([None, Stop.LENGTH, Stop.FILTER]))
@settings(max_examples=100)
def test_what_is_written_says_what_was_read(parts: tuple[Part, ...], stop: Stop | None) -> None:
    answer = Answer("resp_1", "asked", parts, stop or stop_of(parts), usage=USED, created=5)

    body = write_whole(answer, TOLD)

    Response.model_validate_json(body, strict=True)
    assert read_whole(body) == answer


def test_more_of_a_cache_for_an_hour_is_told_with_the_rest() -> None:
    usage = replace(USED, cache_creation=4, cache_creation_1h=6, source=UsageSource.REPORTED)

    assert written(usage=usage)["usage"]["input_tokens_details"]["cache_write_tokens"] == 10
