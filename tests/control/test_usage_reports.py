"""Use that happened elsewhere: taken in whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import model_summary, models, usage_reports
from gateway.control.desk import Desk
from gateway.control.model_summary import SourceUse
from gateway.errors import InvalidFields
from tests.desks import ANN, START_MS
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

FINE = {"model": "m", "source": "batch", "request_count": 3, "success_count": 3}


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await models.create(desk, ANN, {"code": "m"})
    return desk


async def faults(desk: Desk, *reports: object) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await usage_reports.take_in(desk, ANN, {"reports": list(reports)})
    return refused.value.fields


async def test_reports_are_written_down_with_who_sent_them(desk: Desk) -> None:
    model_id = (await models.listing(desk))[0].id
    whole = {**FINE, "at": START_MS - 5, "input_tokens": 100, "output_tokens": 20, "cost": "0.25"}

    first, second = await usage_reports.take_in(desk, ANN, {"reports": [whole, {**FINE, "model": model_id}]})

    assert (first.model_id, first.at, first.cost_nano, first.actor) == (model_id, START_MS - 5, 250_000_000, "ann")
    assert (second.model_id, second.at, second.cost_nano) == (model_id, START_MS, None)
    assert await model_summary.uses_of(desk, "m") == (SourceUse("batch", True, 6, 6, 100, 20, 250_000_000, 3),)
    last = (await audit_rows(desk))[-1]
    assert (last.action, last.object_id, last.actor_name) == ("report_usage", "2 reports", "ann")


async def test_one_fault_keeps_all_of_them_out(desk: Desk) -> None:
    found = await faults(
        desk,
        FINE,
        {**FINE, "success_count": 4},
        {**FINE, "model": "nowhere", "source": "TEST"},
        {**FINE, "at": START_MS + 8 * 24 * 3600 * 1000},
    )

    assert found == {
        "reports[1].success_count": "must not be more than request_count",
        "reports[2].model": "names no model",
        "reports[2].source": "must not be API or TEST, which this gateway writes itself",
        "reports[3].at": "must not be in the future",
    }
    assert await model_summary.uses_of(desk, "m") == ()


BAD: list[tuple[Any, str]] = [
    ({**FINE, "request_count": -1}, "reports[0].request_count"),
    ({**FINE, "success_count": True}, "reports[0].success_count"),
    ({**FINE, "source": ""}, "reports[0].source"),
    ({**FINE, "reqeust": 1}, "reports[0].reqeust"),
    ({**FINE, "cost": "-1"}, "reports[0].cost"),
    ("x", "reports[0]"),
]


@pytest.mark.parametrize(("report", "field"), BAD, ids=[field for _, field in BAD])
async def test_what_cannot_be_a_report_is_named_with_its_place(desk: Desk, report: Any, field: str) -> None:
    assert list(await faults(desk, report)) == [field]


@pytest.mark.parametrize("body", [{}, {"reports": []}, {"reports": {}}, {"reports": [FINE] * 1001}], ids=str)
async def test_a_batch_has_one_to_a_thousand_reports(desk: Desk, body: dict[str, object]) -> None:
    with pytest.raises(InvalidFields) as refused:
        await usage_reports.take_in(desk, ANN, body)
    assert list(refused.value.fields) == ["reports"]


async def test_a_thousand_reports_are_taken_in_at_once(desk: Desk) -> None:
    assert len(await usage_reports.take_in(desk, ANN, {"reports": [FINE] * 1000})) == 1000
