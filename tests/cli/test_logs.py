"""Log lines."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys

import pytest
from msgspec.structs import replace

from gateway.cli.logs import Batches, Calls, Lines
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


def a_logger(stream: io.StringIO) -> logging.Logger:
    logger = logging.Logger("gateway.test", logging.INFO)
    handler = Batches(stream)
    handler.setFormatter(Lines(is_json=False))
    logger.addHandler(handler)
    return logger


async def test_lines_of_calls_are_written_together_a_moment_later_and_in_order() -> None:
    stream = io.StringIO()
    logger = a_logger(stream)

    for number in range(3):
        logger.info("call", extra={"fields": {"number": number}})
    assert stream.getvalue() == ""

    while not stream.getvalue():  # noqa: ASYNC110  # it is the output that is waited for
        await asyncio.sleep(0.01)
    assert [shown.rpartition(" ")[2] for shown in stream.getvalue().splitlines()] == [
        "number=0",
        "number=1",
        "number=2",
    ]


async def test_a_warning_is_written_at_once_and_takes_out_what_waits_before_it() -> None:
    stream = io.StringIO()
    logger = a_logger(stream)

    logger.info("first")
    logger.warning("second")

    assert [shown.split()[-1] for shown in stream.getvalue().splitlines()] == ["first", "second"]


def test_nothing_waits_where_no_loop_runs() -> None:
    stream = io.StringIO()

    a_logger(stream).info("start")

    assert stream.getvalue().endswith("info start\n")


async def test_what_a_thread_without_a_loop_says_takes_out_what_waits_before_it() -> None:
    stream = io.StringIO()
    logger = a_logger(stream)

    logger.info("first")
    await asyncio.to_thread(logger.info, "second")

    assert [shown.split()[-1] for shown in stream.getvalue().splitlines()] == ["first", "second"]


async def test_lines_wait_again_once_those_before_them_were_written() -> None:
    stream = io.StringIO()
    tell = Calls(Batches(stream), is_json=False)

    for round_number in (1, 2):
        tell(CALL)
        tell(CALL)
        assert len(stream.getvalue().splitlines()) == 2 * (round_number - 1)
        while len(stream.getvalue().splitlines()) < 2 * round_number:  # noqa: ASYNC110  # the output is waited for
            await asyncio.sleep(0.01)


async def test_what_waits_at_the_end_of_the_program_is_written() -> None:
    stream = io.StringIO()
    logger = a_logger(stream)

    logger.info("last")
    logger.handlers[0].close()
    logger.handlers[0].flush()

    assert stream.getvalue().endswith("info last\n")


async def test_an_output_that_nobody_reads_any_more_stops_nothing() -> None:
    stream = io.StringIO()
    logger = a_logger(stream)
    stream.close()

    logger.warning("into the void")


def told(row: CallRecord, *, is_json: bool) -> str:
    stream = io.StringIO()
    Calls(Batches(stream), is_json=is_json)(row)
    return stream.getvalue()


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
