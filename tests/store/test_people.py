"""Users, sessions, setup links, failed sign-ins and management tokens, as they are stored."""

from __future__ import annotations

import sqlite3

import pytest
from msgspec.structs import replace

from gateway.model.people import ManagementToken, Session, User
from gateway.store import login_failures, management_tokens, sessions, setup_links, users
from gateway.store.database import Database, Tx
from gateway.store.login_failures import LoginFailures

pytestmark = pytest.mark.anyio

ADA = User("u1", "ada", "$argon2id$x", "admin", True, "auto", 10, None)
HASH = b"s" * 32
SESSION = Session(HASH, "u1", 10, 20, 30, 100, "192.0.2.7", "a browser")
TOKEN = ManagementToken("t1", "u1", "deploy", b"t" * 32, "wxyz", True, 500, 10, None)
LINK = b"l" * 32
FAILED = LoginFailures("account:abc", 3, 1000, 900)


async def add_ada(db: Database) -> None:
    async with db.write() as tx:
        assert await users.insert_first(tx, ADA)
        await sessions.insert(tx, SESSION)
        await management_tokens.insert(tx, TOKEN)


async def delete_user(tx: Tx, user_id: str) -> None:
    await tx.execute("DELETE FROM users WHERE id = :id", {"id": user_id})


async def test_a_user_comes_back_as_it_was(db: Database) -> None:
    await add_ada(db)
    async with db.read() as tx:
        assert await users.by_id(tx, "u1") == await users.by_username(tx, "ada") == ADA
        assert await users.by_id(tx, "ada") is await users.by_username(tx, "Ada") is None
        assert await users.has_administrator(tx)


async def test_only_the_first_user_can_be_the_first(db: Database) -> None:
    async with db.read() as tx:
        assert not await users.has_administrator(tx)
    await add_ada(db)
    async with db.write() as tx:
        assert not await users.insert_first(tx, replace(ADA, id="u2", username="eve"))
    async with db.read() as tx:
        assert await users.by_username(tx, "eve") is None


@pytest.mark.parametrize(
    "change", [{"username": "Ada"}, {"username": ""}, {"role": "root"}, {"theme": "neon"}], ids=str
)
async def test_a_user_that_means_nothing_is_not_stored(db: Database, change: dict[str, str]) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await users.insert_first(tx, replace(ADA, **change))  # type: ignore[arg-type]


async def test_what_changes_of_a_user_changes_alone(db: Database) -> None:
    await add_ada(db)
    async with db.write() as tx:
        await users.signed_in(tx, "u1", 77)
        await users.set_password(tx, "u1", "new")
        await users.set_theme(tx, "u1", "dark")
        await users.set_password(tx, "nobody", "stolen")
    async with db.read() as tx:
        found = await users.by_id(tx, "u1")
    assert found == replace(ADA, last_login_at=77, password_hash="new", theme="dark")


async def test_a_session_is_found_by_its_hash_alone(db: Database) -> None:
    await add_ada(db)
    async with db.read() as tx:
        assert await sessions.by_hash(tx, HASH) == SESSION
        assert await sessions.by_hash(tx, b"S" * 32) is None
        assert await sessions.by_hash(tx, HASH[:31]) is None


async def test_a_session_is_seen_and_confirmed_apart(db: Database) -> None:
    await add_ada(db)
    async with db.write() as tx:
        await sessions.touch(tx, HASH, 60)
        await sessions.confirm(tx, HASH, 70)
    async with db.read() as tx:
        assert await sessions.by_hash(tx, HASH) == replace(SESSION, last_seen_at=60, password_at=70)


@pytest.mark.parametrize(
    ("now", "idle_since", "is_left"), [(99, 19, True), (100, 19, False), (99, 20, False), (0, 0, True)]
)
async def test_a_session_ends_at_its_end_or_after_its_silence(
    db: Database, now: int, idle_since: int, is_left: bool
) -> None:
    await add_ada(db)
    async with db.write() as tx:
        await sessions.delete_ended(tx, now, idle_since)
    async with db.read() as tx:
        assert (await sessions.by_hash(tx, HASH) is not None) == is_left


async def test_one_session_can_end_alone_or_with_all_of_its_user(db: Database) -> None:
    await add_ada(db)
    others = [replace(SESSION, token_hash=bytes([number]) * 32) for number in range(3)]
    async with db.write() as tx:
        for other in others:
            await sessions.insert(tx, other)
        await sessions.delete(tx, HASH)
    async with db.read() as tx:
        assert [await sessions.by_hash(tx, one.token_hash) is None for one in (SESSION, *others)] == [True] + [
            False
        ] * 3
    async with db.write() as tx:
        await sessions.delete_of_user(tx, "u1")
    async with db.read() as tx:
        assert [await sessions.by_hash(tx, one.token_hash) for one in others] == [None] * 3


async def test_sessions_and_tokens_go_with_their_user(db: Database) -> None:
    await add_ada(db)
    async with db.write() as tx:
        await delete_user(tx, "u1")
    async with db.read() as tx:
        assert await sessions.by_hash(tx, HASH) is None
        assert await management_tokens.every(tx) == ()


