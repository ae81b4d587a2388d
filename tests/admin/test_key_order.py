"""The pages on which provider keys are put in order, and pasted."""

from __future__ import annotations

import pytest

from gateway.control import backends, key_order, provider_keys
from tests.admin.browsing import PASSWORD, Operator, fault_of, parse, text_of, values_of
from tests.admin.test_providers import grow_old
from tests.desks import ANN
from tests.harness import OPERATOR

pytestmark = pytest.mark.anyio

CHAT = "openai_chat"
ORDER, PASTE = "/admin/provider-keys/order", "/admin/provider-keys/paste"


@pytest.fixture(autouse=True)
async def acme(operator: Operator) -> None:
    """Three keys besides those of the demo."""
    form = {"name": "acme", "preset": "custom", "base_url": "https://api.example.com/v1", "models": "m"}
    assert (await operator.submit("/admin/providers/new", **form, pool="primary")).status_code == 303
    for name in ("b", "c"):
        await provider_keys.create(operator.gateway.desk, ANN, {"provider_id": "acme", "name": name})


def ids(operator: Operator) -> list[str]:
    (order,) = key_order.by_format(operator.gateway.desk.snapshot())
    return [place.key.id for place in order.keys]


def shown(html: str) -> list[str]:
    return [row.get("data-id", "") for row in parse(html).iter("tr") if row.get("data-id")]


async def test_keys_are_listed_in_their_order_with_what_a_script_sends(operator: Operator) -> None:
    page = await operator.get(ORDER)

    assert shown(page.text) == ids(operator)
    assert values_of(page.text)["ids"] == ",".join(ids(operator))
    assert "no pool goes by this order" in text_of(page.text)


async def test_an_order_is_saved_whole(operator: Operator) -> None:
    wanted = ids(operator)[::-1]
    got = await operator.submit(ORDER, api_format=CHAT, ids=",".join(wanted))

    assert got.status_code == 303
    assert shown((await operator.get(ORDER)).text) == wanted == ids(operator)


async def test_an_order_of_other_keys_is_refused(operator: Operator) -> None:
    got = await operator.submit(ORDER, api_format=CHAT, ids=ids(operator)[0])

    assert got.status_code == 409
    assert "load the list again" in text_of(got.text)
    assert (await operator.submit(ORDER, api_format="x", ids="x")).status_code == 422


async def test_a_key_moves_by_an_arrow_or_a_number(operator: Operator) -> None:
    first, second, *others = ids(operator)
    await operator.submit(f"/admin/provider-keys/{first}/move", api_format=CHAT, direction="down")
    assert ids(operator) == [second, first, *others]
    await operator.submit(f"/admin/provider-keys/{first}/move", api_format=CHAT, direction="up")
    assert ids(operator) == [first, second, *others]

    last = others[-1]
    await operator.submit(f"/admin/provider-keys/{last}/place", api_format=CHAT, priority="1")
    assert ids(operator)[0] == last
    assert (
        await operator.submit(f"/admin/provider-keys/{last}/place", api_format=CHAT, priority="")
    ).status_code == 303
    assert ids(operator)[-1] == last
    wrong = await operator.submit(f"/admin/provider-keys/{last}/place", api_format=CHAT, priority="first")
    assert (wrong.status_code, "priority: must be a whole number" in text_of(wrong.text)) == (422, True)


async def test_pasted_lines_become_keys(operator: Operator) -> None:
    lines = "team sk-CANARY-0123456789a\nsk-CANARY-0123456789b"
    got = await operator.submit(PASTE, provider_id="acme", pool="fallback", api_formats=CHAT, api_keys=lines)

    assert got.status_code == 303
    page = text_of((await operator.get(ORDER)).text)
    assert "acme/team" in page and "Added. Calls may use them now." in page


async def test_a_wrong_line_is_named_and_the_keys_are_not_shown_again(operator: Operator) -> None:
    got = await operator.submit(
        PASTE, provider_id="acme", pool="fallback", api_formats=CHAT, api_keys="sk-CANARY-\u00e9", secret_note="kept"
    )

    assert (got.status_code, values_of(got.text)["secret_note"]) == (422, "kept")
    assert fault_of(got.text, "api_keys") == "Line 1 must be visible ASCII characters without spaces"
    assert "CANARY" not in got.text


async def test_pasting_asks_for_the_password_where_it_was_given_long_ago(operator: Operator) -> None:
    await grow_old(operator)
    form = {"provider_id": "acme", "api_formats": CHAT, "api_keys": "sk-CANARY-0123456789a", "pool": "primary"}

    refused = await operator.submit(PASTE, **form)
    assert fault_of(refused.text, "your_password").startswith("Is needed")
    assert (await operator.submit(PASTE, **form, your_password=PASSWORD)).status_code == 303


async def test_the_form_begins_with_the_provider_that_led_to_it(operator: Operator) -> None:
    acme = next(one for one in operator.gateway.desk.snapshot().registry.providers if one.name == "acme")
    for wanted in (acme.id, acme.name):
        assert values_of((await operator.get(f"{PASTE}?provider={wanted}")).text)["provider_id"] == acme.id
    assert (await operator.get(f"{PASTE}?provider=nobody")).status_code == 200


async def test_pasted_keys_are_for_all_that_the_provider_speaks_unless_formats_are_named(operator: Operator) -> None:
    desk = operator.gateway.desk
    form = {"name": "azure", "preset": "azure", "base_url": "https://a.example/v1"}
    made = await backends.create(desk, OPERATOR, form)
    begun = values_of((await operator.get(f"{PASTE}?provider=azure")).text)

    await operator.submit(PASTE, **{**begun, "api_keys": "more sk-CANARY-0123456789c"})

    (key,) = [one for one in desk.snapshot().registry.keys if one.name == "more"]
    assert (begun["api_formats"], begun["provider_id"]) == ("", made.provider.id)
    assert set(key.api_formats) == {"openai_chat", "openai_responses", "openai_embeddings"}
