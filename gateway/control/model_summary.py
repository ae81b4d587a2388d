"""All models in numbers: their states, the rules that lead to them, their use and their tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from gateway.control.desk import Desk
from gateway.control.model_list import WEEK_MS, known
from gateway.model.checks import CheckStatus
from gateway.model.registry import ModelStatus, RouteType
from gateway.model.sums import HOUR_MS, whole
from gateway.store import usage_reports
from gateway.store.usage_reports import UsageSum


class SourceUse(msgspec.Struct, frozen=True):
    """Use from one source. `is_reported`: it was told to us, rather than served here."""

    source: str
    is_reported: bool
    requests: int
    successes: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    unpriced: int


class ModelsSummary(msgspec.Struct, frozen=True):
    """`unhealthy` are codes of enabled models whose newest check is not HEALTHY, or that were never checked.

    `uses` are of the last seven days, `passed` and `failed` the tests of the same time.
    """

    total: int
    statuses: Mapping[str, int]
    rules_total: int
    rules: Mapping[str, int]
    unhealthy: tuple[str, ...]
    uses: tuple[SourceUse, ...]
    passed: int
    failed: int


async def summary(desk: Desk) -> ModelsSummary:
    now = desk.clock.wall_ms() + 1
    used, checks, tests = await desk.db.read_at_once(lambda tx: known(tx, now, WEEK_MS))
    registry = desk.snapshot().registry
    healthy = {model_id for model_id, check in checks.items() if check.status is CheckStatus.HEALTHY}
    statuses = Counter(model.status for model in registry.models)
    types = Counter(rule.route_type for rule in registry.route_rules)
    return ModelsSummary(
        total=len(registry.models),
        statuses={status.value: statuses[status] for status in ModelStatus},
        rules_total=len(registry.route_rules),
        rules={route_type.value: types[route_type] for route_type in RouteType},
        unhealthy=tuple(
            sorted(
                model.code
                for model in registry.models
                if model.status is ModelStatus.ENABLED and model.id not in healthy
            )
        ),
        uses=by_source(used),
        passed=sum(passed for passed, _ in tests.values()),
        failed=sum(failed for _, failed in tests.values()),
    )


async def uses_of(desk: Desk, code: str) -> tuple[SourceUse, ...]:
    """One model's use of the last seven days."""
    now = desk.clock.wall_ms() + 1
    used = await desk.db.read_at_once(lambda tx: usage_reports.sums(tx, whole(now - WEEK_MS, HOUR_MS), now))
    return by_source(item for item in used if item.model == code)


def by_source(used: Iterable[UsageSum]) -> tuple[SourceUse, ...]:
    """Summed over models: what we served first, each by name."""
    found: dict[tuple[bool, str], list[UsageSum]] = {}
    for item in used:
        found.setdefault((item.is_reported, item.source), []).append(item)
    return tuple(
        SourceUse(
            source=source,
            is_reported=is_reported,
            requests=sum(item.requests for item in items),
            successes=sum(item.successes for item in items),
            input_tokens=sum(item.input_tokens for item in items),
            output_tokens=sum(item.output_tokens for item in items),
            cost_nano=sum(item.cost_nano for item in items),
            unpriced=sum(item.unpriced for item in items),
        )
        for (is_reported, source), items in sorted(found.items())
    )