async def test_a_session_or_token_of_nobody_is_not_stored(db: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await sessions.insert(tx, SESSION)
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await management_tokens.insert(tx, TOKEN)


@pytest.mark.parametrize("changed", [replace(SESSION, user_agent="x"), replace(SESSION, token_hash=b"short")], ids=str)
async def test_two_sessions_never_share_a_hash_nor_have_a_short_one(db: Database, changed: Session) -> None:
    await add_ada(db)
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await sessions.insert(tx, changed)


async def test_a_setup_link_is_open_until_its_moment_and_works_once(db: Database) -> None:
    async with db.write() as tx:
        assert await setup_links.insert(tx, LINK, 10, 100)
    async with db.read() as tx:
        assert [await setup_links.is_open(tx, LINK, now) for now in (10, 99, 100)] == [True, True, False]
        assert not await setup_links.is_open(tx, b"x" * 32, 10)
    async with db.write() as tx:
        assert not await setup_links.consume(tx, LINK, 100)
        assert await setup_links.consume(tx, LINK, 99)
        assert not await setup_links.consume(tx, LINK, 99)
        assert not await setup_links.is_open(tx, LINK, 99)


async def test_there_is_no_setup_link_once_somebody_can_sign_in(db: Database) -> None:
    await add_ada(db)
    async with db.write() as tx:
        assert not await setup_links.insert(tx, LINK, 10, 100)
        assert not await setup_links.is_open(tx, LINK, 10)


async def test_links_that_are_too_old_are_forgotten_and_the_others_kept(db: Database) -> None:
    async with db.write() as tx:
        for number, end in enumerate((50, 100, 150)):
            await setup_links.insert(tx, bytes([number]) * 32, 10, end)
        await setup_links.delete_expired(tx, 100)
        assert [await setup_links.is_open(tx, bytes([number]) * 32, 0) for number in range(3)] == [False, False, True]
        await setup_links.delete_every(tx)
        assert not await setup_links.is_open(tx, b"\x02" * 32, 0)


async def test_failures_are_kept_once_for_each_subject(db: Database) -> None:
    async with db.write() as tx:
        await login_failures.put(tx, replace(FAILED, failures=1))
        await login_failures.put(tx, FAILED)
        await login_failures.put(tx, replace(FAILED, subject="address:192.0.2.7", failures=9))
    async with db.read() as tx:
        assert await login_failures.of_subject(tx, FAILED.subject) == FAILED
        assert await login_failures.of_subject(tx, "account:%") is None


async def test_a_forgiven_subject_starts_afresh_and_no_other_one(db: Database) -> None:
    other = replace(FAILED, subject="account:other")
    async with db.write() as tx:
        await login_failures.put(tx, FAILED)
        await login_failures.put(tx, other)
        await login_failures.forgive(tx, FAILED.subject)
        assert await login_failures.of_subject(tx, FAILED.subject) is None
        assert await login_failures.of_subject(tx, other.subject) == other


async def test_taking_one_failure_back_frees_the_subject_and_never_goes_below_none(db: Database) -> None:
    async with db.write() as tx:
        await login_failures.put(tx, replace(FAILED, failures=1))
        for _ in range(2):
            await login_failures.take_one_back(tx, FAILED.subject)
        await login_failures.take_one_back(tx, "nobody")
        assert await login_failures.of_subject(tx, FAILED.subject) == replace(FAILED, failures=0, blocked_until=0)


async def test_old_failures_are_forgotten(db: Database) -> None:
    async with db.write() as tx:
        await login_failures.put(tx, FAILED)
        await login_failures.delete_older(tx, FAILED.updated_at)
        assert await login_failures.of_subject(tx, FAILED.subject) == FAILED
        await login_failures.delete_older(tx, FAILED.updated_at + 1)
        assert await login_failures.of_subject(tx, FAILED.subject) is None


async def test_a_token_comes_back_as_it_was_newest_first(db: Database) -> None:
    await add_ada(db)
    of_the_machine = replace(
        TOKEN,
        id="t2",
        token_hash=b"u" * 32,
        user_id=None,
        created_at=20,
        expires_at=None,
        scopes=("models:read",),
        allowed_ips=(),
    )
    async with db.write() as tx:
        await management_tokens.insert(tx, of_the_machine)
    async with db.read() as tx:
        assert await management_tokens.by_hash(tx, TOKEN.token_hash) == TOKEN
        assert await management_tokens.every(tx) == (of_the_machine, TOKEN)
        assert await management_tokens.by_hash(tx, b"v" * 32) is None


async def test_a_token_is_used_and_disabled(db: Database) -> None:
    await add_ada(db)
    async with db.write() as tx:
        await management_tokens.touch(tx, "t1", 60, "192.0.2.9")
        await management_tokens.set_active(tx, "t1", active=False)
        await management_tokens.set_active(tx, "t9", active=True)
    async with db.read() as tx:
        used = replace(TOKEN, last_used_at=60, last_used_ip="192.0.2.9", is_active=False)
        assert await management_tokens.every(tx) == (used,)
        assert await management_tokens.get(tx, "t1") == used
        assert await management_tokens.get(tx, "t9") is None
    async with db.write() as tx:
        await management_tokens.delete(tx, "t1")
        assert await management_tokens.every(tx) == ()


@pytest.mark.parametrize("change", [{"id": "t2"}, {"token_hash": b"v" * 32}, {"id": "t2", "token_hash": b"x"}], ids=str)
async def test_two_tokens_never_share_an_id_or_a_hash(db: Database, change: dict[str, object]) -> None:
    await add_ada(db)
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await management_tokens.insert(tx, replace(TOKEN, **change))  # type: ignore[arg-type]
