"""Announcements in the browser: written by an administrator, read by everybody."""

from __future__ import annotations

import pytest

from gateway.control import announcements, users
from tests.admin.browsing import PASSWORD, Operator, fault_of, text_of, values_of, visitor
from tests.harness import OPERATOR

pytestmark = pytest.mark.anyio


async def test_one_is_written_seen_everywhere_and_read(operator: Operator) -> None:
    made = await operator.submit(
        "/admin/announcements/new", title="A stop", kind="maintenance", body="On **Monday** <b>now</b>", is_active="on"
    )
    await users.create(operator.gateway.desk, OPERATOR, {"username": "bob", "password": PASSWORD})
    bob = visitor(operator.gateway)
    async with bob.client:
        await bob.sign_in(username="bob")
        for who, path in ((operator, "/admin"), (operator, "/home"), (bob, "/home"), (bob, "/home/announcements")):
            page = (await who.get(path)).text
            assert "<strong>Monday</strong>" in page and "&lt;b&gt;now&lt;/b&gt;" in page, path
        one = made.headers["location"].rsplit("/", 1)[1]

        answer = await bob.submit(f"/home/announcements/{one}/read", "/home", next="/home")

        assert (answer.status_code, answer.headers["location"]) == (303, "/home")
        assert "A stop" not in (await bob.get("/home")).text
        assert "A stop" in (await bob.get("/home/announcements")).text
        assert "A stop" in (await operator.get("/admin")).text


async def test_the_form_holds_what_is_there_and_tells_faults(operator: Operator) -> None:
    fields = {"title": "x", "body": "text", "starts_at": "2026-12-01", "ends_at": "2026-12-02T10:00Z", "priority": "7"}
    made = await operator.submit("/admin/announcements/new", **fields, kind="warning", is_pinned="on", is_active="")
    page = made.headers["location"]

    shown = values_of((await operator.get(page)).text)
    wrong = await operator.submit(page, title="", ends_at="2026-11-01", starts_at="2026-12-01")
    window = await operator.submit(page, title="x", ends_at="2026-11-01", starts_at="2026-12-01")
    late = await operator.submit(page, title="y", version="99")

    assert (shown["starts_at"], shown["ends_at"]) == ("2026-12-01T00:00:00Z", "2026-12-02T10:00:00Z")
    assert (shown["kind"], shown["is_pinned"], shown["is_active"], shown["priority"]) == ("warning", "on", "", "7")
    assert [answer.status_code for answer in (wrong, window, late)] == [422, 422, 409]
    assert fault_of(window.text, "ends_at") == "Must be after starts_at"
    assert "off" in text_of((await operator.get("/admin/announcements")).text)


async def test_one_is_deleted_after_a_question(operator: Operator) -> None:
    one = await announcements.create(operator.gateway.desk, OPERATOR, {"title": "Old news"})

    asked = await operator.get(f"/admin/announcements/{one.id}/delete")
    done = await operator.submit(f"/admin/announcements/{one.id}/delete")

    assert "Delete “Old news”?" in text_of(asked.text)
    assert done.status_code == 303
    assert "Old news" not in (await operator.get("/admin/announcements")).text
