"""The home of somebody who is no administrator, in the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.control import backends, providers, users
from gateway.routing.state import RestKind
from tests.admin.browsing import PASSWORD, Operator, fault_of, parse, text_of, values_of, visitor
from tests.harness import HELLO, OPERATOR

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bob(operator: Operator) -> AsyncIterator[Operator]:
    fields = {"username": "bob", "password": PASSWORD, "quota": 1}
    await users.create(operator.gateway.desk, OPERATOR, fields)
    someone = visitor(operator.gateway)
    async with someone.client:
        await someone.sign_in(username="bob")
        yield someone


async def make_key(bob: Operator, **fields: str) -> str:
    answer = await bob.submit("/home/keys/new", "/home/keys/new", name="laptop", models="all", **fields)
    assert answer.status_code == 200, text_of(answer.text)
    return next(word for word in text_of(answer.text).split() if word.startswith("sk-gw-"))


async def test_signing_in_leads_home_and_the_menu_holds_what_one_may_see(bob: Operator) -> None:
    page = await bob.get("/home")

    links = {element.get("href") for element in parse(page.text).iter("a")}
    assert {"/home", "/home/models", "/home/status", "/home/audit", "/admin/account"} <= links
    assert not {"/admin/providers", "/admin/keys", "/admin/users", "/admin/settings"} & links
    assert "data-events" not in page.text


async def test_a_key_is_made_shown_once_and_used_under_the_persons_quota(bob: Operator) -> None:
    secret = await make_key(bob)
    gateway = bob.gateway
    headers = {"authorization": f"Bearer {secret}"}

    answer = await gateway.client.post(
        "/v1/chat/completions", headers=headers, json={"model": "demo/echo", "messages": HELLO, "max_tokens": 5}
    )
    await gateway.rows()
    page = await bob.get("/home")

    assert answer.status_code == 200
    assert secret not in page.text
    words = text_of(page.text)
    assert "laptop" in words and "of $1 quota this month" in words and "1 requests" in words


async def test_a_key_is_edited_disabled_rotated_and_deleted(bob: Operator) -> None:
    old = await make_key(bob)
    [key] = [key for key in bob.gateway.desk.snapshot().registry.api_keys if key.name == "laptop"]
    page = f"/home/keys/{key.id}"
    shown = values_of((await bob.get(page)).text)
    form = {name: shown[name] for name in ("version", "models", "budget_period")}

    saved = await bob.submit(page, page, **form, name="tablet", budget="0.5", note="mine")
    faulty = await bob.submit(page, page, **{**form, "version": ""}, name="", rpm_limit="x")
    late = await bob.submit(page, page, **form, name="desk")
    made = await bob.submit(f"{page}/rotate", page, grace_hours="0")
    odd = await bob.submit(f"{page}/rotate", page, grace_hours="x")

    assert [answer.status_code for answer in (saved, faulty, late, made, odd)] == [303, 422, 409, 200, 422]
    assert fault_of(late.text, "name") == "Is now tablet"
    new = next(word for word in text_of(made.text).split() if word.startswith("sk-gw-"))

    async def status(secret: str) -> int:
        headers = {"authorization": f"Bearer {secret}"}
        return (await bob.gateway.client.get("/v1/models", headers=headers)).status_code

    assert (await status(old), await status(new)) == (401, 200)
    await bob.submit(f"{page}/disable", page)
    assert await status(new) == 401
    await bob.submit(f"{page}/enable", page)
    assert await status(new) == 200
    assert (await bob.submit(f"{page}/delete", f"{page}/delete", typed="no")).status_code == 422
    assert (await bob.submit(f"{page}/delete", f"{page}/delete", typed="tablet")).status_code == 303
    assert await status(new) == 401


async def test_the_catalogue_holds_what_one_may_use(bob: Operator, operator: Operator) -> None:
    assert "demo/echo" in text_of((await bob.get("/home/models")).text)
    [row] = [user for user in await users.listing(operator.gateway.desk) if user.username == "bob"]

    await users.update(operator.gateway.desk, OPERATOR, row.id, {"allowed_models": []})

    assert "No model that you may use" in text_of((await bob.get("/home/models")).text)


async def test_the_state_of_providers_says_neither_where_nor_why(bob: Operator, operator: Operator) -> None:
    desk = operator.gateway.desk
    page = await bob.get("/home/status")
    assert "demo openai_chat answers" in text_of(page.text)
    assert "http://" not in page.text.partition("<main")[2] and "127.0.0.1" not in page.text.partition("<main")[2]

    for provider in desk.snapshot().registry.providers:
        await providers.update(desk, OPERATOR, provider.id, {"is_active": False})

    assert "None that you may use" in text_of((await bob.get("/home/status")).text)


async def test_ones_own_audit_has_no_links_to_pages_of_administrators(bob: Operator) -> None:
    await make_key(bob)

    page = await bob.get("/home/audit")

    words = text_of(page.text)
    assert "create laptop api key" in words and "sign in" in words
    assert "/admin/keys/" not in page.text


async def test_a_profile_is_ones_own_and_its_zone_is_where_times_are_shown(bob: Operator) -> None:
    saved = await bob.submit("/admin/account/profile", "/admin/account", email="b@example.com", time_zone="Asia/Tokyo")
    wrong = await bob.submit("/admin/account/profile", "/admin/account", email="x", time_zone="Mars/Base")

    assert (saved.status_code, wrong.status_code) == (303, 422)
    assert fault_of(wrong.text, "time_zone").startswith("Is no time zone")
    page = (await bob.get("/admin/account")).text
    assert values_of(page)["email"] == "b@example.com"
    assert 'data-zone="Asia/Tokyo"' in page


async def test_sessions_are_ended_from_the_account_page(bob: Operator) -> None:
    other = visitor(bob.gateway)
    async with other.client:
        await other.sign_in(username="bob")
        page = (await bob.get("/admin/account")).text
        assert text_of(page).count("this one") == 1
        ids = {part.split("/")[0] for part in page.split("/account/sessions/")[1:]}
        own = page.split("this one")[1].split("/account/sessions/")[1].split("/")[0]
        [theirs] = ids - {own}

        await bob.submit(f"/admin/account/sessions/{theirs}/end", "/admin/account")

        assert (await other.get("/home")).status_code == 303
        assert (await bob.get("/home")).status_code == 200


async def test_an_administrator_has_a_home_too(operator: Operator) -> None:
    page = await operator.get("/home")

    assert page.status_code == 200
    assert "/admin/providers" in page.text


async def test_a_provider_with_many_formats_is_one_line_unless_they_differ(bob: Operator) -> None:
    desk = bob.gateway.desk
    await backends.create(desk, OPERATOR, {"name": "openai", "preset": "openai", "models": ["gpt"]})
    alike = text_of((await bob.get("/home/status")).text)
    slow = next(one for one in desk.snapshot().backends.values() if one.endpoint.api_format == "openai_images")
    desk.state.of(slow.id).rest(desk.clock.mono() + 60, "rate limited", RestKind.QUOTA)
    differing = text_of((await bob.get("/home/status")).text)
    models = text_of((await bob.get("/home/models")).text)

    assert "openai openai_chat and 6 more answers" in alike
    assert "openai openai_chat and 5 more answers" in differing
    assert "openai openai_images does not answer" in differing
    assert "+5" in models
