"""Two people at two pages: what one changes, the other sees, and nobody loses what they were typing."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from gateway.control import api_keys, backends, pools, providers
from gateway.control.events import MOST_KEPT, Topic
from tests.admin.browsing import PASSWORD
from tests.admin.chromium import Window, window
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway
from tests.provider import limited

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def signed_in(opened: Window, gateway: RunningGateway) -> Page:
    await opened.page.goto(f"/admin/setup/{gateway.setup_token}")
    await opened.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await opened.page.get_by_role("button", name="Continue").click()
    await opened.page.wait_for_url("**/admin/setup/provider")
    return opened.page


async def second(opened: Window, path: str) -> Page:
    page = await opened.context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    await page.goto(path)
    await page.evaluate("window.stayed = true")
    return page


async def listening(gateway: RunningGateway, pages: int) -> None:
    """Until so many pages follow the stream."""
    async with asyncio.timeout(10):
        while len(gateway.desk.events._listeners) != pages:
            await asyncio.sleep(0.02)


async def hide(page: Page, *, hidden: bool) -> None:
    """As if the reader went to another tab, or came back."""
    await page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def test_a_change_in_one_page_shows_in_the_other_without_a_reload(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        other = await second(opened, "/admin/providers")
        keys = await second(opened, "/admin/keys")
        await page.goto("/admin/providers")
        await listening(gateway, 3)

        await page.get_by_role("button", name="Disable demo/main").click()
        await expect(other.get_by_role("row").filter(has_text="demo/main").get_by_text("disabled")).to_be_visible()

        await page.goto("/admin/keys/new")
        await page.get_by_label("Name", exact=True).fill("of my colleague")
        await page.get_by_role("button", name="Make the key").click()
        await expect(keys.get_by_role("row").filter(has_text="of my colleague")).to_be_visible()

        key = next(key for key in gateway.desk.snapshot().registry.api_keys if key.name == "of my colleague")
        await api_keys.delete(gateway.desk, OPERATOR, key.id)
        await expect(keys.get_by_role("row").filter(has_text="of my colleague")).to_have_count(0)
        assert await keys.evaluate("window.stayed") is True
        assert await other.evaluate("window.stayed") is True
        assert opened.complaints == []


async def test_many_changes_at_once_are_one_refresh(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/keys")
        await listening(gateway, 1)
        await page.get_by_role("button", name="Disable first key").click()
        await expect(page.get_by_role("button", name="Enable first key")).to_be_visible()
        await page.get_by_role("button", name="Enable first key").click()
        await expect(page.get_by_role("button", name="Disable first key")).to_be_visible()
        await page.wait_for_timeout(600)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))

        for number in range(20):
            await api_keys.create(gateway.desk, OPERATOR, {"name": f"k{number}"})

        await expect(page.locator("#keys tbody tr")).to_have_count(21)
        await page.wait_for_timeout(600)
        assert 1 <= len(asked) <= 2
        assert opened.complaints == []


async def test_a_rest_shows_where_nobody_looks_again(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(limited(60)), models=("m",), name="slow")
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin")
        await listening(gateway, 1)
        await page.wait_for_timeout(100)

        await gateway.call("m")

        # The figures refresh by themselves only every 15 seconds.
        await expect(page.locator(".notice [data-left]")).to_be_visible(timeout=6000)
        assert opened.complaints == []


async def test_a_paused_page_stays_as_it_is_until_it_goes_on(gateway: RunningGateway) -> None:
    backend = next(one for one in gateway.desk.snapshot().backends.values() if one.name == "demo/main")
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/providers")
        await listening(gateway, 1)
        row = page.get_by_role("row").filter(has_text="demo/main")

        await page.get_by_role("button", name="Pause").click()
        await backends.set_enabled(gateway.desk, OPERATOR, backend.id, enabled=False)
        await page.wait_for_timeout(1500)
        await expect(row.get_by_text("disabled")).to_have_count(0)

        await page.get_by_role("button", name="Pause").click()
        await expect(row.get_by_text("disabled")).to_be_visible(timeout=3000)


async def test_a_form_that_is_being_filled_in_is_not_replaced_but_says_what_happened(gateway: RunningGateway) -> None:
    backend = next(one for one in gateway.desk.snapshot().backends.values() if one.name == "demo/main")
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto(f"/admin/backends/{backend.id}")
        await listening(gateway, 1)
        await page.get_by_label("Requests per minute").fill("77")
        notice = page.get_by_role("status").filter(has_text="changed elsewhere")

        await pools.create(gateway.desk, OPERATOR, {"name": "third"})
        await page.wait_for_timeout(500)
        await expect(notice).to_have_count(0)
        await providers.update(gateway.desk, OPERATOR, backend.provider.id, {"display_name": "Another name"})
        await providers.update(gateway.desk, OPERATOR, backend.provider.id, {"display_name": "A third name"})

        await expect(notice).to_have_count(1)
        await expect(page.get_by_label("Requests per minute")).to_have_value("77")
        await expect(page.get_by_label("Requests per minute")).to_be_focused()
        await notice.get_by_role("link", name="Reload").click()
        await expect(page.get_by_label("Name for people")).to_have_value("A third name")
        await expect(notice).to_have_count(0)
        assert opened.complaints == []


async def test_a_form_of_what_was_deleted_says_so(gateway: RunningGateway) -> None:
    key = gateway.desk.snapshot().registry.api_keys[0]
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto(f"/admin/keys/{key.id}")
        await listening(gateway, 1)

        await api_keys.delete(gateway.desk, OPERATOR, key.id)

        await expect(page.get_by_role("status").filter(has_text="This was deleted elsewhere.")).to_be_visible()


async def test_a_part_in_which_somebody_types_waits_until_they_are_done(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/keys")
        await listening(gateway, 1)
        await page.evaluate(
            """() => {
                const field = document.createElement("input");
                field.id = "draft";
                document.querySelector("#keys").prepend(field);
                field.focus();
            }"""
        )

        await api_keys.create(gateway.desk, OPERATOR, {"name": "meanwhile"})
        await page.keyboard.type("half a sen")
        await page.wait_for_timeout(1500)
        await expect(page.locator("#draft")).to_have_value("half a sen")

        await page.locator("h1").click()
        await expect(page.get_by_role("row").filter(has_text="meanwhile")).to_be_visible(timeout=3000)


async def test_a_hidden_tab_holds_no_stream_and_catches_up_when_it_is_shown(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/keys")
        await listening(gateway, 1)

        await hide(page, hidden=True)
        await listening(gateway, 0)
        await api_keys.create(gateway.desk, OPERATOR, {"name": "while hidden"})
        await page.wait_for_timeout(800)
        await expect(page.get_by_role("row").filter(has_text="while hidden")).to_have_count(0)

        await hide(page, hidden=False)
        await expect(page.get_by_role("row").filter(has_text="while hidden")).to_be_visible()
        await listening(gateway, 1)
        assert opened.complaints == []


async def test_who_missed_too_much_looks_at_everything_again(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/keys")
        await listening(gateway, 1)
        await hide(page, hidden=True)
        await listening(gateway, 0)
        await api_keys.create(gateway.desk, OPERATOR, {"name": "long ago"})
        for number in range(MOST_KEPT + 1):
            gateway.desk.events.publish(Topic.REGISTRY, "update", "pool", ("p",), number, 0)

        async with page.expect_response("**/admin/keys"):
            await hide(page, hidden=False)

        await expect(page.get_by_role("row").filter(has_text="long ago")).to_be_visible()


async def test_a_change_between_a_page_and_its_stream_is_not_lost(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        asked = asyncio.Event()

        async def slowly(route: object) -> None:
            if not asked.is_set():
                await api_keys.create(gateway.desk, OPERATOR, {"name": "in between"})
                asked.set()
            await route.continue_()  # type: ignore[attr-defined]

        await page.route(re.compile("/admin/events"), slowly)
        await page.goto("/admin/keys")

        await expect(page.get_by_role("row").filter(has_text="in between")).to_be_visible()
        assert asked.is_set()


async def test_a_stream_that_breaks_is_opened_again(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/keys")
        await listening(gateway, 1)

        for listener in list(gateway.desk.events._listeners):
            listener.leave()
        await api_keys.create(gateway.desk, OPERATOR, {"name": "during the gap"})

        await expect(page.get_by_role("row").filter(has_text="during the gap")).to_be_visible()
        await listening(gateway, 1)


async def test_the_end_of_a_session_is_said_and_the_stream_stays_closed(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/keys")
        other = await second(opened, "/admin/keys")
        await listening(gateway, 2)

        await other.get_by_role("button", name="Sign out").click()
        await expect(other).to_have_url(re.compile("/admin/login"))
        gateway.desk.events.publish(Topic.HEALTH, "update", "backend", ("b",), 1, 0)

        await expect(page.get_by_role("status").filter(has_text="Your session is over.")).to_be_visible()
        await listening(gateway, 0)
        await page.wait_for_timeout(1700)
        await listening(gateway, 0)
