"""A newcomer in a real browser: from the link on the console to the page of their first request."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from gateway.routing.quota import Spend
from tests.admin.browsing import PASSWORD
from tests.admin.chromium import Window, window
from tests.conftest import MakeProvider
from tests.harness import HELLO, RunningGateway
from tests.provider import Exchange, Provider, answer, limited

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

MODELS = {"object": "list", "data": [{"id": "llama-9"}, {"id": "llama-9-mini"}]}


async def provider_with_models(exchange: Exchange) -> None:
    await answer(MODELS if exchange.heard.path.endswith("/models") else None)(exchange)


async def set_up(page: Page, gateway: RunningGateway, there: Provider) -> str:
    """Password, provider, key; the key's secret. Ends on the page that waits for the first request."""
    await page.goto(f"/admin/setup/{gateway.setup_token}")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Continue").click()

    await page.get_by_role("link", name="Custom").click()
    await page.get_by_label("Name", exact=True).fill("mine")
    await page.get_by_label("Base URL").fill(there.base_url)
    await page.get_by_label("Provider key").fill("sk-provider-secret-0001")
    await page.get_by_label("Models").fill("llama-9")
    await page.get_by_label("This is a local server").check()
    await page.get_by_role("button", name="Add and go on").click()

    await expect(page.get_by_role("status").filter(has_text="The provider was added.")).to_be_visible()
    await page.get_by_role("button", name="Make an API key").click()
    secret = await page.locator(".secret code").text_content()
    assert secret is not None
    return secret


async def call(gateway: RunningGateway, secret: str) -> None:
    """What the operator's own client would do."""
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        got = await client.post(
            "/v1/chat/completions",
            headers={"authorization": f"Bearer {secret}"},
            json={"model": "llama-9", "messages": HELLO},
        )
    assert got.status_code == 200
    await gateway.app.ledger.flush()


async def see_the_request(page: Page) -> None:
    await page.get_by_role("link", name="See what happened").click()
    await expect(page).to_have_url(re.compile(r"/admin/requests/req_"))
    await expect(page.get_by_role("heading", name="llama-9")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="mine/main").filter(has_text="Answered")).to_be_visible()


async def test_with_scripts(gateway: RunningGateway, provider: MakeProvider) -> None:
    async with window(gateway.url) as opened:
        page = opened.page
        secret = await set_up(page, gateway, await provider(provider_with_models))
        await page.get_by_text("OpenAI SDK", exact=True).click()
        await expect(page.locator("pre").filter(has_text="from openai import OpenAI")).to_be_visible()
        await expect(page.locator("pre").filter(has_text="curl ")).to_be_hidden()
        await page.get_by_role("button", name="Copy the API key").click()
        await expect(page.locator(".secret .is-copied")).to_be_visible()

        await call(gateway, secret)

        await expect(page.get_by_text("It works.")).to_be_visible()
        await see_the_request(page)
        assert opened.complaints == []


async def test_without_scripts(gateway: RunningGateway, provider: MakeProvider) -> None:
    async with window(gateway.url, java_script_enabled=False) as opened:
        page = opened.page
        secret = await set_up(page, gateway, await provider(provider_with_models))
        await page.get_by_text("OpenAI SDK", exact=True).click()
        await expect(page.locator("pre").filter(has_text="from openai import OpenAI")).to_be_visible()
        await expect(page.get_by_role("button", name="Copy the API key")).to_be_hidden()

        await call(gateway, secret)

        await page.get_by_role("link", name="Look again").click()
        await expect(page.get_by_text("It works.")).to_be_visible()
        await see_the_request(page)
        await change_a_backend(page)
        assert opened.complaints == []


