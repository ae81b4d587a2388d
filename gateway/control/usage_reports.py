"""Use of models that happened elsewhere, taken in by batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.control import trail
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.checks import UsageReport
from gateway.model.people import Actor
from gateway.model.registry import Model
from gateway.store import models, usage_reports

MOST = 1000
_MOST_COUNTED = 10**15
_AHEAD_MS = 24 * 3600 * 1000
_OUR_SOURCES = frozenset({"api", "test"})

REPORT_FIELDS: Table = (
    Field("model", Kind.TEXT, "The model, by code or id.", required=True),
    Field("at", Kind.TIME, "When it was used; now where left out.", nullable=True),
    Field("source", Kind.LABEL, "Where it was used, such as batch or playground.", required=True),
    Field("request_count", Kind.INT, "How many requests.", required=True, least=0, most=_MOST_COUNTED),
    Field("success_count", Kind.INT, "How many of them succeeded.", required=True, least=0, most=_MOST_COUNTED),
    Field("input_tokens", Kind.INT, "Tokens that went in.", default=0, least=0, most=_MOST_COUNTED),
    Field("output_tokens", Kind.INT, "Tokens that came out.", default=0, least=0, most=_MOST_COUNTED),
    Field("cost", Kind.DOLLARS, "What it cost, in dollars; null is unknown.", nullable=True),
)

FIELDS: Table = (
    Field("reports", Kind.OBJECTS, f"At most {MOST} of them.", required=True, most=MOST, of=REPORT_FIELDS),
)


async def take_in(desk: Desk, actor: Actor, raw: Mapping[str, object]) -> tuple[UsageReport, ...]:
    """All of them or none. Raises InvalidFields with each fault under `reports[index].field`."""
    values = read(FIELDS, raw, partial=False, text=False)
    now = desk.clock.wall_ms()
    async with desk.db.write() as tx:
        known = _by_name(await models.every(tx))
        faults: dict[str, str] = {}
        made = []
        for index, item in enumerate(values["reports"]):
            found = _faults(item, known, now)
            faults.update({f"reports[{index}].{name}": fault for name, fault in found.items()})
            if not found:
                made.append(_report(item, known[item["model"].lower()], now, actor))
        if faults:
            raise InvalidFields(faults)
        await usage_reports.insert_many(tx, made)
        await trail.note(tx, actor, "report_usage", ("usage", f"{len(made)} reports"), now)
    return tuple(made)


def _by_name(found: Sequence[Model]) -> dict[str, Model]:
    return {name: model for model in found for name in (model.id, model.code)}


def _faults(item: Values, known: Mapping[str, Model], now: int) -> dict[str, str]:
    faults = {}
    if item["model"].lower() not in known:
        faults["model"] = "names no model"
    if item["success_count"] > item["request_count"]:
        faults["success_count"] = "must not be more than request_count"
    if item["source"].lower() in _OUR_SOURCES:
        faults["source"] = "must not be API or TEST, which this gateway writes itself"
    if item["at"] is not None and item["at"] > now + _AHEAD_MS:
        faults["at"] = "must not be in the future"
    return faults


def _report(item: Values, model: Model, now: int, actor: Actor) -> UsageReport:
    given: dict[str, Any] = {
        name: item[name] for name in ("source", "request_count", "success_count", "input_tokens", "output_tokens")
    }
    return UsageReport(
        id=new_id(),
        model_id=model.id,
        at=now if item["at"] is None else item["at"],
        cost_nano=item["cost"],
        reported_at=now,
        actor=actor.name,
        **given,
    )
