"""People's pages in a real browser: dialogs, filters without reloading, times in the zone that was chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from gateway.control import announcements, pools, users
from tests.admin.browsing import PASSWORD, Operator, visitor
from tests.admin.chromium import Window, window
from tests.desks import ANN
from tests.harness import OPERATOR

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def enter(opened: Window, who: Operator) -> None:
    cookies = [{"name": name, "value": value, "url": who.gateway.url} for name, value in who.client.cookies.items()]
    await opened.context.add_cookies(cookies)  # type: ignore[arg-type]


@pytest.fixture
async def signed_in(operator: Operator) -> AsyncIterator[Window]:
    """A window of the administrator; there is a bob as well."""
    await users.create(operator.gateway.desk, OPERATOR, {"username": "bob", "password": PASSWORD})
    async with window(operator.gateway.url) as opened:
        await enter(opened, operator)
        yield opened
        assert opened.complaints == []


async def test_a_person_is_deleted_in_a_dialog_and_restored(signed_in: Window) -> None:
    page = signed_in.page
    await page.goto("/admin/users")

    await page.get_by_role("link", name="Delete bob").click()
    dialog = page.locator("#dialog")
    await dialog.get_by_label("Type bob to go on").fill("bob")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.locator("#flash")).to_contain_text("Deleted")
    await expect(page.locator("#users")).not_to_contain_text("bob")

    await page.get_by_role("heading", name="Deleted").click()
    await page.get_by_role("button", name="Restore bob").click()
    await expect(page.locator("#flash")).to_contain_text("Restored, but disabled")
    await expect(page.get_by_role("heading", level=1)).to_have_text("bob")


async def test_the_audit_log_is_filtered_without_a_reload(operator: Operator, signed_in: Window) -> None:
    pool = await pools.create(operator.gateway.desk, ANN, {"name": "third"})
    await pools.update(operator.gateway.desk, ANN, pool.id, {"tier": 7})
    page = signed_in.page
    await page.goto("/admin/audit")

    await page.get_by_label("What", exact=True).select_option("pool")
    await page.get_by_label("Action").select_option("update")

    await expect(page.locator("#found tbody tr")).to_have_count(1)
    assert "object_kind=pool" in page.url and "action=update" in page.url
    await page.locator("#found summary").click()
    await expect(page.locator("#found .diff")).to_contain_text("tier")
    await expect(page.locator("#found .diff-after").first).to_be_visible()


async def test_an_announcement_goes_once_it_is_read(operator: Operator, signed_in: Window) -> None:
    await announcements.create(operator.gateway.desk, OPERATOR, {"title": "A stop", "body": "**Monday**"})
    page = signed_in.page
    await page.goto("/admin?range=7d")
    await expect(page.get_by_role("article", name="A stop")).to_contain_text("Monday")

    await page.get_by_role("button", name="A stop: I have read it").click()

    await expect(page).to_have_url(f"{operator.gateway.url}/admin?range=7d")
    await expect(page.get_by_role("article", name="A stop")).to_have_count(0)


async def test_times_are_shown_in_the_zone_that_was_chosen(operator: Operator) -> None:
    """The browser is in one zone, the person chose another."""
    desk = operator.gateway.desk
    await users.create(desk, OPERATOR, {"username": "bob", "password": PASSWORD, "time_zone": "Asia/Tokyo"})
    bob = visitor(operator.gateway)
    async with bob.client, window(operator.gateway.url, timezone_id="America/New_York") as opened:
        await bob.sign_in(username="bob")
        await enter(opened, bob)
        await opened.page.goto("/home/audit")
        time = opened.page.locator("tbody time").first
        shown, at = await time.text_content(), await time.get_attribute("datetime")
        wanted = await opened.page.evaluate(
            "at => new Date(at).toLocaleTimeString([], {timeZone: 'Asia/Tokyo', hourCycle: 'h23',"
            " hour: '2-digit', minute: '2-digit', second: '2-digit'})",
            at,
        )
        assert str(shown).endswith(wanted)
        assert opened.complaints == []


async def test_a_home_has_no_stream_of_events_and_nothing_to_complain_of(operator: Operator) -> None:
    await users.create(operator.gateway.desk, OPERATOR, {"username": "bob", "password": PASSWORD})
    bob = visitor(operator.gateway)
    async with bob.client, window(operator.gateway.url, viewport={"width": 390, "height": 800}) as opened:
        await bob.sign_in(username="bob")
        await enter(opened, bob)
        asked: list[str] = []
        opened.page.on("request", lambda request: asked.append(request.url))
        for path in ("/home", "/home/models", "/home/status", "/home/announcements", "/home/audit", "/admin/account"):
            await opened.page.goto(path)
            wide = await opened.page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wide, path
        assert not [url for url in asked if url.endswith("/admin/events")]
        assert opened.complaints == []
