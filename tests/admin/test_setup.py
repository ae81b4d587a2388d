"""From the link on the console to the first call."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest

from gateway.control import setup
from tests.admin.browsing import PASSWORD, Operator, fault_of, text_of, values_of, visitor
from tests.conftest import MakeProvider
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_looking_at_the_link_does_not_use_it_up(guest: Operator) -> None:
    link = f"/admin/setup/{guest.gateway.setup_token}"

    for _ in range(3):
        assert (await guest.get(link)).status_code == 200
    done = await guest.set_up()

    assert (done.status_code, done.headers["location"]) == (303, "/admin/setup/provider")


async def test_the_link_works_once_and_then_says_what_to_do(operator: Operator) -> None:
    again = await operator.get(f"/admin/setup/{operator.gateway.setup_token}")

    assert again.status_code == 410
    assert "set up already" in text_of(again.text)


async def test_a_wrong_link_says_how_to_get_a_right_one(guest: Operator) -> None:
    got = await guest.get("/admin/setup/wrong")

    assert got.status_code == 410
    assert "Stop the gateway and start it again" in text_of(got.text)
    assert "python -m gateway init" in got.text


async def test_a_weak_password_is_refused_and_the_link_stays_good(guest: Operator) -> None:
    refused = await guest.set_up("short")

    assert refused.status_code == 422
    assert fault_of(refused.text, "password") == "Must have at least 12 characters"
    assert values_of(refused.text)["username"] == "admin"
    assert "short" not in refused.text
    assert (await guest.set_up()).status_code == 303


async def test_fifty_at_once_make_one_administrator(gateway: RunningGateway) -> None:
    async with contextlib.AsyncExitStack() as opened:
        people = [visitor(gateway) for _ in range(50)]
        for one in people:
            await opened.enter_async_context(one.client)

        link = f"/admin/setup/{gateway.setup_token}"
        forms = [{"csrf": await one.csrf(link), "username": "admin", "password": PASSWORD} for one in people]
        posts = [one.client.post(link, data=form) for one, form in zip(people, forms, strict=True)]
        answers = await asyncio.gather(*posts)

    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 49


async def test_the_password_set_signs_in_later(operator: Operator, gateway: RunningGateway) -> None:
    later = visitor(gateway)
    async with later.client:
        assert (await later.sign_in()).status_code == 303
        assert (await later.get("/admin")).status_code == 200


async def test_a_provider_can_be_added_on_the_way_or_skipped(operator: Operator) -> None:
    page = await operator.get("/admin/setup/provider")
    chosen = await operator.get("/admin/setup/provider?preset=groq")

    assert "Skip this step" in page.text
    assert values_of(chosen.text)["base_url"] == "https://api.groq.com/openai/v1"


async def test_a_provider_of_the_setup_leads_on_to_the_first_call(operator: Operator, provider: MakeProvider) -> None:
    there = await provider()

    got = await operator.submit(
        "/admin/setup/provider",
        name="mine",
        preset="custom",
        base_url=there.base_url,
        models="m",
        local_upstream="on",
        api_key="",
        rpm_limit="",
        timeout_seconds="",
        pool="primary",
    )

    assert (got.status_code, got.headers["location"]) == (303, "/admin/setup/first-call")
    assert "m" in [model.code for model in operator.gateway.desk.snapshot().serving_models()]


async def test_the_live_box_turns_when_the_first_request_arrives(operator: Operator) -> None:
    made = await operator.submit("/admin/setup/first-call")
    since = re.search(r"waiting\?since=(\d+)", made.text)
    secret = re.search(r"sk-gw-[\w-]{40,}", made.text)
    assert since is not None
    assert secret is not None
    waiting = await operator.get(f"/admin/setup/first-call/waiting?since={since[1]}")

    await operator.gateway.client.post(
        "/v1/chat/completions",
        headers={"authorization": f"Bearer {secret[0]}"},
        json={"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]},
    )
    await operator.gateway.app.ledger.flush()
    arrived = await operator.get(f"/admin/setup/first-call/waiting?since={since[1]}")
    without_scripts = await operator.get(f"/admin/setup/first-call?since={since[1]}")

    assert "Waiting for a request" in waiting.text
    assert "It works." in arrived.text
    assert "hx-get" not in arrived.text
    assert "It works." in without_scripts.text


async def test_the_key_of_the_first_call_is_shown_in_every_snippet_this_once(operator: Operator) -> None:
    made = await operator.submit("/admin/setup/first-call")
    secret = re.search(r"sk-gw-[\w-]{40,}", made.text)

    assert secret is not None
    assert made.text.count(secret[0]) == 11
    assert made.headers["cache-control"] == "no-store"
    assert secret[0] not in (await operator.get("/admin/setup/first-call")).text


async def test_an_odd_time_in_the_address_is_ignored(operator: Operator) -> None:
    for since in ("abc", "-1", "9" * 40, "١٢٣"):
        assert (await operator.get(f"/admin/setup/first-call/waiting?since={since}")).status_code == 200


async def test_nobody_sets_up_what_is_set_up(operator: Operator) -> None:
    assert not await setup.needs_setup(operator.gateway.desk)
    link = f"/admin/setup/{operator.gateway.setup_token}"
    assert (await operator.submit(link, username="mallory", password=PASSWORD)).status_code == 410
