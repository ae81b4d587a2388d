"""The API keys pages: a secret is seen once, and nowhere else."""

from __future__ import annotations

import re

import pytest

from gateway.admin.routes import PAGES
from gateway.control import api_keys, users
from gateway.model.registry import ApiFormat
from tests.admin.browsing import Operator, fault_of, text_of, values_of
from tests.conftest import MakeProvider
from tests.harness import OPERATOR

pytestmark = pytest.mark.anyio

SECRET = re.compile(r"sk-gw-[\w-]{43}")


def key_named(operator: Operator, name: str):  # type: ignore[no-untyped-def]
    return next((key for key in operator.gateway.desk.snapshot().registry.api_keys if key.name == name), None)


async def made(operator: Operator, **fields: str) -> str:
    """Make a key; its secret."""
    got = await operator.submit("/admin/keys/new", **{"name": "laptop", "models": "all", **fields})
    assert got.status_code == 200, text_of(got.text)
    found = SECRET.search(got.text)
    assert found is not None
    return found[0]


async def test_a_new_key_works_and_its_page_is_kept_nowhere(operator: Operator) -> None:
    got = await operator.submit("/admin/keys/new", name="laptop", models="all")
    found = SECRET.search(got.text)
    assert found is not None

    answer = await operator.gateway.client.post(
        "/v1/chat/completions",
        headers={"authorization": f"Bearer {found[0]}"},
        json={"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]},
    )

    assert answer.status_code == 200
    assert got.headers["cache-control"] == "no-store"
    assert "set-cookie" not in got.headers
    assert "Copy it now" in text_of(got.text)


async def test_no_page_ever_shows_a_key_again(operator: Operator) -> None:
    secrets = [await made(operator, name=f"k{number}") for number in range(5)]
    backend = next(iter(operator.gateway.desk.snapshot().backends))
    key = key_named(operator, "k0")

    for method, path, _ in PAGES:
        if method == "GET":
            page = await operator.get(path.replace("{id}", key.id if "/keys/" in path else backend))
            assert not [secret for secret in secrets if secret in page.text + str(page.headers)], path


async def test_snippets_fit_the_key_and_need_no_script(operator: Operator) -> None:
    got = await operator.submit("/admin/keys/new", name="laptop", models="listed", allowed_models="demo/echo")

    page = text_of(got.text)
    assert f"curl {operator.gateway.url}/v1/chat/completions" in page
    assert f'base_url="{operator.gateway.url}/v1"' in page
    assert f"ANTHROPIC_BASE_URL={operator.gateway.url} " in page
    assert 'env_key = "WEIR_API_KEY"' in page
    assert f"OPENAI_API_BASE_URL={operator.gateway.url}/v1" in page
    assert '"model": "demo/echo"' in page
    assert got.text.count('type="radio"') == 10


async def test_examples_name_a_model_that_answers(operator: Operator, provider: MakeProvider) -> None:
    before = text_of((await operator.get("/admin/setup/first-call")).text)
    await operator.gateway.backend(await provider(), models=("zebra",))
    after = text_of((await operator.get("/admin/setup/first-call")).text)

    assert '"model": "demo/echo"' in before
    assert '"model": "zebra"' in after


async def test_the_list_shows_what_a_key_may_and_when_it_ends(operator: Operator) -> None:
    secret = await made(
        operator, models="listed", allowed_models="demo/echo\nm", rpm_limit="60", expires_at="2031-05-06"
    )

    page = text_of((await operator.get("/admin/keys")).text)

    assert f"{secret[:10]}…{secret[-4:]}" in page
    assert "demo/echo" in page
    assert "2031-05-06" in page
    assert key_named(operator, "laptop").rpm_limit == 60


@pytest.mark.parametrize(
    ("fields", "name", "fault"),
    [
        ({"name": ""}, "name", "Is required"),
        ({"name": "a\x01b"}, "name", "Must be one line without control characters"),
        ({"rpm_limit": "-1"}, "rpm_limit", "Must be 0 or more"),
        ({"rpm_limit": "ten"}, "rpm_limit", "Must be a whole number"),
        ({"expires_at": "soon"}, "expires_at", "Must be a date such as 2030-01-31"),
        ({"models": "listed"}, "allowed_models", "Must name at least one model"),
    ],
)
async def test_bad_values_come_back_with_their_fault(
    operator: Operator, fields: dict[str, str], name: str, fault: str
) -> None:
    got = await operator.submit("/admin/keys/new", **{"name": "kept", "models": "all", **fields})

    assert got.status_code == 422
    assert fault_of(got.text, name).startswith(fault)
    assert values_of(got.text)["name"] == fields.get("name", "kept")
    assert len(operator.gateway.desk.snapshot().registry.api_keys) == 1


async def test_all_listed_and_none_are_three_different_things(operator: Operator) -> None:
    await made(operator, name="every", models="all", allowed_models="ignored")
    await made(operator, name="some", models="listed", allowed_models="a, b")
    await made(operator, name="nothing", models="none")

    assert key_named(operator, "every").allowed_models is None
    assert key_named(operator, "some").allowed_models == ("a", "b")
    assert key_named(operator, "nothing").allowed_models == ()


async def test_saving_the_form_as_it_came_changes_nothing(operator: Operator) -> None:
    await made(operator, models="listed", allowed_models="a\nb", rpm_limit="5", expires_at="2031-05-06")
    noon = 1_900_000_000_000
    key = key_named(operator, "laptop")
    before = await api_keys.update(operator.gateway.desk, OPERATOR, key.id, {"expires_at": noon})
    page = f"/admin/keys/{before.id}"

    await operator.submit(page, page, **values_of((await operator.get(page)).text))

    after = key_named(operator, "laptop")
    assert (after.allowed_models, after.rpm_limit, after.expires_at) == (("a", "b"), 5, before.expires_at)
    assert after.key_hash == before.key_hash


async def test_a_disabled_key_is_refused_until_it_is_enabled(operator: Operator) -> None:
    secret = await made(operator)
    key = key_named(operator, "laptop")
    listed = {"headers": {"authorization": f"Bearer {secret}"}}

    await operator.submit(f"/admin/keys/{key.id}/disable")
    refused = await operator.gateway.client.get("/v1/models", **listed)
    await operator.submit(f"/admin/keys/{key.id}/enable")
    taken = await operator.gateway.client.get("/v1/models", **listed)

    assert (refused.status_code, taken.status_code) == (401, 200)


async def test_a_key_is_deleted_only_under_its_name(operator: Operator) -> None:
    await made(operator)
    key = key_named(operator, "laptop")
    page = f"/admin/keys/{key.id}/delete"

    wrong = await operator.submit(page, page, typed="Laptop")
    right = await operator.submit(page, page, typed="laptop")
    listed = await operator.get("/admin/keys")
    again = await operator.get(page)

    assert (wrong.status_code, right.status_code, again.status_code) == (422, 303, 404)
    assert key_named(operator, "laptop") is None
    assert "Deleted." in text_of(listed.text)


async def test_only_known_flashes_are_ever_shown(operator: Operator) -> None:
    operator.client.cookies.set("gw_flash", "<b>You won</b>")

    page = await operator.get("/admin/keys")

    assert "You won" not in page.text


EVERYTHING = {
    "allowed_providers": ["demo"],
    "allowed_formats": ["openai_chat"],
    "capabilities": ["tools"],
    "tpm_limit": 0,
    "max_concurrent": 3,
    "default_agent": "coder",
    "default_business": "acme",
    "default_capability": "chat",
    "expires_at": "2030-05-06T07:08:09Z",
}


async def test_every_field_comes_back_as_it_was_shown(operator: Operator) -> None:
    desk = operator.gateway.desk
    _, before = await api_keys.create(desk, OPERATOR, {"name": "full", **EVERYTHING})
    form = values_of((await operator.get(f"/admin/keys/{before.id}")).text)
    assert (form["providers"], form["allowed_providers"].strip(), form["models"]) == ("listed", "demo", "all")

    got = await operator.submit(f"/admin/keys/{before.id}", **{k: v for k, v in form.items() if k != "csrf"})

    assert got.status_code == 303
    after = await api_keys.get(desk, before.id)
    assert (after.version, after.expires_at, after.user_id) == (2, before.expires_at, None)
    for name in (*EVERYTHING, "allowed_models", "rpm_limit"):
        assert getattr(after, name) == getattr(before, name), name


@pytest.mark.parametrize(
    ("choice", "field"),
    [("models", "allowed_models"), ("providers", "allowed_providers"), ("formats", "allowed_formats")],
)
async def test_all_none_and_some_are_told_apart_for_each_permission(
    operator: Operator, choice: str, field: str
) -> None:
    await made(operator, name="strict", **{choice: "none"})
    key = key_named(operator, "strict")
    assert getattr(key, field) == ()
    assert values_of((await operator.get(f"/admin/keys/{key.id}")).text)[choice] == "none"

    empty = await operator.submit(f"/admin/keys/{key.id}", **{choice: "listed", field: " "})
    assert fault_of(empty.text, field).startswith("Must name at least one")
    await operator.submit(f"/admin/keys/{key.id}", **{choice: "listed", field: "openai_chat"})
    assert getattr(key_named(operator, "strict"), field) == ("openai_chat",)
    await operator.submit(f"/admin/keys/{key.id}", **{choice: "all", field: "openai_chat"})
    assert getattr(key_named(operator, "strict"), field) is None


async def test_a_form_without_a_permission_leaves_it_as_it_is(operator: Operator) -> None:
    await made(operator, name="strict", models="none")
    key = key_named(operator, "strict")

    assert (await operator.submit(f"/admin/keys/{key.id}", name="renamed")).status_code == 303

    assert key_named(operator, "renamed").allowed_models == ()


async def test_who_saves_second_sees_what_the_first_made_of_it(operator: Operator) -> None:
    await made(operator, name="laptop")
    key = key_named(operator, "laptop")
    form = values_of((await operator.get(f"/admin/keys/{key.id}")).text)
    await api_keys.update(operator.gateway.desk, OPERATOR, key.id, {"rpm_limit": 9, "allowed_models": []})

    typed = {"name": "mine", "models": "all", "rpm_limit": "4"}
    got = await operator.submit(f"/admin/keys/{key.id}", **typed, version=form["version"])

    assert got.status_code == 409
    assert (fault_of(got.text, "rpm_limit"), fault_of(got.text, "models")) == ("Is now 9", "Is now none")
    values = values_of(got.text)
    assert (values["rpm_limit"], values["name"], values["models"], values["version"]) == ("4", "mine", "all", "2")
    again = await operator.submit(f"/admin/keys/{key.id}", **typed, version=values["version"])
    assert again.status_code == 303
    assert key_named(operator, "mine").rpm_limit == 4


async def test_a_key_is_given_to_somebody_and_taken_back(operator: Operator) -> None:
    (admin,) = await users.listing(operator.gateway.desk)
    await made(operator, name="theirs", user_id=admin.id)
    key = key_named(operator, "theirs")
    assert key.user_id == admin.id
    assert values_of((await operator.get(f"/admin/keys/{key.id}")).text)["user_id"] == admin.id

    await operator.submit(f"/admin/keys/{key.id}", name="theirs", models="all", user_id="")
    assert key_named(operator, "theirs").user_id is None


async def test_a_key_is_topped_up_and_its_balance_taken_away(operator: Operator) -> None:
    _, key = await api_keys.create(operator.gateway.desk, OPERATOR, {"name": "alone"})
    page = f"/admin/keys/{key.id}"

    wrong = await operator.submit(f"{page}/top-up", top_up_amount="much")
    paid = await operator.submit(f"{page}/top-up", top_up_amount="2.5", top_up_note="for May")

    assert wrong.status_code == 422
    assert fault_of(wrong.text, "top_up_amount").startswith("Must be")
    assert paid.status_code == 303
    words = text_of((await operator.get(page)).text)
    assert "of $2.5 balance in all" in words and "for May" in words
    await operator.submit(f"{page}/close-balance")
    assert "balance in all" not in text_of((await operator.get(page)).text)


async def test_a_new_secret_is_shown_once_and_the_old_one_works_on(operator: Operator) -> None:
    gateway = operator.gateway
    old, key = await api_keys.create(gateway.desk, OPERATOR, {"name": "laptop"})

    wrong = await operator.submit(f"/admin/keys/{key.id}/rotate", grace_hours="x")
    made = await operator.submit(f"/admin/keys/{key.id}/rotate", grace_hours="1")

    assert wrong.status_code == 422 and fault_of(wrong.text, "grace_hours") == "Must be a whole number"
    new = next(word for word in text_of(made.text).split() if word.startswith("sk-gw-"))
    for secret in (old, new):
        headers = {"authorization": f"Bearer {secret}"}
        assert (await gateway.client.get("/v1/models", headers=headers)).status_code == 200
    page = (await operator.get(f"/admin/keys/{key.id}")).text
    assert new not in page and "the one before works until" in text_of(page)


async def test_a_key_is_locked_and_noted_in_the_form(operator: Operator) -> None:
    secret, key = await api_keys.create(operator.gateway.desk, OPERATOR, {"name": "laptop"})
    shown = values_of((await operator.get(f"/admin/keys/{key.id}")).text)
    fields = {name: shown[name] for name in ("name", "version", "budget_period")}

    await operator.submit(f"/admin/keys/{key.id}", **fields, is_locked="on", deletes_itself="on", note="lost laptop")

    headers = {"authorization": f"Bearer {secret}"}
    answer = await operator.gateway.client.get("/v1/models", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "key_locked")
    shown = values_of((await operator.get(f"/admin/keys/{key.id}")).text)
    assert (shown["is_locked"], shown["deletes_itself"], shown["note"]) == ("on", "on", "lost laptop")
    assert "locked" in text_of((await operator.get("/admin/keys")).text)


async def test_the_form_names_every_api_format_that_a_key_can_be_kept_to(operator: Operator) -> None:
    for page in ("/admin/keys/new", "/admin/users/new"):
        text = text_of((await operator.get(page)).text)
        assert f"One a line: {', '.join(ApiFormat)}." in text, page
