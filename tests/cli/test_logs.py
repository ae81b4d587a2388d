"""Log lines."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import pytest
from msgspec.structs import replace

from gateway.cli.logs import Batches, Lines
from gateway.model.calls import CallRecord
from tests.store.rows import CALL

pytestmark = pytest.mark.anyio


def line(message: str, is_json: bool = True, error: Exception | None = None, **fields: object) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("gateway.test", logging.INFO, __file__, 1, message, (), exc_info)
    record.created = 1_800_000_000.25
    record.fields = fields
    return Lines(is_json).format(record)


def test_a_line_is_one_json_object_with_its_fields() -> None:
    assert json.loads(line("call", status=200, model="m")) == {
        "at": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "logger": "gateway.test",
        "message": "call",
        "status": 200,
        "model": "m",
    }
    assert line("call", is_json=False, status=200) == "2027-01-15T08:00:00.250Z info call status=200"


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize("hostile", ["a\nb", "a\r\nb", "\x1b[31mred", "a\x00b", "a\u2028b", "\u202eabc", "\x9b31m"])
def test_what_others_sent_stays_on_one_line_without_escapes(hostile: str, is_json: bool) -> None:
    shown = line(hostile, is_json, model=hostile)

    assert len(shown.splitlines()) == 1
    assert not any(character in shown for character in "\n\r\x1b\x00\u2028\u202e\x9b")


@pytest.mark.parametrize(
    "secret", ["sk-proj-abcdefghijklmnop", "sk-gw-Abc_def-0123456789", "gwm-0123456789abcdef", "sk-ant-api03-xxxxxxxx"]
)
def test_credentials_are_cut_short_wherever_they_turn_up(secret: str) -> None:
    try:
        raise ValueError(f"wrong key {secret}")
    except ValueError as error:
        shown = line(f"refused {secret}", error=error, upstream=f"Incorrect API key provided: {secret}.")

    assert secret not in shown
    assert secret[8:] not in shown
    assert "ValueError" in json.loads(shown)["trace"]


def test_a_field_is_cut_at_a_kibibyte() -> None:
    assert len(json.loads(line("x", model="m" * 5000))["model"]) == 1024


def test_what_json_has_no_word_for_is_shown_as_text() -> None:
    assert json.loads(line("x", version=sys.version_info, kind=ValueError))["kind"] == "<class 'ValueError'>"


class Screen:
    """What was written, and how many lines that was said to be."""

    def __init__(self) -> None:
        self.text = ""
        self.counted = 0

    def write(self, data: bytes, lines: int) -> None:
        self.text += data.decode()
        self.counted += lines

    @property
    def ends(self) -> list[str]:
        """The last word of each line."""
        return [shown.split()[-1] for shown in self.text.splitlines()]

    async def lines(self, number: int) -> None:
        while self.counted < number:
            await asyncio.sleep(0.01)


def a_logger(screen: Screen, *, is_json: bool = False) -> logging.Logger:
    logger = logging.Logger("gateway.test", logging.INFO)
    logger.addHandler(Batches(screen.write, Lines(is_json)))
    return logger


async def test_lines_of_calls_are_written_together_a_moment_later_and_in_order() -> None:
    screen = Screen()
    logger = a_logger(screen)

    for number in range(3):
        logger.info("call", extra={"fields": {"number": number}})
    assert screen.text == ""

    await screen.lines(3)
    assert screen.ends == ["number=0", "number=1", "number=2"]


async def test_a_warning_is_written_at_once_and_takes_out_what_waits_before_it() -> None:
    screen = Screen()
    logger = a_logger(screen)

    logger.info("first")
    logger.warning("second")

    assert screen.ends == ["first", "second"]


def test_nothing_waits_where_no_loop_runs() -> None:
    screen = Screen()

    a_logger(screen).info("start")

    assert screen.text.endswith("info start\n")


async def test_what_a_thread_without_a_loop_says_takes_out_what_waits_before_it() -> None:
    screen = Screen()
    logger = a_logger(screen)

    logger.info("first")
    await asyncio.to_thread(logger.info, "second")

    assert screen.ends == ["first", "second"]


async def test_lines_wait_again_once_those_before_them_were_written() -> None:
    screen = Screen()
    tell = Batches(screen.write, Lines(is_json=False)).tell

    for round_number in (1, 2):
        tell(CALL)
        tell(CALL)
        assert screen.counted == len(screen.ends) == 2 * (round_number - 1)
        await screen.lines(2 * round_number)


def test_what_no_encoding_has_a_word_for_is_spelled() -> None:
    screen = Screen()

    a_logger(screen).info("a \ud800 b")

    assert screen.text.endswith("a \\ud800 b\n")


async def test_what_waits_at_the_end_of_the_program_is_written() -> None:
    screen = Screen()
    logger = a_logger(screen)

    logger.info("last")
    logger.handlers[0].close()
    logger.handlers[0].flush()

    assert screen.text.endswith("info last\n")


class Unspeakable:
    def __str__(self) -> str:
        raise LookupError("the secret")


@pytest.mark.parametrize("is_json", [True, False])
def test_a_line_that_cannot_be_made_says_where_that_failed_and_no_more(is_json: bool) -> None:
    screen = Screen()
    logger = a_logger(screen, is_json=is_json)

    logger.info("before")
    logger.info("of %s", Unspeakable())
    logger.info("after")

    before, instead, after = screen.text.splitlines()
    assert "before" in before and "after" in after
    assert "a line could not be written" in instead and "LookupError" in instead and "Unspeakable.__str__" in instead
    assert "the secret" not in screen.text


async def test_a_line_of_a_call_that_cannot_be_made_takes_no_other_along() -> None:
    screen = Screen()
    tell = Batches(screen.write, Lines(is_json=False)).tell

    tell(replace(CALL, id="req_1"))
    tell(replace(CALL, attempts=None))
    tell(replace(CALL, id="req_3"))
    await screen.lines(3)

    before, instead, after = screen.text.splitlines()
    assert "id=req_1" in before and "id=req_3" in after
    assert "error=TypeError where=Lines.call" in instead


def told(row: CallRecord, *, is_json: bool) -> str:
    screen = Screen()
    Batches(screen.write, Lines(is_json)).tell(row)
    return screen.text


def test_a_call_is_one_line_under_the_id_that_its_client_got() -> None:
    row = replace(CALL, id="req_1", started_at=1_800_000_000_000, total_ms=250, api_key_name="laptop", asked_model="m")
    row = replace(row, code=502, backend="openai/main", error_code="upstream_failed", attempts=())

    assert json.loads(told(row, is_json=True)) == {
        "at": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "logger": "gateway.access",
        "message": "call",
        "id": "req_1",
        "key": "laptop",
        "model": "m",
        "backend": "openai/main",
        "code": 502,
        "tries": 0,
        "ms": 250,
        "error": "upstream_failed",
    }
    assert told(row, is_json=False) == (
        "2027-01-15T08:00:00.250Z info call id=req_1 key=laptop model=m backend=openai/main code=502 tries=0 ms=250 "
        "error=upstream_failed\n"
    )


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize(
    "hostile", ["a\nb", "\x1b[31mred", "a\u2028b", "\u202eabc", "sk-gw-Abc_def-0123456789", "m" * 5000]
)
def test_what_a_client_made_up_harms_no_line_of_a_call(hostile: str, is_json: bool) -> None:
    shown = told(replace(CALL, asked_model=hostile, api_key_name=hostile), is_json=is_json)

    assert len(shown.splitlines()) == 1
    assert not any(character in shown[:-1] for character in "\n\r\x1b\x00\u2028\u202e\x9b")
    assert "Abc_def" not in shown
    assert len(shown) < 3000
