"""Models as a list: which ones are looked for, and what a row says besides the model itself."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from gateway.control import pools
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.pool_stats import BackendStats
from gateway.model.checks import ModelCheck
from gateway.model.registry import Model, ModelStatus
from gateway.model.sums import DAY_MS, HOUR_MS, whole
from gateway.routing.snapshot import Snapshot
from gateway.store import model_checks, model_tests, models, usage_reports
from gateway.store.database import Tx
from gateway.store.usage_reports import UsageSum

WEEK_MS = 7 * DAY_MS

FILTERS: Table = (
    Field("status", Kind.CHOICE, "Only models in this state.", nullable=True, choices=tuple(ModelStatus)),
    Field("q", Kind.TEXT, "Inside the code, a name, an alias, a provider's name or its name of the model.", default=""),
)


class ModelFilter(msgspec.Struct, frozen=True):
    """None and "" are any."""

    status: ModelStatus | None = None
    text: str = ""


class ModelTarget(msgspec.Struct, frozen=True):
    """A backend that serves the model, and the name that its provider knows the model by."""

    backend: BackendStats
    upstream_name: str


class ModelTier(msgspec.Struct, frozen=True):
    """The backends of one pool, in the order of trying."""

    pool: str
    targets: tuple[ModelTarget, ...]


class ModelRow(msgspec.Struct, frozen=True):
    """`share` is its part of all calls of the last 24 hours that found a model, None where there were none.

    `passed` and `failed` are its tests of the last seven days, `check` its newest one.
    """

    model: Model
    tiers: tuple[ModelTier, ...]
    calls: int
    share: float | None
    check: ModelCheck | None
    passed: int
    failed: int


def parse_filter(raw: Mapping[str, object]) -> ModelFilter:
    """A query string's values as a filter; raises InvalidFields."""
    values = read(FILTERS, raw, partial=False, text=True)
    status = values["status"]
    return ModelFilter(None if status is None else ModelStatus(status), values["q"])


async def search(desk: Desk, wanted: ModelFilter) -> tuple[Model, ...]:
    """Newest change first."""
    async with desk.db.read() as tx:
        return await models.search(tx, wanted.status, wanted.text)


async def rows(desk: Desk, found: Sequence[Model]) -> tuple[ModelRow, ...]:
    """What a list shows of these models, as of now."""
    now = desk.clock.wall_ms() + 1
    used, checks, tests = await desk.db.read_at_once(lambda tx: known(tx, now, DAY_MS))
    calls: dict[str, int] = {}
    for item in used:
        if not item.is_reported:
            calls[item.model] = calls.get(item.model, 0) + item.requests
    total = sum(calls.values())
    placed = tiers(desk)
    return tuple(
        ModelRow(
            model=model,
            tiers=placed.get(model.id, ()),
            calls=calls.get(model.code, 0),
            share=calls.get(model.code, 0) / total if total else None,
            check=checks.get(model.id),
            passed=tests.get(model.id, (0, 0))[0],
            failed=tests.get(model.id, (0, 0))[1],
        )
        for model in found
    )


async def known(
    tx: Tx, now: int, length_ms: int
) -> tuple[tuple[UsageSum, ...], dict[str, ModelCheck], dict[str, tuple[int, int]]]:
    """The use of so long a time, from a whole hour on; the newest check of each model, and its tests of seven days."""
    used = await usage_reports.sums(tx, whole(now - length_ms, HOUR_MS), now)
    return used, await model_checks.latest(tx), await model_tests.counts(tx, now - WEEK_MS)


def tiers(desk: Desk) -> dict[str, tuple[ModelTier, ...]]:
    """Where each model goes, by its id: pool after pool, disabled backends too."""
    stats = {backend.id: backend for pool in pools.stats(desk) for backend in pool.backends}
    snapshot = desk.snapshot()
    return {model_id: _tiers(snapshot, model_id, stats) for model_id in snapshot.lanes}


def _tiers(snapshot: Snapshot, model_id: str, stats: Mapping[str, BackendStats]) -> tuple[ModelTier, ...]:
    by_pool = itertools.groupby(snapshot.lanes[model_id], key=lambda lane: lane.backend.pool.name)
    return tuple(
        ModelTier(pool, tuple(ModelTarget(stats[lane.backend.id], lane.upstream_name) for lane in lanes))
        for pool, lanes in by_pool
    )
