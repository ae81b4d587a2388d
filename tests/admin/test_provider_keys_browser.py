"""What scripts add to the pages of provider keys: dragging, arrow keys, a secret in a dialog."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from gateway.control import key_order, provider_keys
from tests.admin.browsing import Operator
from tests.admin.chromium import Window, window
from tests.desks import ANN

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ORDER = "/admin/provider-keys/order"
SECRET = "sk-first-0123456789abcd"


@pytest.fixture
async def signed_in(operator: Operator) -> AsyncIterator[Window]:
    """A window of the operator, who has a provider with two keys besides the demo's."""
    form = {"name": "acme", "preset": "custom", "base_url": "https://api.example.com/v1", "models": "m"}
    assert (await operator.submit("/admin/providers/new", **form, api_key=SECRET)).status_code == 303
    await provider_keys.create(operator.gateway.desk, ANN, {"provider_id": "acme", "name": "second"})
    async with window(operator.gateway.url) as opened:
        cookies = operator.client.cookies.items()
        await opened.context.add_cookies(
            [{"name": name, "value": value, "url": operator.gateway.url} for name, value in cookies]
        )
        yield opened
        assert opened.complaints == []


def ids(operator: Operator) -> list[str]:
    (order,) = key_order.by_format(operator.gateway.desk.snapshot())
    return [place.key.id for place in order.keys]


async def shown(opened: Window) -> list[str]:
    found: list[str] = await opened.page.locator("tr[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)")
    return found


async def test_a_row_is_dragged_to_its_place(operator: Operator, signed_in: Window) -> None:
    await signed_in.page.goto(ORDER)
    first, *others, last = ids(operator)

    handle = signed_in.page.locator(f"tr[data-id='{last}'] .handle")
    target = signed_in.page.locator(f"tr[data-id='{first}']")
    await handle.drag_to(target, target_position={"x": 200, "y": 3})

    await expect(signed_in.page.locator("#flash")).to_contain_text("Saved.")
    assert await shown(signed_in) == [last, first, *others] == ids(operator)


async def test_the_arrow_keys_move_a_row_and_the_keyboard_stays_on_it(operator: Operator, signed_in: Window) -> None:
    await signed_in.page.goto(ORDER)
    first, second, third, *others = ids(operator)

    handle = signed_in.page.locator(f"tr[data-id='{first}'] .handle")
    await handle.press("ArrowDown")
    await handle.press("ArrowDown")
    await expect(signed_in.page.locator("#voice")).to_have_text("Now number 3")

    await expect(signed_in.page.locator("#flash")).to_contain_text("Saved.")
    assert ids(operator) == [second, third, first, *others]
    await expect(handle).to_be_focused()


async def test_a_secret_is_shown_in_a_dialog_and_gone_when_that_is_closed(
    operator: Operator, signed_in: Window
) -> None:
    key = next(one for one in await provider_keys.listing(operator.gateway.desk) if one.masked)
    await signed_in.page.goto(f"/admin/provider-keys/{key.id}")

    await signed_in.page.get_by_role("button", name="Show it").click()
    await expect(signed_in.page.locator("dialog .secret code")).to_have_text(SECRET)
    await signed_in.page.locator("dialog").get_by_role("link", name="Close").click()

    await expect(signed_in.page.locator("dialog")).to_be_hidden()
    assert SECRET not in await signed_in.page.content()
