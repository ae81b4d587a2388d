"""A provider's page in a real browser: narrow screens, and what a refresh leaves alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from gateway.control import pools, providers
from gateway.control.backends import BackendMade
from tests.admin.browsing import Operator
from tests.admin.chromium import Window, window
from tests.conftest import MakeProvider
from tests.desks import ANN
from tests.provider import answer, refused

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture
async def made(operator: Operator, provider: MakeProvider) -> BackendMade:
    """A provider that answered once and failed once, with long names and long words."""
    gateway = operator.gateway
    scene = (answer(), refused(500, "a long word on what is wrong " * 9))
    made = await gateway.backend(await provider(*scene), name="acme-inference-in-the-north-of-europe")
    for _ in range(2):
        await gateway.call("m")
    await gateway.rows()
    return made


@pytest.fixture
async def phone(operator: Operator) -> AsyncIterator[Window]:
    """A narrow window of the operator."""
    async with window(operator.gateway.url, viewport={"width": 390, "height": 844}) as opened:
        cookies = operator.client.cookies.items()
        await opened.context.add_cookies(
            [{"name": name, "value": value, "url": operator.gateway.url} for name, value in cookies]
        )
        yield opened
        assert opened.complaints == []


async def test_opened_lists_and_settings_are_no_wider_than_a_phone(made: BackendMade, phone: Window) -> None:
    await phone.page.goto(f"/admin/providers/{made.provider.id}")
    details = phone.page.locator("main details")
    await expect(details).to_have_count(2)

    await details.evaluate_all("all => all.forEach(one => { one.open = true; })")

    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_list_of_events_stays_open_and_numbers_follow_once_it_is_closed(
    operator: Operator, made: BackendMade, phone: Window
) -> None:
    await phone.page.goto(f"/admin/providers/{made.provider.id}")
    events = phone.page.locator("details.more")
    await events.locator("summary").click()

    await providers.update(operator.gateway.desk, ANN, made.provider.id, {"concurrent_limit": 77})

    await expect(phone.page.get_by_text("This was changed elsewhere")).to_be_visible()
    await expect(events).to_have_attribute("open", "")
    await expect(phone.page.locator("#facts")).not_to_contain_text("of 77")
    await events.locator("summary").click()
    await expect(phone.page.locator("#facts")).to_contain_text("of 77")


async def test_the_order_of_a_pool_follows_its_strategy_while_it_is_looked_at(
    operator: Operator, made: BackendMade, phone: Window
) -> None:
    await phone.page.goto(f"/admin/pools/{made.key.pool_id}?model=m")
    await expect(phone.page.locator("#order")).to_contain_text("by priority")

    await pools.update(operator.gateway.desk, ANN, made.key.pool_id, {"strategy": "least_busy"})

    await expect(phone.page.locator("#order")).to_contain_text("least busy (0 in flight)")
