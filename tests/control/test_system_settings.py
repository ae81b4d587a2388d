"""What an administrator sets for the whole gateway."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.control import snapshots, system_settings
from gateway.control.desk import Desk
from gateway.control.fields import read
from gateway.errors import InvalidFields, Stale
from gateway.model.system_settings import Capture, CrashCharge, SystemSettings
from tests.desks import ANN, DEMO_ORIGIN
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


async def test_a_change_is_in_the_snapshot_and_after_a_restart(desk: Desk) -> None:
    assert desk.snapshot().settings == await system_settings.get(desk) == SystemSettings()

    changed = await system_settings.update(desk, ANN, {"capture": "errors", "retention_days": None})

    assert changed == SystemSettings(capture=Capture.ERRORS, retention_days=None, version=2)
    assert desk.snapshot().settings == changed
    async with desk.db.read() as tx:
        assert (await snapshots.read_registry(tx, DEMO_ORIGIN)).settings == changed


async def test_what_is_not_sent_stays(desk: Desk) -> None:
    await system_settings.update(desk, ANN, {"crash_charge": "full"})
    changed = await system_settings.update(desk, ANN, {"default_output_tokens": "100"}, text=True)

    assert (changed.crash_charge, changed.default_output_tokens) == (CrashCharge.FULL, 100)


@pytest.mark.parametrize(
    "raw",
    [
        {"capture": "some"},
        {"capture_bytes": -1},
        {"capture_days": None},
        {"retention_days": 0},
        {"retention_bytes": 1},
        {"crash_charge": "nothing"},
        {"default_output_tokens": 0},
        {"colour": "blue"},
    ],
    ids=str,
)
async def test_what_means_nothing_is_refused(desk: Desk, raw: Mapping[str, object]) -> None:
    with pytest.raises(InvalidFields) as caught:
        await system_settings.update(desk, ANN, raw)

    assert list(caught.value.fields) == list(raw)
    assert await audit_rows(desk) == []


async def test_the_second_of_two_people_is_told_what_the_first_made_of_it(desk: Desk) -> None:
    await system_settings.update(desk, ANN, {"capture_days": 1, "version": 1})

    with pytest.raises(Stale) as caught:
        await system_settings.update(desk, ANN, {"capture_days": 2, "version": 1})

    assert caught.value.current == SystemSettings(capture_days=1, version=2)


async def test_a_change_is_audited_with_before_and_after(desk: Desk) -> None:
    await system_settings.update(desk, ANN, {"capture": "all"})

    [row] = await audit_rows(desk)
    assert (row.action, row.object_kind, row.actor_name) == ("update", "settings", "ann")
    assert '"capture":"off"' in str(row.before) and '"capture":"all"' in str(row.after)


def test_what_the_form_offers_first_is_what_was_released() -> None:
    released = SystemSettings()

    for name, value in read(system_settings.FIELDS, {}, partial=False, text=False).items():
        assert getattr(released, name) == value
