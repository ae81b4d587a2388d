"""The page of a provider key: its fields, its secrets, what was learned of it."""

from __future__ import annotations

import pytest

from gateway.control import provider_keys, rotations
from gateway.model.registry import ProviderKey
from tests.admin.browsing import PASSWORD, Operator, fault_of, text_of, values_of
from tests.admin.test_providers import grow_old
from tests.desks import ANN
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

FIRST, SECOND = "sk-CANARY-first-0123456", "sk-CANARY-second-012345"


@pytest.fixture
async def key(operator: Operator) -> ProviderKey:
    desk = operator.gateway.desk
    form = {"name": "mine", "preset": "custom", "base_url": "https://api.example.com/v1", "models": "m"}
    got = await operator.submit("/admin/providers/new", **form, api_key=FIRST, pool="primary")
    assert got.status_code == 303, text_of(got.text)
    return next(key for key in await provider_keys.listing(desk) if key.masked.startswith("sk-C"))


def path(key: ProviderKey) -> str:
    return f"/admin/provider-keys/{key.id}"


async def again(operator: Operator, key: ProviderKey) -> ProviderKey:
    return await provider_keys.get(operator.gateway.desk, key.id)


def learn(operator: Operator, key: ProviderKey) -> None:
    desk = operator.gateway.desk
    for _ in range(2):
        desk.state.learned_of(key.id).refused(100, desk.clock.mono(), desk.clock.wall_ms())


async def test_a_form_sent_as_it_came_changes_nothing_but_the_version(operator: Operator, key: ProviderKey) -> None:
    desk = operator.gateway.desk
    everything = {
        "note": "two\nlines",
        "rate_multipliers": {"openai_chat": "0.75"},
        "rate_multiplier": "0.8",
        "global_priority": {"openai_chat": 7},
        "allowed_models": ["m", "n"],
        "capabilities": ["cache_1h"],
        "expires_at": "2030-05-06T07:08:09Z",
        "tpm_limit": 0,
        "max_concurrent": 3,
        "daily_limit": 4,
        "monthly_limit": 5,
    }
    before = await provider_keys.update(desk, ANN, key.id, everything)
    form = values_of((await operator.get(path(key))).text)

    got = await operator.submit(path(key), **{k: v for k, v in form.items() if k != "csrf"})

    assert got.status_code == 303, text_of(got.text)
    after = await again(operator, key)
    assert (after.version, after.expires_at) == (before.version + 1, before.expires_at)
    for name in (*everything, "api_formats", "name", "weight", "sealed", "pool_id", "rpm_limit"):
        assert getattr(after, name) == getattr(before, name), name


async def test_every_fault_is_told_beside_its_field(operator: Operator, key: ProviderKey) -> None:
    typed = {"rpm_limit": "many", "weight": "-1", "rate_multiplier": "x", "pool": "nowhere", "name": "a/b"}
    got = await operator.submit(path(key), **typed)

    assert got.status_code == 422
    assert fault_of(got.text, "rpm_limit") == "Must be a whole number"
    for name in ("weight", "rate_multiplier", "name"):
        assert fault_of(got.text, name)
    assert values_of(got.text)["rpm_limit"] == "many"


async def test_who_saves_second_sees_what_the_first_made_of_it(operator: Operator, key: ProviderKey) -> None:
    form = values_of((await operator.get(path(key))).text)
    await provider_keys.update(operator.gateway.desk, ANN, key.id, {"weight": 9})

    got = await operator.submit(path(key), name="renamed", weight="4", version=form["version"])

    assert got.status_code == 409
    assert fault_of(got.text, "weight") == "Is now 9"
    values = values_of(got.text)
    assert (values["weight"], values["name"], values["version"]) == ("4", "renamed", "2")
    await operator.submit(path(key), name="renamed", weight="4", version=values["version"])
    after = await again(operator, key)
    assert (after.name, after.weight) == ("renamed", 4)


async def test_another_secret_is_used_and_the_old_one_recognised(operator: Operator, key: ProviderKey) -> None:
    got = await operator.submit(f"{path(key)}/rotate", api_key=SECOND, secret_note="the old one leaked")
    assert got.status_code == 303

    page = await operator.get(path(key))
    words = text_of(page.text)
    assert "sk-C…2345 active" in words and "sk-C…3456" in words
    assert "the old one leaked" in words and "The new secret is in use." in words
    assert "CANARY" not in page.text
    shown = await rotations.reveal(operator.gateway.desk, ANN, key.id)
    assert shown.reveal() == SECOND


