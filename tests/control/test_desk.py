"""The one way to change configuration: all of it or nothing, written down, then published."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from msgspec.structs import replace

from gateway.control import api_keys, backends, pools, provider_keys, providers, snapshots
from gateway.control.backends import BackendMade
from gateway.control.desk import Desk, shown
from gateway.control.events import Listener, Topic
from gateway.errors import Conflict, NotFound
from gateway.model.people import ManagementToken, Session, User
from gateway.routing.bounds import key_requests
from gateway.routing.breaker import BreakerState
from gateway.routing.buckets import TokenBucket
from gateway.store import instance
from gateway.store import providers as provider_rows
from tests.desks import ANN, DEMO_ORIGIN, Office
from tests.store.rows import PROVIDER
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

SECRET = "sk-CANARY-0123456789"
BACKEND = {"name": "acme", "base_url": "https://api.acme.example/v1", "api_key": SECRET, "models": ["m"]}


async def version(desk: Desk) -> int:
    async with desk.db.read() as tx:
        return await instance.config_version(tx)


async def test_a_change_is_its_rows_their_audit_and_one_version(desk: Desk) -> None:
    before = await version(desk)

    async with desk.change(ANN) as change:
        for name in ("one", "two"):
            row = replace(PROVIDER, id=name, name=name)
            await provider_rows.insert(change.tx, row)
            change.note("create", "provider", name, None, row)

    noted = [(row.action, row.object_id, row.actor_name, row.ip) for row in await audit_rows(desk)]
    assert noted == [("create", "one", "ann", ANN.ip), ("create", "two", "ann", ANN.ip)]
    assert {row.config_version for row in await audit_rows(desk)} == {before + 1}
    assert await version(desk) == desk.snapshot().version == before + 1
    assert set(desk.snapshot().providers) == {"one", "two"}


@pytest.mark.parametrize("fault", [ZeroDivisionError(), Conflict("in use"), asyncio.CancelledError()])
async def test_an_error_in_a_change_leaves_nothing(desk: Desk, fault: BaseException) -> None:
    before, snapshot = await version(desk), desk.snapshot()

    with pytest.raises(type(fault)):
        async with desk.change(ANN) as change:
            await provider_rows.insert(change.tx, PROVIDER)
            change.note("create", "provider", PROVIDER.id, None, PROVIDER)
            raise fault

    assert await providers.listing(desk) == ()
    assert await audit_rows(desk) == []
    assert await version(desk) == before
    assert desk.snapshot() is snapshot


async def test_a_commit_that_fails_publishes_nothing(desk: Desk) -> None:
    """SQLite checks a deferred reference only when it commits."""
    before, snapshot = await version(desk), desk.snapshot()

    with pytest.raises(sqlite3.IntegrityError):
        async with desk.change(ANN) as change:
            await change.tx.execute("PRAGMA defer_foreign_keys = ON")
            await change.tx.execute("INSERT INTO key_versions VALUES ('nobody', 1, '', '', '', '', 1)")

    assert desk.snapshot() is snapshot
    assert (await version(desk), await audit_rows(desk)) == (before, [])


async def test_after_a_failed_change_the_next_one_lands(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError):
        async with desk.change(ANN):
            raise ZeroDivisionError

    await providers.create(desk, ANN, {"name": "acme"})

    assert set(desk.snapshot().providers) == {"acme"}


async def test_changes_at_the_same_time_all_land_and_the_newest_snapshot_stays(desk: Desk) -> None:
    before = await version(desk)
    names = [f"p{number}" for number in range(12)]

    await asyncio.gather(*(providers.create(desk, ANN, {"name": name}) for name in names))

    assert set(desk.snapshot().providers) == set(names)
    assert desk.snapshot().version == await version(desk) == before + len(names)
    assert [row.config_version for row in await audit_rows(desk)] == [before + 1 + number for number in range(12)]


async def test_an_older_snapshot_never_takes_the_place_of_a_newer_one(desk: Desk) -> None:
    old = desk.snapshot()
    await providers.create(desk, ANN, {"name": "acme"})
    newest = desk.snapshot()

    desk.publish(old)

    assert desk.snapshot() is newest


async def test_the_snapshot_in_force_is_what_a_restart_would_read(desk: Desk) -> None:
    await backends.create(desk, ANN, BACKEND)
    await api_keys.create(desk, ANN, {"name": "laptop"})

    async with desk.db.read() as tx:
        registry = await snapshots.read_registry(tx, DEMO_ORIGIN)

    assert desk.snapshot().registry == registry


async def test_the_audit_log_never_holds_a_secret_or_its_hash(desk: Desk) -> None:
    made = await backends.create(desk, ANN, BACKEND)
    plain, key = await api_keys.create(desk, ANN, {"name": "laptop"})
    await provider_keys.update(desk, ANN, made.key.id, {"api_key": SECRET + "-rotated"})
    await backends.update(desk, ANN, made.backend_id, {"base_url": "https://b.example/v1"})
    await api_keys.delete(desk, ANN, key.id)
    await backends.delete(desk, ANN, made.backend_id)

    written = " ".join(f"{row.before} {row.after}" for row in await audit_rows(desk))

    assert '"masked":"sk-C' in written
    for secret in (SECRET, plain, key.key_hash.hex(), "sealed", "key_hash", "token_hash", "password_hash"):
        assert secret not in written


ROWS = [
    User("u1", "ann", "CANARY", "admin", True, "auto", 1, None),
    Session(b"CANARY", "u1", 1, 1, 1, 2, "192.0.2.7", "a browser"),
    ManagementToken("t1", "u1", "deploy", b"CANARY", "wxyz", True, None, 1, None),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_no_row_of_a_person_shows_its_hash(row: object) -> None:
    text = shown(row)
    assert text is not None
    assert "u1" in text
    assert not any(word in text for word in ("CANARY", "Q0FOQVJZ", "hash"))


async def test_a_deleted_backend_leaves_no_runtime_state(desk: Desk) -> None:
    made = await backends.create(desk, ANN, {**BACKEND, "rpm_limit": 5})
    kept = await backends.create(desk, ANN, {"name": "acme", "label": "second", "api_key": SECRET})
    for one in (made, kept):
        desk.state.of(one.backend_id).rest(2000.0, "limited")

    await backends.delete(desk, ANN, made.backend_id)

    assert set(desk.state.backends) == {kept.backend_id}


def requests_left(desk: Desk, made: BackendMade, now: float) -> TokenBucket | None:
    key = desk.snapshot().backends[made.backend_id].key
    return desk.state.bucket(key_requests(key), key.rpm_limit, now)


async def test_an_edit_leaves_rest_streak_breaker_and_bucket_alone(office: Office) -> None:
    desk, now = office.desk, office.clock.mono()
    made = await backends.create(desk, ANN, {**BACKEND, "rpm_limit": 10})
    state = desk.state.of(made.backend_id)
    bucket = requests_left(desk, made, now)
    assert bucket is not None
    for _ in range(4):
        bucket.take(now)
    state.rest(now + 60, "limited")
    state.streak, state.fault, state.failures = 3, "429", 7
    state.breaker.restore(2, now + 90)

    await backends.update(desk, ANN, made.backend_id, {"label": "renamed", "pool": "fallback", "weight": 9})
    await providers.update(desk, ANN, made.provider.id, {"priority": 1, "is_active": False})
    await backends.set_enabled(desk, ANN, made.backend_id, enabled=True)

    after = desk.state.of(made.backend_id)
    assert (after.seconds_left(now), after.rest_reason, after.streak, after.needs_probe) == (60, "limited", 3, True)
    assert (after.fault, after.failures) == ("429", 7)
    assert (after.breaker.state, after.breaker.openings) == (BreakerState.OPEN, 2)
    assert bucket.level == 6
    assert requests_left(desk, made, now) is bucket


async def test_a_changed_limit_keeps_what_was_used(office: Office) -> None:
    desk, now = office.desk, office.clock.mono()
    made = await backends.create(desk, ANN, {**BACKEND, "rpm_limit": 10})
    bucket = requests_left(desk, made, now)
    assert bucket is not None
    for _ in range(8):
        bucket.take(now)

    await backends.update(desk, ANN, made.backend_id, {"rpm_limit": 5})

    smaller = requests_left(desk, made, now)
    assert smaller is not None
    assert (smaller.limit, smaller.level) == (5, 0)


async def test_nothing_is_written_down_for_what_is_not_there(desk: Desk) -> None:
    before = await version(desk)

    for attempt in (pools.update(desk, ANN, "x", {}), providers.delete(desk, ANN, "x"), api_keys.delete(desk, ANN, "")):
        with pytest.raises(NotFound):
            await attempt

    assert (await version(desk), await audit_rows(desk)) == (before, [])


async def test_a_committed_change_is_told_once_for_each_of_its_notes(desk: Desk) -> None:
    with desk.events.listen(frozenset({Topic.REGISTRY})) as listener:
        made = await backends.create(desk, ANN, BACKEND)
        told = listener.take()[1]

    noted = [row for row in await audit_rows(desk) if row.config_version == desk.snapshot().version]
    assert [(event.action, event.noun, event.ids) for event in told] == [
        (row.action, row.object_kind, (row.object_id,)) for row in noted
    ]
    assert {event.config_version for event in told} == {desk.snapshot().version}
    assert made.backend_id.split(":")[1] in {event.ids[0] for event in told}
    assert len({event.dedupe_key for event in told}) == len(told)
    assert SECRET not in repr(told)


async def test_what_is_rolled_back_is_never_told(desk: Desk) -> None:
    with desk.events.listen(frozenset({Topic.REGISTRY})) as listener:
        with pytest.raises(ZeroDivisionError):
            async with desk.change(ANN) as change:
                change.note("create", "provider", PROVIDER.id, None, PROVIDER)
                raise ZeroDivisionError
        with pytest.raises(sqlite3.IntegrityError):
            async with desk.change(ANN) as change:
                change.note("create", "provider", PROVIDER.id, None, PROVIDER)
                await change.tx.execute("PRAGMA defer_foreign_keys = ON")
                await change.tx.execute("INSERT INTO key_versions VALUES ('nobody', 1, '', '', '', '', 1)")

        assert listener.take() == (False, [])


async def test_changes_at_once_are_told_in_the_order_of_their_versions_when_they_are_in_force(desk: Desk) -> None:
    seen: list[tuple[int, int]] = []

    async def follow(listener: Listener) -> None:
        while len(seen) < 20:
            await listener.wait(5)
            seen.extend((event.config_version, desk.snapshot().version) for event in listener.take()[1])

    with desk.events.listen(frozenset({Topic.REGISTRY})) as listener:
        following = asyncio.create_task(follow(listener))
        await asyncio.gather(*(pools.create(desk, ANN, {"name": f"p{number}"}) for number in range(20)))
        await following

    told = [version for version, _ in seen]
    assert told == sorted(set(told))
    assert all(version <= in_force for version, in_force in seen)
