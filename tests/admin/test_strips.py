"""Strips of minutes, meters and the waterfall of attempts."""

from __future__ import annotations

import pytest

from gateway.admin.strips import SCALE, meter, strip, verdict, waterfall
from gateway.control.overview import Cell
from gateway.model.calls import Attempt, CallRecord, CallStatus, Usage


def attempt(number: int = 1, **changes: object) -> Attempt:
    fields = {
        "number": number,
        "backend_id": "e:k",
        "backend": "openai/main",
        "pool": "primary",
        "upstream_model": "m",
        "started_ms": 0,
        "headers_ms": None,
        "first_output_ms": None,
        "total_ms": 100,
        "outcome": "failed",
        "status": 500,
        "error": "",
        "rest_ms": None,
    }
    return Attempt(**{**fields, **changes})  # type: ignore[arg-type]


def call(*attempts: Attempt, total_ms: int = 1000) -> CallRecord:
    return CallRecord(
        id="req_1",
        started_at=0,
        api_key_id="k",
        api_key_name="laptop",
        api_format="openai_chat",
        path="/v1/chat/completions",
        asked_model="m",
        served_model="m",
        provider_id=None,
        provider="",
        backend_id=None,
        backend="",
        pool="",
        is_stream=False,
        status=CallStatus.COMPLETED,
        code=200,
        error_code="",
        error="",
        usage=Usage(),
        price=None,
        cost_nano=None,
        total_ms=total_ms,
        first_byte_ms=None,
        overhead_us=0,
        config_version=1,
        client_ip="",
        attempts=attempts,
        skips=(),
    )


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        (Cell(ok=0, failed=0, limited=0), "none"),
        (Cell(ok=9, failed=0, limited=0), "ok"),
        (Cell(ok=9, failed=1, limited=0), "limited"),
        (Cell(ok=9, failed=0, limited=1), "limited"),
        (Cell(ok=1, failed=1, limited=0), "failed"),
        (Cell(ok=0, failed=0, limited=3), "limited"),
    ],
)
def test_a_minute_is_as_bad_as_what_most_calls_met(cell: Cell, state: str) -> None:
    assert strip([cell])[0].state == state


def test_every_minute_says_in_words_what_its_colour_says() -> None:
    boxes = strip([Cell(0, 0, 0), Cell(ok=3, failed=1, limited=2)])

    assert [box.title for box in boxes] == ["1 min ago: no calls", "this minute: 3 answered, 2 limited, 1 failed"]
    assert [box.x for box in boxes] == [0, 12]


def test_a_meter_shares_its_width_out_and_leaves_zeros_out() -> None:
    parts = meter([("ok", "healthy", 3), ("limited", "cooling", 0), ("failed", "in error", 1)])

    assert [(part.shade, part.x, part.width) for part in parts] == [("ok", 0, 750), ("failed", 750, 250)]
    assert parts[0].title == "3 healthy"


def test_a_meter_of_nothing_is_empty() -> None:
    assert meter([("ok", "healthy", 0)]) == ()


def test_an_answered_attempt_shows_its_three_phases_in_order() -> None:
    lane = waterfall(
        call(attempt(started_ms=100, headers_ms=300, first_output_ms=400, total_ms=900, outcome="ok", status=200))
    ).lanes[0]

    assert [part.shade for part in lane.parts] == ["phase-connect", "phase-wait", "phase-stream"]
    assert [part.x for part in lane.parts] == [100, 300, 400]
    assert sum(part.width for part in lane.parts) == 900
    assert (lane.look, lane.verdict) == ("good", "Answered")


@pytest.mark.parametrize(
    ("outcome", "shade", "look"),
    [
        ("rate_limited", "phase-limited", "warn"),
        ("failed", "phase-failed", "bad"),
        ("credentials_refused", "phase-failed", "bad"),
        ("abandoned", "phase-cancelled", "warn"),
        ("something_new", "phase-failed", "bad"),
    ],
)
def test_an_attempt_that_was_left_has_the_colour_of_its_verdict(outcome: str, shade: str, look: str) -> None:
    lane = waterfall(call(attempt(outcome=outcome))).lanes[0]

    assert [part.shade for part in lane.parts] == [shade]
    assert lane.look == look


def test_an_unknown_verdict_is_shown_as_it_is() -> None:
    assert verdict(attempt(outcome="something_new")) == "Something new"


def test_an_attempt_of_no_time_is_still_seen() -> None:
    lane = waterfall(call(attempt(started_ms=500, total_ms=0))).lanes[0]

    assert lane.parts[0].width > 0


def test_attempts_that_end_after_the_call_stay_inside_the_frame() -> None:
    drawing = waterfall(call(attempt(started_ms=900, total_ms=600), total_ms=1000))

    assert all(part.x + part.width <= SCALE for part in drawing.lanes[0].parts)
    assert drawing.ticks[-1] == "1.5 s"


def test_a_refused_call_has_an_empty_waterfall() -> None:
    assert waterfall(call()).lanes == ()
