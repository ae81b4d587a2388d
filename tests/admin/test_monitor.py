"""What a cell of the health monitor looks like."""

from __future__ import annotations

import pytest

from gateway.admin.monitor import state_of
from gateway.control.health_monitor import MonitorCell


@pytest.mark.parametrize(
    ("success", "failed", "limited", "other", "skipped", "state"),
    [
        (0, 0, 0, 0, 0, "none"),
        (3, 0, 0, 0, 0, "ok"),
        (3, 0, 0, 9, 9, "ok"),
        (3, 1, 0, 0, 0, "limited"),
        (3, 0, 1, 0, 0, "limited"),
        (1, 1, 0, 0, 0, "failed"),
        (0, 1, 9, 9, 9, "failed"),
        (0, 0, 0, 0, 7, "skipped"),
        (0, 0, 1, 0, 7, "limited"),
        (0, 0, 0, 1, 7, "other"),
    ],
)
def test_a_cell_says_the_worst_that_is_known_and_never_health_where_there_is_none(
    success: int, failed: int, limited: int, other: int, skipped: int, state: str
) -> None:
    assert state_of(MonitorCell(0, success, failed, limited, other, skipped)) == state