async def test_a_secret_is_set_only_with_a_recent_password(operator: Operator, key: ProviderKey) -> None:
    await grow_old(operator)
    assert "your_password" in values_of((await operator.get(path(key))).text)

    refused = await operator.submit(f"{path(key)}/rotate", api_key=SECOND, secret_note="kept")
    assert (refused.status_code, values_of(refused.text)["secret_note"]) == (422, "kept")
    assert "CANARY" not in refused.text
    assert fault_of(refused.text, "your_password").startswith("Is needed")
    taken = await operator.submit(f"{path(key)}/rotate", api_key=SECOND, your_password=PASSWORD)
    assert taken.status_code == 303
    assert (await again(operator, key)).masked == "sk-C…2345"


async def test_no_secret_is_no_new_secret(operator: Operator, key: ProviderKey) -> None:
    got = await operator.submit(f"{path(key)}/rotate", api_key=" ")
    assert (got.status_code, fault_of(got.text, "api_key")) == (422, "Is required")


async def test_the_secret_is_shown_in_one_answer_that_nobody_keeps(operator: Operator, key: ProviderKey) -> None:
    got = await operator.submit(f"{path(key)}/reveal")

    assert (got.status_code, got.headers["cache-control"]) == (200, "no-store")
    assert FIRST in text_of(got.text)
    assert "CANARY" not in (await operator.get(path(key))).text
    assert (await audit_rows(operator.gateway.desk))[-1].action == "reveal"
    assert (await operator.get(f"{path(key)}/reveal")).status_code in (404, 405)


async def test_the_secret_is_shown_only_with_a_recent_password(operator: Operator, key: ProviderKey) -> None:
    await grow_old(operator)

    asked = await operator.submit(f"{path(key)}/reveal")
    assert asked.status_code == 422
    assert "CANARY" not in asked.text
    wrong = await operator.submit(f"{path(key)}/reveal", your_password="wrong horse battery 9")
    assert fault_of(wrong.text, "your_password") == "Is not your password"
    assert "CANARY" not in wrong.text
    right = await operator.submit(f"{path(key)}/reveal", your_password=PASSWORD)
    assert FIRST in text_of(right.text)
    actions = [row.action for row in await audit_rows(operator.gateway.desk)]
    assert actions.count("reveal") == 1


async def test_a_key_of_the_environment_has_nothing_to_show(operator: Operator, key: ProviderKey) -> None:
    await operator.submit(f"{path(key)}/rotate", api_key="env:SOME_API_KEY")

    page = await operator.get(path(key))
    assert "SOME_API_KEY is not set in the gateway's environment" in text_of(page.text)
    assert "/reveal" not in page.text
    assert (await operator.submit(f"{path(key)}/reveal")).status_code == 409


async def test_what_was_learned_is_shown_fixed_and_forgotten(operator: Operator, key: ProviderKey) -> None:
    assert "No limit: the provider has given no reason" in text_of((await operator.get(path(key))).text)
    learn(operator, key)
    page = text_of((await operator.get(path(key))).text)
    assert "Calls are held to 95" in page and "Two refusals named a limit of 100" in page

    forgotten = await operator.submit(f"{path(key)}/forget-learned")
    assert forgotten.status_code == 303
    assert "Learned limit –" in text_of((await operator.get(path(key))).text)
    learn(operator, key)
    await operator.submit(f"{path(key)}/fix-learned")
    assert (await again(operator, key)).rpm_limit == 95
    assert "You allow 95." in text_of((await operator.get(path(key))).text)

    twice = await operator.submit(f"{path(key)}/fix-learned")
    assert (twice.status_code, "fixed limit of 95" in text_of(twice.text)) == (409, True)


async def test_a_key_is_paused_resumed_and_tested_from_its_page(operator: Operator, key: ProviderKey) -> None:
    await operator.submit(f"{path(key)}/disable")
    assert not (await again(operator, key)).is_active
    assert "disabled" in text_of((await operator.get(path(key))).text)
    await operator.submit(f"{path(key)}/enable")
    assert (await again(operator, key)).is_active
    assert (await operator.submit(f"/admin/backends/{key.id}/test")).status_code == 200


async def test_a_key_whose_address_moved_says_that_it_must_be_entered_again(
    operator: Operator, key: ProviderKey
) -> None:
    backend = next(one for one in operator.gateway.desk.snapshot().backends.values() if one.key.id == key.id)
    await operator.submit(f"/admin/backends/{backend.id}", part="backend", base_url="https://other.example.com/v1")

    assert "Enter it again to use it." in text_of((await operator.get(path(key))).text)


async def test_a_key_is_deleted_for_its_typed_name(operator: Operator, key: ProviderKey) -> None:
    refused = await operator.submit(f"{path(key)}/delete", typed="x")
    assert (refused.status_code, fault_of(refused.text, "typed")) == (422, "Must be main")

    assert (await operator.submit(f"{path(key)}/delete", typed="main")).status_code == 303
    assert (await operator.get(path(key))).status_code == 404
