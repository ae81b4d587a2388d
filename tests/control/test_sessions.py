"""Signing in, staying in, getting out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control import sessions
from gateway.control.desk import Desk
from gateway.control.sessions import Client
from gateway.errors import GatewayError, InvalidFields, NotAuthenticated, RateLimited
from tests.control.people import ELSEWHERE, HERE, NAME, PASSWORD, FakeClock, administrator, audited, desk_at, dump

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, clock) as desk:
        await administrator(desk)
        yield desk


async def guess(desk: Desk, client: Client, name: str = NAME, password: str = "not the password") -> GatewayError:
    with pytest.raises((NotAuthenticated, RateLimited)) as refusal:
        await sessions.sign_in(desk, name, password, client)
    return refusal.value


async def test_the_right_password_gives_a_session_that_is_recognised(desk: Desk) -> None:
    token, session = await sessions.sign_in(desk, NAME.upper(), PASSWORD, HERE)

    recognised = await sessions.recognise(desk, token)

    assert recognised is not None
    user, found = recognised
    assert (user.username, found) == (NAME, session)
    assert (session.ip, session.user_agent) == (HERE.ip, HERE.user_agent)


async def test_a_wrong_password_an_unknown_name_and_a_disabled_user_get_the_same_answer(desk: Desk) -> None:
    wrong = await guess(desk, HERE)
    unknown = await guess(desk, HERE, name="nobody")
    async with desk.db.write() as tx:
        await tx.execute("UPDATE users SET is_active = 0")
    disabled = await guess(desk, HERE, password=PASSWORD)

    assert {(error.status, error.code, error.message) for error in (wrong, unknown, disabled)} == {
        (401, "wrong_password", "The user name or the password is wrong.")
    }


async def test_an_unknown_name_takes_as_long_as_a_known_one(desk: Desk) -> None:
    async def seconds(name: str) -> float:
        began = time.perf_counter()
        await guess(desk, HERE, name=name)
        return time.perf_counter() - began

    await seconds("warm")
    known = min([await seconds(NAME) for _ in range(3)])
    unknown = min([await seconds(f"nobody-{number}") for number in range(3)])

    assert unknown == pytest.approx(known, rel=0.5)


async def test_the_database_holds_neither_token_nor_password(desk: Desk) -> None:
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    everything = await dump(desk)

    assert token not in everything
    assert PASSWORD not in everything
    assert await sessions.recognise(desk, session.token_hash.hex()) is None


async def test_a_session_ends_after_an_hour_of_silence(desk: Desk, clock: FakeClock) -> None:
    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    clock.forward(3599)
    assert await sessions.recognise(desk, token)
    clock.forward(3599)
    assert await sessions.recognise(desk, token)
    clock.forward(3600)
    assert await sessions.recognise(desk, token) is None


async def test_a_session_ends_after_twelve_hours_however_busy_it_is(desk: Desk, clock: FakeClock) -> None:
    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    for _ in range(23):
        clock.forward(1800)
        assert await sessions.recognise(desk, token)
    clock.forward(1800)

    assert await sessions.recognise(desk, token) is None


async def test_being_seen_is_written_down_once_a_minute_at_most(desk: Desk, clock: FakeClock) -> None:
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    clock.forward(59)
    soon = await sessions.recognise(desk, token)
    clock.forward(1)
    later = await sessions.recognise(desk, token)

    assert soon is not None and soon[1].last_seen_at == session.last_seen_at
    assert later is not None and later[1].last_seen_at == session.last_seen_at + 60_000


async def test_signing_out_ends_one_session_and_signing_out_everywhere_all(desk: Desk) -> None:
    tokens = [await sessions.sign_in(desk, NAME, PASSWORD, HERE) for _ in range(3)]

    await sessions.sign_out(desk, tokens[0][1])
    assert [bool(await sessions.recognise(desk, token)) for token, _ in tokens] == [False, True, True]
    recognised = await sessions.recognise(desk, tokens[1][0])
    assert recognised is not None
    await sessions.sign_out_everywhere(desk, recognised[0])

    assert [bool(await sessions.recognise(desk, token)) for token, _ in tokens] == [False, False, False]


async def test_a_changed_password_ends_every_session_and_gives_a_new_one(desk: Desk) -> None:
    other, _ = await sessions.sign_in(desk, NAME, PASSWORD, ELSEWHERE)
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    recognised = await sessions.recognise(desk, token)
    assert recognised is not None

    fresh, _ = await sessions.change_password(desk, recognised[0], session, PASSWORD, "ten blue saucepans")

    assert await sessions.recognise(desk, other) is None
    assert await sessions.recognise(desk, token) is None
    assert await sessions.recognise(desk, fresh)
    await sessions.sign_in(desk, NAME, "ten blue saucepans", HERE)
    await guess(desk, HERE, password=PASSWORD)


async def test_a_password_is_not_changed_without_the_old_one_or_to_a_bad_one(desk: Desk) -> None:
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    recognised = await sessions.recognise(desk, token)
    assert recognised is not None

    with pytest.raises(InvalidFields) as wrong:
        await sessions.change_password(desk, recognised[0], session, "wrong", "ten blue saucepans")
    with pytest.raises(InvalidFields) as short:
        await sessions.change_password(desk, recognised[0], session, PASSWORD, "short")

    assert set(wrong.value.fields) == {"current"}
    assert set(short.value.fields) == {"password"}
    assert await sessions.recognise(desk, token)


async def test_a_password_is_recent_for_a_quarter_of_an_hour(desk: Desk, clock: FakeClock) -> None:
    token, session = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    recognised = await sessions.recognise(desk, token)
    assert recognised is not None
    user = recognised[0]
    assert sessions.has_recent_password(desk, session)
    clock.forward(15 * 60)
    assert not sessions.has_recent_password(desk, session)

    with pytest.raises(InvalidFields):
        await sessions.confirm_password(desk, user, session, "wrong")
    confirmed = await sessions.confirm_password(desk, user, session, PASSWORD)

    assert sessions.has_recent_password(desk, confirmed)
    seen = await sessions.recognise(desk, token)
    assert seen is not None and seen[1].password_at == confirmed.password_at


async def test_a_theme_is_kept_and_an_unknown_one_refused(desk: Desk) -> None:
    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    recognised = await sessions.recognise(desk, token)
    assert recognised is not None

    dark = await sessions.set_theme(desk, recognised[0], "dark")
    with pytest.raises(InvalidFields):
        await sessions.set_theme(desk, dark, "<script>")

    seen = await sessions.recognise(desk, token)
    assert seen is not None and seen[0].theme == "dark"


async def test_signing_in_and_failing_to_are_in_the_audit_log(desk: Desk) -> None:
    await guess(desk, ELSEWHERE)
    await guess(desk, ELSEWHERE, name="a password typed too soon")
    await sessions.sign_in(desk, NAME, PASSWORD, HERE)

    assert (await audited(desk))[1:] == [
        ("sign_in_failed", NAME, ELSEWHERE.ip),
        ("sign_in_failed", "", ELSEWHERE.ip),
        ("sign_in", NAME, HERE.ip),
    ]
    assert "typed too soon" not in await dump(desk)


async def test_a_thousand_guesses_from_one_address_get_fifteen_tries_in_ten_minutes(
    desk: Desk, clock: FakeClock
) -> None:
    answers = []
    for _ in range(1000):
        answers.append((await guess(desk, ELSEWHERE)).status)
        clock.forward(0.6)

    assert answers.count(401) <= 15
    assert answers.count(429) >= 985
    clock.forward(15 * 60)
    assert await sessions.sign_in(desk, NAME, PASSWORD, Client("198.51.100.9", "mine"))


async def test_many_guesses_at_once_do_not_all_get_through(desk: Desk) -> None:
    answers = await asyncio.gather(*(guess(desk, ELSEWHERE) for _ in range(50)))

    assert [error.status for error in answers].count(401) == 5
    assert {round(error.retry_after or 0) for error in answers if error.status == 429} == {1}


async def test_the_delay_doubles_up_to_a_quarter_of_an_hour(desk: Desk, clock: FakeClock) -> None:
    waits = []
    for _ in range(30):
        refusal = await guess(desk, ELSEWHERE)
        if refusal.retry_after:
            waits.append(refusal.retry_after)
            clock.forward(refusal.retry_after)

    assert waits[:12] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert max(waits) == 900


async def test_an_address_is_slowed_down_whatever_names_it_tries(desk: Desk) -> None:
    answers = [await guess(desk, ELSEWHERE, name=f"nobody-{number}") for number in range(8)]
    neighbour = await guess(desk, Client("2001:db8:1:2::3", ""), name="x")
    same_network = [await guess(desk, Client(f"2001:db8:1:2::{number}", ""), name=f"y{number}") for number in range(6)]

    assert [error.status for error in answers] == [401] * 5 + [429] * 3
    assert neighbour.status == 401
    assert [error.status for error in same_network] == [401] * 4 + [429] * 2


async def test_this_machine_is_slowed_down_per_account_only(desk: Desk) -> None:
    names = [await guess(desk, HERE, name=f"nobody-{number}") for number in range(8)]
    account = [await guess(desk, HERE) for _ in range(6)]

    assert {error.status for error in names} == {401}
    assert [error.status for error in account] == [401] * 5 + [429]


async def test_the_right_password_ends_the_delays_of_its_account_but_not_of_the_address(
    desk: Desk, clock: FakeClock
) -> None:
    for _ in range(4):
        await guess(desk, ELSEWHERE)
    await sessions.sign_in(desk, NAME, PASSWORD, ELSEWHERE)

    first = await guess(desk, ELSEWHERE, name="somebody-else")
    second = await guess(desk, ELSEWHERE, name="somebody-else")

    assert (first.status, second.status) == (401, 429)


async def test_delays_survive_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with desk_at(tmp_path, clock) as desk:
        await administrator(desk)
        for _ in range(5):
            await guess(desk, ELSEWHERE)
    async with desk_at(tmp_path, clock) as desk:
        assert (await guess(desk, ELSEWHERE)).status == 429


async def test_only_what_a_person_does_keeps_a_session_from_becoming_idle(desk: Desk, clock: FakeClock) -> None:
    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    for _ in range(59):
        clock.forward(60)
        assert await sessions.recognise(desk, token, is_activity=False)
    clock.forward(60)
    assert await sessions.recognise(desk, token, is_activity=False) is None

    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    for _ in range(61):
        clock.forward(60)
        assert await sessions.recognise(desk, token)


@pytest.mark.parametrize("back", [600, 3600, 400 * 86_400])
async def test_a_clock_that_is_set_back_lengthens_no_session(desk: Desk, clock: FakeClock, back: int) -> None:
    token, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    clock.forward(30)
    assert await sessions.recognise(desk, token) is not None

    clock.forward(-back)

    assert await sessions.recognise(desk, token) is None
    again, _ = await sessions.sign_in(desk, NAME, PASSWORD, HERE)
    assert await sessions.recognise(desk, again) is not None