async def change_a_backend(page: Page) -> None:
    """The providers page: test, disable, enable, delete."""
    await page.get_by_role("link", name="Providers").first.click()
    await page.get_by_role("button", name="Test mine/main").click()
    await expect(page.get_by_text("names 2 models")).to_be_visible()
    await page.get_by_role("link", name="Close").click()

    row = page.get_by_role("row").filter(has_text="mine/main")
    await page.get_by_role("button", name="Disable mine/main").click()
    await expect(row.get_by_text("disabled")).to_be_visible()
    await expect(page.get_by_text("Disabled: calls already running end as usual.")).to_be_visible()
    await page.get_by_role("button", name="Enable mine/main").click()
    await expect(row.get_by_text("healthy")).to_be_visible()

    await page.get_by_role("link", name="Delete mine/main").click()
    await page.get_by_label("Type mine/main to go on").fill("mine/main")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_text("Deleted. Its requests stay in the list.")).to_be_visible()
    await expect(row).to_have_count(0)


async def signed_in(opened: Window, gateway: RunningGateway) -> Page:
    await opened.page.goto(f"/admin/setup/{gateway.setup_token}")
    await opened.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await opened.page.get_by_role("button", name="Continue").click()
    await opened.page.wait_for_url("**/admin/setup/provider")
    return opened.page


async def test_backends_are_changed_in_place(gateway: RunningGateway, provider: MakeProvider) -> None:
    there = await provider(provider_with_models)
    await gateway.backend(there, models=("llama-9",), name="mine")
    await gateway.call("llama-9")
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/providers")
        await page.evaluate("window.stayed = true")

        await page.get_by_role("button", name="Test mine/main").click()
        dialog = page.locator("dialog[open]")
        await expect(dialog.get_by_text("names 2 models")).to_be_visible()
        await dialog.get_by_role("link", name="Close").click()
        await expect(dialog).to_have_count(0)
        await page.get_by_role("button", name="Disable mine/main").click()
        await expect(page.get_by_role("row").filter(has_text="mine/main").get_by_text("disabled")).to_be_visible()
        await page.get_by_role("link", name="Delete mine/main").click()
        await expect(dialog.get_by_label("Type mine/main to go on")).to_be_focused()
        assert await page.evaluate("window.stayed") is True
        await page.keyboard.press("Escape")

        await change_a_backend_back(page)
        assert opened.complaints == []


async def change_a_backend_back(page: Page) -> None:
    await page.get_by_role("button", name="Enable mine/main").click()
    await expect(page.get_by_role("row").filter(has_text="mine/main").get_by_text("healthy")).to_be_visible()
    assert await page.evaluate("window.stayed") is True


async def test_a_rest_counts_down_and_figures_refresh_until_paused(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(limited(60)), models=("m",), name="slow")
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin")
        await expect(page.get_by_text("No requests in the last 24 hours")).to_be_visible()

        await gateway.call("m")
        await gateway.app.ledger.flush()
        await page.locator("#figures").dispatch_event("every")
        left = page.locator(".notice [data-left]")
        await expect(left).to_have_text(re.compile(r"^(5\d|60) s$"))
        before = await left.text_content()
        await expect(left).not_to_have_text(before or "", timeout=4000)

        await page.get_by_role("button", name="Pause").click()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.locator("#figures").dispatch_event("every")
        await page.wait_for_timeout(300)
        assert asked == []
        assert opened.complaints == []


