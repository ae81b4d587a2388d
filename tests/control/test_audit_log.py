"""The audit log read, proved, and told to the log."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing

import pytest
from msgspec.structs import replace

from gateway.control import api_keys, audit_log, pools
from gateway.control.audit_log import FieldChange, Verdict
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotAuthenticated, NotFound, RateLimited
from gateway.model.audit import Entry, Head
from gateway.store import audit
from gateway.store.audit import AuditFilter
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio

NO_FILTER = AuditFilter()


async def verdict(desk: Desk, noted: Head | None = None) -> Verdict:
    async with desk.db.read() as tx:
        return await audit_log.verify(tx, noted)


async def pools_made(desk: Desk, count: int) -> None:
    for number in range(count):
        await pools.create(desk, ANN, {"name": f"pool-{number}"})


def tamper(desk: Desk, statement: str) -> None:
    """As somebody with the file would, past the triggers."""
    with closing(sqlite3.connect(desk.settings.database)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_is_not_updated")
        connection.execute("DROP TRIGGER IF EXISTS audit_is_not_deleted")
        connection.execute(statement)


async def test_a_log_that_nobody_touched_is_whole(desk: Desk) -> None:
    assert await verdict(desk) == Verdict(0, Head(0, audit_log.Chain().hash), "")
    await pools_made(desk, 3)

    found = await verdict(desk)

    assert (found.rows, found.head.seq, found.fault) == (3, 3, "")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET actor_name = 'eve' WHERE seq = 2", "row 2 is not what was written"),
        ("UPDATE audit SET after = NULL WHERE seq = 1", "row 1 is not what was written"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE seq = 4", "row 4 is not what was written"),
        ("UPDATE audit SET hash = NULL WHERE seq = 3", "row 3 has no hash"),
        ("DELETE FROM audit WHERE seq = 2", "row 3 follows row 1"),
        ("UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE seq END", "row -3 follows row 0"),
    ],
)
async def test_the_first_row_that_does_not_fit_is_named(desk: Desk, statement: str, fault: str) -> None:
    await pools_made(desk, 5)

    tamper(desk, statement)

    found = await verdict(desk)
    assert found.fault.startswith(fault) or (fault.startswith("row -3") and found.fault.startswith("row 4 follows"))


async def test_a_log_that_was_cut_off_is_told_by_a_head_noted_elsewhere(desk: Desk) -> None:
    await pools_made(desk, 3)
    noted = (await verdict(desk)).head
    tamper(desk, "DELETE FROM audit WHERE seq = 3")

    assert (await verdict(desk)).fault == ""
    assert (await verdict(desk, noted)).fault == "row 3 is gone, and whatever came after it"

    await pools.create(desk, ANN, {"name": "another"})
    assert (await verdict(desk, noted)).fault == "row 3 has another hash than the one noted"


async def test_an_earlier_head_still_fits(desk: Desk) -> None:
    await pools_made(desk, 2)
    noted = (await verdict(desk)).head
    await pools_made(desk, 0)
    await pools.create(desk, ANN, {"name": "later"})

    assert (await verdict(desk, noted)).fault == ""
    assert (await verdict(desk, replace(noted, seq=99))).fault.startswith("row 99 is gone")


async def test_ten_thousand_rows_are_proved_within_a_second(desk: Desk) -> None:
    async with desk.db.write() as tx:
        for number in range(10_000):
            await audit.insert(tx, Entry(number, ANN, "create", "pool", f"p{number}", None, '{"name":"p"}', 1))
    began = time.perf_counter()

    found = await verdict(desk)

    assert (found.rows, found.fault) == (10_000, "")
    assert time.perf_counter() - began < 1


async def test_a_page_goes_on_where_the_one_before_ended(desk: Desk) -> None:
    await pools_made(desk, 3)

    first = await audit_log.listing(desk, NO_FILTER, None, 2)
    second = await audit_log.listing(desk, NO_FILTER, first.next_before, 2)

    assert [row.seq for row in first.items] == [3, 2]
    assert ([row.seq for row in second.items], second.next_before) == ([1], None)


async def test_filters_are_checked(desk: Desk) -> None:
    assert audit_log.parse_filter({"actor": "ann", "since": "2026-01-01"}).actor == "ann"
    with pytest.raises(InvalidFields) as caught:
        audit_log.parse_filter({"who": "ann", "since": "yesterday"})
    assert set(caught.value.fields) == {"who", "since"}


async def test_a_row_says_which_fields_changed(desk: Desk) -> None:
    _, key = await api_keys.create(desk, ANN, {"name": "laptop"})
    await api_keys.update(desk, ANN, key.id, {"rpm_limit": 5})
    await api_keys.delete(desk, ANN, key.id)

    gone, changed, made = (await audit_log.listing(desk, NO_FILTER, None, 3)).items

    assert FieldChange("rpm_limit", "null", "5") in audit_log.changes(changed)
    assert {one.name for one in audit_log.changes(changed)} == {"rpm_limit", "version"}
    assert FieldChange("name", None, '"laptop"') in audit_log.changes(made)
    assert FieldChange("name", '"laptop"', None) in audit_log.changes(gone)
    assert [audit_log.name_of(row) for row in (gone, changed, made)] == ["laptop"] * 3


async def test_what_has_no_name_goes_by_its_id(desk: Desk) -> None:
    await audit_log.refused(desk, ANN, "GET /api/admin/users", NotAuthenticated("no"))

    [row] = (await audit_log.listing(desk, NO_FILTER, None, 3)).items

    assert (row.entry.action, row.entry.object_kind, row.entry.actor) == ("refused", "request", ANN)
    assert audit_log.name_of(row) == "GET /api/admin/users"
    assert FieldChange("status", None, "401") in audit_log.changes(row)


async def test_only_so_many_refusals_are_written_down_and_no_other_faults(office: Office) -> None:
    await audit_log.refused(office.desk, ANN, "GET /x", NotFound("no"))
    for _ in range(30):
        await audit_log.refused(office.desk, ANN, "GET /x", RateLimited("no"))
    first = await audit_log.listing(office.desk, NO_FILTER, None, 100)
    office.clock.advance(60)
    await audit_log.refused(office.desk, ANN, "GET /x", RateLimited("no"))
    last = await audit_log.listing(office.desk, NO_FILTER, None, 1)

    assert len(first.items) == 10
    assert FieldChange("left_out_before", None, "20") in audit_log.changes(last.items[0])


async def test_the_log_is_told_where_the_chain_ends(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await pools_made(desk, 1)
    with caplog.at_level(logging.INFO, "gateway.audit"):
        async with audit_log.announcing(desk):
            await pools.create(desk, ANN, {"name": "another"})
    found = await verdict(desk)

    assert caplog.messages[-1] == f"the audit log ends at {found.head}"
