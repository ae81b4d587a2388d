"""One's own account."""

from __future__ import annotations

import pytest

from tests.admin.browsing import PASSWORD, Operator, fault_of, text_of, visitor

pytestmark = pytest.mark.anyio

ANOTHER = "staple battery horse 7"


async def test_another_password_ends_every_session_but_this_one(operator: Operator) -> None:
    other = visitor(operator.gateway)
    async with other.client:
        await other.sign_in()
        before = operator.client.cookies["gw_session"]

        done = await operator.submit("/admin/account", current=PASSWORD, password=ANOTHER)

        assert done.status_code == 303
        assert operator.client.cookies["gw_session"] != before
        assert "The password is changed" in text_of((await operator.get("/admin/account")).text)
        assert (await other.get("/admin")).status_code == 303
        assert (await other.sign_in(PASSWORD)).status_code == 401
        assert (await other.sign_in(ANOTHER)).status_code == 303


async def test_a_wrong_or_weak_password_changes_nothing(operator: Operator) -> None:
    wrong = await operator.submit("/admin/account", current="not it at all", password=ANOTHER)
    weak = await operator.submit("/admin/account", current=PASSWORD, password="short")

    assert (wrong.status_code, weak.status_code) == (422, 422)
    assert fault_of(wrong.text, "current") == "Is not your password"
    assert fault_of(weak.text, "password").startswith("Must have at least 12")
    assert ANOTHER not in wrong.text
    assert (await operator.get("/admin")).status_code == 200


async def test_guessing_the_present_password_is_slowed_down(operator: Operator) -> None:
    for number in range(6):
        got = await operator.submit("/admin/account", current=f"guess number {number}", password=ANOTHER)

    assert got.status_code == 429
    assert fault_of(got.text, "current").startswith("Was wrong too often; wait")


async def test_signing_out_everywhere_ends_this_session_too(operator: Operator) -> None:
    other = visitor(operator.gateway)
    async with other.client:
        await other.sign_in()

        await operator.submit("/admin/account/sign-out-everywhere")

        assert (await operator.get("/admin")).status_code == 303
        assert (await other.get("/admin")).status_code == 303
