"""The one way in, from the side of who comes: roles, flashes, errors as pages and as toasts."""

from __future__ import annotations

import pytest

from gateway.admin.visits import FLASHES
from tests.admin.browsing import Operator, text_of, visitor

pytestmark = pytest.mark.anyio


async def run(operator: Operator, statement: str) -> None:
    async with operator.gateway.desk.db.write() as tx:
        await tx.execute(statement)


async def test_who_is_no_administrator_sees_no_page_and_changes_nothing(operator: Operator) -> None:
    csrf = await operator.csrf()
    await run(operator, "UPDATE users SET role = 'user'")

    seen = await operator.get("/admin/keys")
    sent = await operator.client.post("/admin/keys/new", data={"csrf": csrf, "name": "mine"})

    assert (seen.status_code, sent.status_code) == (403, 403)
    assert "These pages are for administrators." in text_of(seen.text)
    assert len(operator.gateway.desk.snapshot().registry.api_keys) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET is_active = 0",
        "UPDATE sessions SET expires_at = 1",
        "UPDATE sessions SET last_seen_at = 1",
        "DELETE FROM sessions",
        "DELETE FROM users",
    ],
)
async def test_a_session_that_is_over_is_over_at_the_next_click(operator: Operator, statement: str) -> None:
    assert (await operator.get("/admin")).status_code == 200

    await run(operator, statement)
    got = await operator.get("/admin")

    assert (got.status_code, got.headers["location"]) == (303, "/admin/login?next=%2Fadmin")


async def test_a_form_that_comes_too_late_changes_nothing_and_says_so(operator: Operator) -> None:
    csrf = await operator.csrf()
    await run(operator, "DELETE FROM sessions")

    got = await operator.client.post("/admin/keys/new", data={"csrf": csrf, "name": "mine"})

    assert got.status_code == 401
    assert "nothing was changed" in text_of(got.text)


async def test_a_flash_is_shown_once_and_then_forgotten(operator: Operator) -> None:
    key = operator.gateway.desk.snapshot().registry.api_keys[0].id
    await operator.submit(f"/admin/keys/{key}/disable")

    first, second = await operator.get("/admin/keys"), await operator.get("/admin/keys")

    assert FLASHES["key_disabled"].words in text_of(first.text)
    assert FLASHES["key_disabled"].words not in text_of(second.text)


async def test_a_flash_from_elsewhere_is_never_shown(operator: Operator) -> None:
    operator.client.cookies.set("gw_flash", "Your session is over, call 0900")

    assert "0900" not in (await operator.get("/admin/keys")).text


async def test_a_guest_gets_one_cookie_and_keeps_it(guest: Operator) -> None:
    first, second = await guest.get("/admin/login"), await guest.get("/admin/login")

    assert [value.split("=")[0] for value in first.headers.get_list("set-cookie")] == ["gw-guest_session"]
    assert second.headers.get_list("set-cookie") == []


async def test_two_guests_cannot_use_each_others_forms(guest: Operator) -> None:
    other = visitor(guest.gateway)
    async with other.client:
        csrf = await other.csrf("/admin/login")
    got = await guest.client.post("/admin/login", data={"csrf": csrf, "username": "a", "password": "b"})

    assert got.status_code == 403


async def test_an_error_says_where_to_go_on(operator: Operator) -> None:
    inside = await operator.get("/admin/requests/req_none")
    stranger = visitor(operator.gateway)
    async with stranger.client:
        outside = await stranger.get("/admin/nothing")

    assert (inside.status_code, outside.status_code) == (404, 404)
    assert "Back to the overview" in text_of(inside.text)
    assert 'href="/admin/login"' in outside.text


async def test_what_an_error_repeats_is_text_and_never_markup(operator: Operator) -> None:
    for path in ("/admin/requests/<script>alert(1)</script>", "/admin/%3Cimg%20src=x%20onerror=y%3E"):
        got = await operator.get(path)

        assert got.status_code == 404
        assert "<script>alert" not in got.text and "<img src=x" not in got.text


async def test_looking_with_head_is_looking(operator: Operator) -> None:
    got = await operator.client.head("/admin/keys")

    assert (got.status_code, got.content) == (200, b"")