async def test_a_refresh_takes_nothing_away_from_who_uses_the_keyboard(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/providers")
        button = page.get_by_role("button", name="Test demo/main")
        await button.focus()

        for model, state in (("demo/echo", "healthy"), ("demo/429", "cooling"), ("demo/429", "cooling")):
            await gateway.call(model)
            async with page.expect_response("**/admin/providers"):
                await page.locator("#backends").dispatch_event("every")
            await expect(page.locator(".badge").filter(has_text=state)).to_be_visible()
            await expect(button).to_be_focused()
        await expect(page.get_by_role("button", name="Clear the rest and faults of demo/main")).to_be_visible()
        assert opened.complaints == []


async def test_filters_change_the_list_and_the_address(gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    await gateway.call("no-such-model")
    await gateway.rows()
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/requests")
        await page.evaluate("window.stayed = true")

        await page.get_by_label("Outcome").select_option("failed")

        await expect(page.locator("#found tbody tr")).to_have_count(1)
        await expect(page.locator("#total")).to_have_text("1 request")
        assert "status=failed" in page.url
        assert await page.evaluate("window.stayed") is True
        await page.keyboard.press("Escape")
        await page.locator("h1").click()
        await page.keyboard.press("/")
        await expect(page.get_by_label("Error text")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.locator("h1").click()
        await page.keyboard.press("g")
        await page.keyboard.press("k")
        await expect(page).to_have_url(re.compile("/admin/keys$"))
        assert opened.complaints == []


async def test_the_theme_changes_at_once_and_stays(gateway: RunningGateway) -> None:
    async with window(gateway.url, color_scheme="light") as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin")
        background = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(background)

        async with page.expect_response("**/admin/theme"):
            await page.get_by_role("button", name="Dark").click()
        dark = await page.evaluate(background)
        await page.goto("/admin/keys")

        assert light != dark
        assert await page.evaluate(background) == dark
        await expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
        assert opened.complaints == []


async def test_a_gateway_that_is_gone_is_said_in_words(gateway: RunningGateway, provider: MakeProvider) -> None:
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto("/admin/providers")
        await opened.context.set_offline(True)

        await page.get_by_role("button", name="Disable demo/main").click()

        await expect(page.get_by_role("alert")).to_have_text(re.compile("The gateway did not answer"))


async def test_a_provider_s_page_follows_what_happens_and_leaves_the_settings_alone(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider(answer(), limited(60)), name="acme")
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto(f"/admin/providers/{made.provider.id}")
        await page.get_by_role("heading", name="Settings").click()
        await page.get_by_label("Description").fill("half a sentence")

        await gateway.call("m")
        await gateway.call("m")
        await gateway.rows()

        monitor = page.get_by_role("region", name="What happened")
        await expect(monitor.locator("span").get_by_text("1 limited", exact=True).last).to_be_visible()
        await expect(page.get_by_role("row").filter(has_text="main").get_by_text("cooling")).to_be_visible()
        await monitor.get_by_text("events, the last").click()
        await expect(monitor.get_by_role("row").get_by_text("Limited", exact=True)).to_be_visible()
        await expect(page.get_by_label("Description")).to_have_value("half a sentence")
        assert opened.complaints == []


async def test_a_quota_is_reset_after_a_question(gateway: RunningGateway) -> None:
    demo = gateway.desk.snapshot().providers["demo"]
    gateway.desk.state.spent[demo.id] = Spend(1_000_000_000, gateway.desk.clock.wall_ms())
    async with window(gateway.url) as opened:
        page = await signed_in(opened, gateway)
        await page.goto(f"/admin/providers/{demo.id}")
        await page.get_by_role("button", name="Reset now").click()
        await page.get_by_role("button", name="Cancel").click()
        assert gateway.desk.state.spent[demo.id].used_nano == 1_000_000_000

        await page.get_by_role("button", name="Reset now").click()
        await page.get_by_role("button", name="Continue").click()

        await expect(page.get_by_text("counted from 0")).to_be_visible()
        assert gateway.desk.state.spent[demo.id].used_nano == 0
        assert opened.complaints == []


async def test_nothing_is_wider_than_a_phone(gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    row = await gateway.row()
    backend, there = next(iter(gateway.desk.snapshot().backends.items()))
    async with window(gateway.url, viewport={"width": 390, "height": 844}) as opened:
        page = await signed_in(opened, gateway)
        for path in (
            *(
                "",
                "/requests",
                f"/requests/{row.id}",
                "/providers",
                f"/backends/{backend}",
                "/providers/new?preset=groq",
            ),
            *("/keys", "/keys/new", "/setup/first-call", "/setup/provider?preset=custom", "/nothing"),
            *(f"/providers/{there.provider.id}", f"/endpoints/{there.endpoint.id}", f"/pools/{there.pool.id}"),
            *(f"/providers/{there.provider.id}/endpoints/new", "/pools/new"),
        ):
            await page.goto(f"/admin{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
