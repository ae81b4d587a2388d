"""The models and route rules pages in a real browser, with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from gateway.control import route_rules
from tests.admin.browsing import PASSWORD
from tests.admin.chromium import window
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway
from tests.provider import Exchange, answer

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

MODELS = {"object": "list", "data": [{"id": "llama-9"}, {"id": "llama-9-mini"}]}


async def listing_provider(exchange: Exchange) -> None:
    await answer(MODELS if exchange.heard.path.endswith("/models") else None)(exchange)


async def sign_in(page: Page, gateway: RunningGateway) -> None:
    await page.goto(f"/admin/setup/{gateway.setup_token}")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/admin/setup/provider")


async def from_draft_to_answer(page: Page) -> None:
    """Add a model, have a provider serve it, enable it, try it, check it."""
    await page.goto("/admin/models")
    await page.get_by_role("link", name="Add a model").click()
    await page.get_by_label("Public name").fill("fast")
    await page.get_by_role("button", name="Add the model").click()
    await expect(page.get_by_text("Made, as a draft.")).to_be_visible()

    await page.get_by_role("button", name="Enable").click()
    await expect(page.get_by_text("no provider is mapped to it; map one first")).to_be_visible()
    await page.get_by_label("Add a provider").select_option(label="p1")
    await page.get_by_label("Its name there").fill("llama-9")
    await page.get_by_role("button", name="Add", exact=True).click()
    await page.get_by_role("button", name="Enable").click()
    await expect(page.get_by_text("Enabled: calls may ask for it.")).to_be_visible()

    await page.get_by_label("Message").fill("Say hello")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".reply")).to_have_text("Hello!")
    await page.get_by_role("button", name="Check now").click()
    await expect(page.get_by_text("It lists llama-9.")).to_be_visible()
    await page.get_by_role("button", name="Explain").click()
    await expect(page.locator(".plan li")).to_have_text(re.compile(r"p1/main\s+primary\s+tried first"))


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_model_goes_from_draft_to_its_first_answer(
    gateway: RunningGateway, provider: MakeProvider, scripts: bool
) -> None:
    await gateway.backend(await provider(listing_provider))
    async with window(gateway.url, java_script_enabled=scripts) as opened:
        await sign_in(opened.page, gateway)
        await from_draft_to_answer(opened.page)
        # The browser notes the form that was refused: enabling before anything serves it.
        assert [words for words in opened.complaints if "422" not in words] == []


async def test_the_list_is_filtered_in_place(gateway: RunningGateway) -> None:
    async with window(gateway.url) as opened:
        page = opened.page
        await sign_in(page, gateway)
        await page.goto("/admin/models")

        await page.keyboard.press("/")
        await page.keyboard.type("slow")
        await page.keyboard.press("Enter")

        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page).to_have_url(re.compile(r"/admin/models\?q=slow"))
        await expect(page.locator("#total")).to_have_text("1 model")
        await page.get_by_label("Status").select_option("DRAFT")
        await expect(page.get_by_text("No model matches")).to_be_visible()
        assert opened.complaints == []


async def test_rules_move_in_place_and_follow_what_others_change(gateway: RunningGateway) -> None:
    for number, code in enumerate(("demo/echo", "demo/slow")):
        rule = {"route_type": "AGENT", "route_key": "coder", "model_id": code, "priority": number}
        made = await route_rules.create(gateway.desk, OPERATOR, rule)
    async with window(gateway.url) as opened:
        page = opened.page
        await sign_in(page, gateway)
        await page.goto("/admin/route-rules")
        winner = page.locator("#chains .card-head a")
        await expect(winner).to_have_text("demo/echo")

        await page.get_by_role("button", name="Ask demo/slow earlier").click()
        await expect(winner).to_have_text("demo/slow")
        await expect(page.get_by_text("Moved.")).to_be_visible()

        await route_rules.update(gateway.desk, OPERATOR, made.id, {"is_enabled": False})
        await expect(winner).to_have_text("demo/echo")
        assert opened.complaints == []


async def test_what_a_provider_lists_is_picked(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await gateway.backend(await provider(listing_provider))
    async with window(gateway.url) as opened:
        page = opened.page
        await sign_in(page, gateway)
        await page.goto(f"/admin/providers/{made.provider.id}/models")

        await page.get_by_label("llama-9-mini").check()
        await page.get_by_role("button", name="Attach what is ticked").click()
        await expect(page.get_by_role("row").filter(has_text="llama-9-mini")).to_contain_text("attached")
        await page.get_by_label("llama-9-mini").check()
        await page.get_by_role("button", name="Detach what is ticked").click()
        await expect(page.get_by_role("row").filter(has_text="llama-9-mini")).not_to_contain_text("attached")
        assert opened.complaints == []
