"""Content parts of OpenAI Responses: what is read is written again, and no part is left out in silence."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.intermediate import Audio, File, Image, Part, Refusal, Text
from gateway.formats.members import Members
from gateway.formats.responses.content import content_of, split_data_url, written_content


def read(content: Any) -> tuple[tuple[Part, ...], set[str]]:
    lost: set[str] = set()
    holder = Members({"content": msgspec.Raw(json.dumps(content).encode())}, "input[0]")
    return content_of(holder, "content", lost), lost


@pytest.mark.parametrize(
    "part",
    [
        Text(""),
        Text("\u00e9 \U0001f600"),
        Image(url="https://a.test/b.png"),
        Image(url="http://a.test/b.png", detail="high"),
        Image(data="aGk=", media_type="image/png"),
        Image(file_id="file-1", detail="low"),
        File(data="aGk=", media_type="application/pdf", name="a.pdf"),
        File(url="https://a.test/b.pdf"),
        File(file_id="file-1"),
    ],
)
def test_what_is_written_is_read_again(part: Part) -> None:
    dropped: set[str] = set()

    assert read(written_content((part,), dropped)) == ((part,), set())
    assert not dropped


def test_text_alone_is_one_part() -> None:
    assert read("Hello") == ((Text("Hello"),), set())
    assert read(None) == ((), set())


def test_a_file_without_a_data_url_is_a_pdf() -> None:
    assert read([{"type": "input_file", "file_data": "aGk="}])[0] == (File(data="aGk=", media_type="application/pdf"),)


@pytest.mark.parametrize(
    ("media_type", "name"),
    [("application/pdf", "document.pdf"), ("text/plain", "document.txt"), ("application/x-thing", "document")],
)
def test_data_without_a_name_is_given_one(media_type: str, name: str) -> None:
    assert written_content((File(data="aGk=", media_type=media_type),), set())[0]["filename"] == name


def test_a_refusal_among_what_the_user_says_is_text() -> None:
    assert written_content((Refusal("no"),), set()) == [{"type": "input_text", "text": "no"}]


def test_sound_has_no_place() -> None:
    with pytest.raises(NotTranslatable) as refusal:
        written_content((Audio("aGk=", "audio/wav"),), set())
    assert refusal.value.param == "messages.audio"


def test_what_a_provider_s_cache_is_asked_is_named() -> None:
    dropped: set[str] = set()
    written_content((Text("x", cache="1h"), Image(url="x", cache="5m")), dropped)

    assert dropped == {"messages.cache_control"}


@pytest.mark.parametrize("value", [None, [], {}, False])
def test_members_that_say_nothing_are_not_lost(value: Any) -> None:
    assert read([{"type": "output_text", "text": "x", "annotations": value}])[1] == set()


def test_a_mark_for_the_cache_is_lost_by_name() -> None:
    part = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}

    assert read([part])[1] == {"input.prompt_cache_breakpoint"}


@pytest.mark.parametrize("content", [3, {}, [3], [{}], [{"type": 3}], [{"type": "input_file"}]])
def test_what_is_no_content_is_refused(content: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        read(content)
    assert (refusal.value.param or "").startswith("input[0].content")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("data:image/png;base64,aGk=", ("image/png", "aGk=")),
        ("data:text/plain;charset=utf-8;base64,aGk=", ("text/plain", "aGk=")),
        ("https://a.test/;base64,aGk=", ("", "")),
        ("data:text/plain,hi", ("", "")),
        ("", ("", "")),
    ],
)
def test_data_urls_are_taken_apart(url: str, found: tuple[str, str]) -> None:
    assert split_data_url(url) == found
