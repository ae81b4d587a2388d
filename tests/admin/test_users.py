"""People in the browser: list, form, page, sessions, deleting and restoring."""

from __future__ import annotations

import pytest

from gateway.control import api_keys, users
from gateway.model.people import User
from tests.admin.browsing import PASSWORD, Operator, fault_of, text_of, values_of, visitor
from tests.desks import SYSTEM

pytestmark = pytest.mark.anyio

BOB = {"username": "bob", "password": PASSWORD, "role": "user", "is_active": "on"}


async def bob_of(operator: Operator, **fields: object) -> User:
    return await users.create(operator.gateway.desk, SYSTEM, {"username": "bob", "password": PASSWORD, **fields})


async def test_a_person_is_added_with_all_fields_and_can_sign_in(operator: Operator) -> None:
    fields = {
        **BOB,
        "email": "bob@example.com",
        "time_zone": "Europe/Berlin",
        "models": "listed",
        "allowed_models": "demo/echo",
        "providers": "all",
        "formats": "none",
        "capabilities": "* = tools, vision",
        "rpm_limit": "10",
        "quota": "2.5",
        "quota_period": "weekly",
    }
    answer = await operator.submit("/admin/users/new", **fields)

    assert answer.status_code == 303
    page = await operator.get(answer.headers["location"])
    shown = values_of(page.text)
    kept = fields.keys() - {"password"}
    assert {name: shown[name] for name in kept} == {name: fields[name] for name in kept}
    assert shown["password"] == ""
    assert "of $2.5 quota this week" in text_of(page.text)
    [bob] = [user for user in await users.listing(operator.gateway.desk) if user.username == "bob"]
    assert (bob.allowed_models, bob.allowed_providers, bob.allowed_formats) == (("demo/echo",), None, ())
    assert bob.capabilities == {"*": ("tools", "vision")}
    guest = visitor(operator.gateway)
    async with guest.client:
        assert (await guest.sign_in(username="bob")).status_code == 303


async def test_faults_stand_beside_their_fields_and_the_password_is_not_shown_again(operator: Operator) -> None:
    answer = await operator.submit("/admin/users/new", username="b b", password="short", models="listed", rpm_limit="x")

    assert answer.status_code == 422
    assert "Must name at least one model" in fault_of(answer.text, "allowed_models")
    answer = await operator.submit("/admin/users/new", username="b b", password="short-secret", rpm_limit="x")
    assert fault_of(answer.text, "rpm_limit") == "Must be a whole number"
    assert "short-secret" not in answer.text
    answer = await operator.submit("/admin/users/new", username="admin", password=PASSWORD)
    assert "taken" in fault_of(answer.text, "username")


async def test_the_second_of_two_people_sees_what_the_first_made_of_it(operator: Operator) -> None:
    bob = await bob_of(operator)
    await users.update(operator.gateway.desk, SYSTEM, bob.id, {"rpm_limit": 7})

    late = await operator.submit(f"/admin/users/{bob.id}", **BOB, rpm_limit="9", version="1")

    assert late.status_code == 409
    assert fault_of(late.text, "rpm_limit") == "Is now 7"
    version = values_of(late.text)["version"]
    again = await operator.submit(f"/admin/users/{bob.id}", **BOB, rpm_limit="9", version=version)
    assert again.status_code == 303


async def test_an_empty_password_stays_and_a_new_one_signs_out(operator: Operator) -> None:
    bob = await bob_of(operator)
    guest = visitor(operator.gateway)
    async with guest.client:
        await guest.sign_in(username="bob")
        await operator.submit(f"/admin/users/{bob.id}", **{**BOB, "password": ""}, email="b@example.com")
        assert "Sign in" not in text_of((await guest.get("/admin/account")).text)[:20]
        await operator.submit(f"/admin/users/{bob.id}", **{**BOB, "password": "another kettle 12"})
        assert (await guest.get("/admin/account")).status_code == 303


async def test_the_list_shows_quotas_keys_and_states(operator: Operator) -> None:
    bob = await bob_of(operator, quota=1, is_active=False, email="bob@example.com")
    await api_keys.create(operator.gateway.desk, SYSTEM, {"name": "k", "user_id": bob.id})

    page = await operator.get("/admin/users")

    words = text_of(page.text)
    assert "bob@example.com" in words and "of $1" in words
    assert "0 % of the quota used" in page.text
    assert "admin you" in words


async def test_the_last_administrator_stays(operator: Operator) -> None:
    [admin] = await users.listing(operator.gateway.desk)

    disabled = await operator.submit(f"/admin/users/{admin.id}/disable")
    deleted = await operator.submit(f"/admin/users/{admin.id}/delete", typed="admin")
    demoted = await operator.submit(f"/admin/users/{admin.id}", username="admin", role="user", is_active="on")

    assert [answer.status_code for answer in (disabled, deleted, demoted)] == [409] * 3
    assert all("last active administrator" in text_of(answer.text) for answer in (disabled, deleted, demoted))


async def test_a_deletion_asks_for_the_name_and_can_be_taken_back(operator: Operator) -> None:
    bob = await bob_of(operator)
    secret, _ = await api_keys.create(operator.gateway.desk, SYSTEM, {"name": "k", "user_id": bob.id})
    headers = {"authorization": f"Bearer {secret}"}
    gateway = operator.gateway
    assert (await gateway.client.get("/v1/models", headers=headers)).status_code == 200

    refused = await operator.submit(f"/admin/users/{bob.id}/delete", typed="rob")
    done = await operator.submit(f"/admin/users/{bob.id}/delete", typed="bob")

    assert (refused.status_code, done.status_code) == (422, 303)
    assert (await gateway.client.get("/v1/models", headers=headers)).status_code in (401, 403)
    assert (await operator.get(f"/admin/users/{bob.id}")).status_code == 404
    assert "Restore" in text_of((await operator.get("/admin/users")).text)

    assert (await operator.submit(f"/admin/users/{bob.id}/restore")).status_code == 303
    assert values_of((await operator.get(f"/admin/users/{bob.id}")).text)["is_active"] == ""
    assert (await gateway.client.get("/v1/models", headers=headers)).status_code in (401, 403)
    await operator.submit(f"/admin/users/{bob.id}/enable")
    assert (await gateway.client.get("/v1/models", headers=headers)).status_code == 200


async def test_a_name_that_was_given_to_somebody_else_cannot_come_back(operator: Operator) -> None:
    bob = await bob_of(operator)
    await operator.submit(f"/admin/users/{bob.id}/delete", typed="bob")
    await bob_of(operator)

    answer = await operator.submit(f"/admin/users/{bob.id}/restore")

    assert answer.status_code == 409
    assert "another bob now" in text_of(answer.text)


async def test_sessions_are_shown_and_ended_one_by_one_or_all(operator: Operator) -> None:
    bob = await bob_of(operator)
    first, second = visitor(operator.gateway), visitor(operator.gateway, headers={"user-agent": "Netscape <i>"})
    async with first.client, second.client:
        for guest in (first, second):
            await guest.sign_in(username="bob")
        page = (await operator.get(f"/admin/users/{bob.id}")).text
        assert "Netscape <i>" in text_of(page) and "<i>" not in page
        newest = page.split("/sessions/")[1].split("/")[0]

        assert (await operator.submit(f"/admin/users/{bob.id}/sessions/{newest}/end")).status_code == 303
        assert (await second.get("/admin/account")).status_code == 303
        assert (await first.get("/admin/account")).status_code != 303
        await operator.submit(f"/admin/users/{bob.id}/sign-out")
        assert (await first.get("/admin/account")).status_code == 303
