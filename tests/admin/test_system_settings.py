"""What holds for the whole gateway, in the browser."""

from __future__ import annotations

import pytest

from gateway.control import system_settings
from gateway.model.system_settings import Capture, CrashCharge
from tests.admin.browsing import Operator, fault_of, text_of, values_of
from tests.desks import SYSTEM

pytestmark = pytest.mark.anyio


async def test_settings_are_shown_and_saved(operator: Operator) -> None:
    shown = values_of((await operator.get("/admin/settings")).text)
    assert (shown["capture"], shown["retention_days"], shown["default_output_tokens"]) == ("off", "90", "4096")

    fields = {name: shown[name] for name in (*(field.name for field in system_settings.FIELDS), "version")}
    answer = await operator.submit(
        "/admin/settings", **{**fields, "capture": "errors", "retention_days": "", "crash_charge": "full"}
    )

    assert answer.status_code == 303
    now = operator.gateway.desk.snapshot().settings
    assert (now.capture, now.retention_days, now.crash_charge) == (Capture.ERRORS, None, CrashCharge.FULL)
    assert "They hold from now on" in text_of((await operator.get("/admin/settings")).text)


async def test_faults_stand_beside_their_fields(operator: Operator) -> None:
    answer = await operator.submit("/admin/settings", capture_days="-1", retention_bytes="much")

    assert answer.status_code == 422
    assert fault_of(answer.text, "retention_bytes") == "Must be a whole number"
    assert operator.gateway.desk.snapshot().settings.version == 1


async def test_the_second_of_two_people_sees_what_the_first_made_of_it(operator: Operator) -> None:
    await system_settings.update(operator.gateway.desk, SYSTEM, {"capture_days": 3})

    late = await operator.submit("/admin/settings", capture_days="5", version="1")

    assert late.status_code == 409
    assert fault_of(late.text, "capture_days") == "Is now 3"
