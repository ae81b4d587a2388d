"""The providers pages against a scripted provider."""

from __future__ import annotations

import pytest

from gateway.control import backends
from gateway.control.presets import OFFERED
from gateway.model.registry import ApiFormat
from gateway.store import sessions
from tests.admin.browsing import PASSWORD, Operator, fault_of, parse, text_of, values_of, words_of
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, running_gateway
from tests.provider import answer, limited, refused

pytestmark = pytest.mark.anyio

EMPTY = {
    "name": "mine",
    "preset": "custom",
    "base_url": "https://api.example.com/v1",
    "api_key": "",
    "models": "m",
    "pool": "primary",
    "rpm_limit": "",
    "timeout_seconds": "",
}


def backend(operator: Operator, name: str = "mine/main"):  # type: ignore[no-untyped-def]
    return next(one for one in operator.gateway.desk.snapshot().backends.values() if one.name == name)


async def added(operator: Operator, **changes: str):  # type: ignore[no-untyped-def]
    got = await operator.submit("/admin/providers/new", **{**EMPTY, **changes})
    assert got.status_code == 303, text_of(got.text)
    return backend(operator)


async def grow_old(operator: Operator) -> None:
    """Let the last password be twenty minutes ago."""
    desk = operator.gateway.desk
    token = desk.vault.hash_token(operator.client.cookies["gw_session"])
    async with desk.db.write() as tx:
        await sessions.confirm(tx, token, desk.clock.wall_ms() - 20 * 60_000)


async def test_a_preset_fills_the_form_in(operator: Operator) -> None:
    for preset in OFFERED:
        page = await operator.get(f"/admin/providers/new?preset={preset.code}")
        values = values_of(page.text)

        assert (values["preset"], values["base_url"]) == (preset.code, preset.base_url)
        assert (values["local_upstream"] == "on") == preset.is_local


async def test_the_form_says_which_formats_a_preset_speaks_and_makes_an_endpoint_for_each(operator: Operator) -> None:
    page = (await operator.get("/admin/providers/new?preset=gemini")).text
    choice = next(one for one in parse(page).iter("select") if one.get("name") == "api_format")

    await operator.submit("/admin/providers/new", **{**EMPTY, "preset": "gemini", "base_url": "", "api_format": ""})

    options = [(one.get("value"), words_of(one)) for one in choice.iter("option")]
    assert options[0] == ("", "all 2 that the provider is known to speak")
    assert {value for value, _ in options[1:]} == set(ApiFormat)
    assert "Those are gemini_generate, openai_embeddings." in text_of(page)
    made = [one for one in operator.gateway.desk.snapshot().backends.values() if one.name == "mine/main"]
    assert {one.endpoint.api_format for one in made} == {ApiFormat.GEMINI_GENERATE, ApiFormat.OPENAI_EMBEDDINGS}


async def test_one_format_can_be_chosen_for_a_server_of_any_kind(operator: Operator) -> None:
    page = (await operator.get("/admin/providers/new?preset=custom")).text
    choice = next(one for one in parse(page).iter("select") if one.get("name") == "api_format")

    made = await added(operator, api_format="anthropic_messages")

    assert [words_of(one) for one in choice.iter("option")][:2] == ["openai_chat", "openai_responses"]
    assert made.endpoint.api_format is ApiFormat.ANTHROPIC_MESSAGES


@pytest.mark.parametrize(
    ("preset", "sample", "card"),
    [
        ("azure", "https://NAME.openai.azure.com/openai/v1", "models of your resource"),
        ("azure_deployments", "https://NAME.openai.azure.com/openai", "by deployment"),
    ],
)
async def test_azure_shows_the_shape_of_its_address(operator: Operator, preset: str, sample: str, card: str) -> None:
    html = (await operator.get(f"/admin/providers/new?preset={preset}")).text
    field = next(one for one in parse(html).iter("input") if one.get("name") == "base_url")

    assert (field.get("placeholder"), field.get("value")) == (sample, "")
    assert f"With the name of your own resource: {sample}." in text_of(html)
    assert card in text_of(html)


async def test_the_usual_providers_are_offered(operator: Operator) -> None:
    page = text_of((await operator.get("/admin/providers/new")).text)

    for name in (
        "OpenAI",
        "Anthropic",
        "Gemini",
        "Azure OpenAI",
        "Azure deployments",
        "OpenRouter",
        "Groq",
        "DeepSeek",
        "Mistral",
        "xAI",
        "Ollama",
    ):
        assert name in page
    for name in ("LM Studio", "vLLM", "Custom"):
        assert name in page


async def test_a_key_of_the_environment_is_offered_as_a_reference(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with running_gateway(tmp_path, secrets={"GROQ_API_KEY": "gsk-CANARY-in-the-environment"}) as gateway:
        from_env = Operator(gateway, gateway.client)
        await from_env.set_up()
        page = await from_env.get("/admin/providers/new?preset=groq")

    assert values_of(page.text)["api_key"] == "env:GROQ_API_KEY"
    assert "CANARY" not in page.text


async def test_a_provider_is_added_with_all_that_the_form_said(operator: Operator) -> None:
    made = await added(
        operator, models="m\nfast = upstream-fast", pool="fallback", rpm_limit="30", timeout_seconds="7.5"
    )

    assert (made.pool.name, made.key.rpm_limit, made.endpoint.timeout_seconds) == ("fallback", 30, 7.5)
    page = await operator.get("/admin/providers")
    assert "mine/main" in text_of(page.text)
    assert "The provider was added." in text_of(page.text)
    assert "The provider was added." not in text_of((await operator.get("/admin/providers")).text)


async def test_bad_values_come_back_with_their_faults_and_without_the_secret(operator: Operator) -> None:
    got = await operator.submit(
        "/admin/providers/new",
        **{**EMPTY, "name": "no spaces please", "rpm_limit": "many", "api_key": "sk-CANARY-0123456789"},
    )

    assert got.status_code == 422
    assert fault_of(got.text, "name").startswith("Must be 1 to 63 letters")
    assert fault_of(got.text, "rpm_limit") == "Must be a whole number"
    assert values_of(got.text)["base_url"] == EMPTY["base_url"]
    assert values_of(got.text)["models"].strip() == "m"
    assert "CANARY" not in got.text


async def test_a_private_address_needs_its_switch(operator: Operator) -> None:
    without = await operator.submit("/admin/providers/new", **{**EMPTY, "base_url": "http://192.168.1.5:8000/v1"})
    metadata = await operator.submit(
        "/admin/providers/new", **{**EMPTY, "base_url": "http://169.254.169.254/v1", "local_upstream": "on"}
    )

    assert fault_of(without.text, "local_upstream").startswith("Must be on to reach 192.168.1.5:8000")
    assert fault_of(metadata.text, "base_url").startswith("Must not be a cloud")


async def test_the_list_says_how_each_backend_is(operator: Operator, provider: MakeProvider) -> None:
    there = await provider(limited(41))
    await operator.gateway.backend(there, models=("m",))
    await operator.gateway.call("m")

    page = text_of((await operator.get("/admin/providers")).text)

    assert "cooling 4" in page
    assert "rate limited" in page
    assert "1 cooling" in page


async def test_a_rest_can_be_cleared(operator: Operator, provider: MakeProvider) -> None:
    made = await operator.gateway.backend(await provider(limited(600), answer()), models=("m",))
    await operator.gateway.call("m")

    got = await operator.submit(f"/admin/backends/{made.backend_id}/clear")

    assert got.status_code == 303
    assert (await operator.gateway.call("m")).status_code == 200


async def test_a_backend_is_disabled_and_enabled_again(operator: Operator) -> None:
    made = await added(operator)

    await operator.submit(f"/admin/backends/{made.id}/disable")
    off = backend(operator).is_enabled
    listed = text_of((await operator.get("/admin/providers")).text)
    await operator.submit(f"/admin/backends/{made.id}/enable")

    assert not off
    assert "disabled" in listed
    assert backend(operator).is_enabled


async def test_a_test_shows_the_models_that_the_provider_names(operator: Operator, provider: MakeProvider) -> None:
    there = await provider(answer({"object": "list", "data": [{"id": "llama-9"}, {"id": "<b>tiny</b>"}]}))
    made = await operator.gateway.backend(there)

    got = await operator.submit(f"/admin/backends/{made.backend_id}/test")

    assert "names 2 models" in text_of(got.text)
    assert "llama-9" in got.text
    assert "<b>tiny" not in got.text
    assert [heard.path for heard in there.heard] == ["/v1/models"]


async def test_a_test_that_fails_says_why_and_never_shows_the_key(operator: Operator, provider: MakeProvider) -> None:
    echo = refused(401, "Incorrect API key provided: sk-provider-secret-0001")
    made = await operator.gateway.backend(await provider(echo))

    got = await operator.submit(f"/admin/backends/{made.backend_id}/test")

    assert got.status_code == 200
    assert "It did not work." in text_of(got.text)
    assert "HTTP 401" in got.text
    assert "sk-provider-secret-0001" not in got.text


async def test_the_edit_form_shows_everything_but_the_secret(operator: Operator) -> None:
    made = await added(operator, api_key="sk-CANARY-0123456789abcdef", models="m\nfast = upstream-fast")

    page = await operator.get(f"/admin/backends/{made.id}")
    values = values_of(page.text)

    assert (values["base_url"], values["label"], values["pool"]) == (EMPTY["base_url"], "main", "primary")
    assert values["models"].split("\n") == ["fast = upstream-fast", "m"]
    assert values["api_key"] == ""
    assert "CANARY-0123456789" not in page.text
    assert "sk-C…cdef" in page.text


async def test_saving_the_edit_form_as_it_came_changes_nothing(operator: Operator) -> None:
    made = await added(operator, api_key="sk-CANARY-0123456789abcdef", models="m\nfast = upstream-fast", rpm_limit="9")
    page = f"/admin/backends/{made.id}"
    values = {name: value for name, value in values_of((await operator.get(page)).text).items() if name != "csrf"}

    got = await operator.submit(page, page, **{**values, "part": "backend"})

    assert got.status_code == 303
    after = backend(operator)
    assert (after.key.sealed, after.key.rpm_limit) == (made.key.sealed, 9)
    assert after.endpoint.base_url == made.endpoint.base_url


async def test_a_line_taken_away_stops_serving_that_model(operator: Operator) -> None:
    made = await added(operator, models="m\nother")
    page = f"/admin/backends/{made.id}"
    values = values_of((await operator.get(page)).text)

    await operator.submit(page, page, **{**values, "part": "backend", "models": "other\nthird"})

    names = [model.code for model in operator.gateway.desk.snapshot().serving_models()]
    assert ("m" in names, "other" in names, "third" in names) == (False, True, True)


async def test_another_host_forgets_the_key_and_says_so(operator: Operator) -> None:
    made = await added(operator, api_key="sk-CANARY-0123456789abcdef")
    page = f"/admin/backends/{made.id}"
    values = values_of((await operator.get(page)).text)

    await operator.submit(page, page, **{**values, "part": "backend", "base_url": "https://evil.example.com/v1"})

    assert backend(operator).key.sealed is None
    assert "Enter it again" in (await operator.get(page)).text
    assert "enter key" in text_of((await operator.get("/admin/providers")).text)


async def test_the_provider_is_renamed_and_its_patience_set_by_forms_of_their_own(operator: Operator) -> None:
    made = await added(operator)
    page = f"/admin/backends/{made.id}"

    await operator.submit(page, page, part="provider", name="ours", display_name="Ours")
    await operator.submit(page, page, part="endpoint", first_byte_seconds="9", idle_seconds="8")

    after = backend(operator, "ours/main")
    assert (after.provider.display_name, after.endpoint.first_byte_seconds, after.endpoint.idle_seconds) == (
        "Ours",
        9,
        8,
    )


async def test_a_field_of_another_form_is_not_taken(operator: Operator) -> None:
    made = await added(operator)
    page = f"/admin/backends/{made.id}"

    await operator.submit(
        page, page, part="provider", name="mine", base_url="https://evil.test/v1", api_key="sk-x-0123456789"
    )

    assert backend(operator).endpoint.base_url == EMPTY["base_url"]
    assert backend(operator).key.sealed is None


async def test_addresses_and_keys_need_a_fresh_password(operator: Operator) -> None:
    made = await added(operator)
    await grow_old(operator)
    page = f"/admin/backends/{made.id}"
    values = {**values_of((await operator.get(page)).text), "part": "backend"}

    moved = await operator.submit(page, page, **{**values, "base_url": "https://elsewhere.example.com/v1"})
    keyed = await operator.submit(page, page, **{**values, "api_key": "sk-0123456789abcdef"})
    wrong = await operator.submit(page, page, **{**values, "api_key": "sk-0123456789abcdef", "your_password": "wrong"})
    fresh = await operator.submit("/admin/providers/new", **{**EMPTY, "name": "second"})

    assert {moved.status_code, keyed.status_code, wrong.status_code, fresh.status_code} == {422}
    assert fault_of(moved.text, "your_password").startswith("Is needed")
    assert fault_of(wrong.text, "your_password") == "Is not your password"
    assert backend(operator).endpoint.base_url == EMPTY["base_url"]
    assert values_of(moved.text)["base_url"] == "https://elsewhere.example.com/v1"


async def test_the_password_in_the_form_is_enough(operator: Operator) -> None:
    await grow_old(operator)

    got = await operator.submit("/admin/providers/new", **EMPTY, your_password=PASSWORD)

    assert got.status_code == 303
    assert backend(operator).is_enabled


async def test_limits_and_models_do_not_need_a_fresh_password(operator: Operator) -> None:
    made = await added(operator)
    await grow_old(operator)
    page = f"/admin/backends/{made.id}"
    values = values_of((await operator.get(page)).text)

    got = await operator.submit(page, page, **{**values, "part": "backend", "rpm_limit": "5"})

    assert got.status_code == 303
    assert backend(operator).key.rpm_limit == 5


async def test_deleting_asks_for_the_name_and_takes_the_provider_with_its_last_key(operator: Operator) -> None:
    made = await added(operator)
    page = f"/admin/backends/{made.id}/delete"

    asked = await operator.get(page)
    refused_form = await operator.submit(page, page, typed="something")
    done = await operator.submit(page, page, typed="mine/main")

    assert "Delete mine/main?" in text_of(asked.text)
    assert fault_of(refused_form.text, "typed") == "Must be mine/main"
    assert done.status_code == 303
    assert "mine" not in operator.gateway.desk.snapshot().providers


async def test_the_demo_can_be_looked_at_and_limited_but_its_address_stays(operator: Operator) -> None:
    demo = backend(operator, "demo/main")
    page = f"/admin/backends/{demo.id}"
    values = values_of((await operator.get(page)).text)

    got = await operator.submit(page, page, **{**values, "part": "backend", "rpm_limit": "60"})

    assert values["base_url"] == "builtin:demo"
    assert got.status_code == 303, text_of(got.text)
    assert backend(operator, "demo/main").key.rpm_limit == 60


async def test_who_saves_second_sees_what_the_first_made_of_it(operator: Operator) -> None:
    made = await added(operator)
    page = f"/admin/backends/{made.id}"
    form = values_of((await operator.get(page)).text)
    await operator.submit(page, page, part="backend", weight="9")

    got = await operator.submit(page, page, part="backend", weight="4", version=form["version"])

    assert got.status_code == 409
    assert fault_of(got.text, "weight") == "Is now 9"
    values = values_of(got.text)
    assert values["weight"] == "4"
    again = await operator.submit(page, page, part="backend", weight="4", version=values["version"])
    assert (again.status_code, backend(operator).key.weight) == (303, 4)


@pytest.mark.parametrize(
    ("part", "field", "first", "second"),
    [
        ("provider", "display_name", "Mine", "Ours"),
        ("endpoint", "idle_seconds", "20", "30"),
    ],
)
async def test_each_part_of_the_page_has_a_version_of_its_own(
    operator: Operator, part: str, field: str, first: str, second: str
) -> None:
    made = await added(operator)
    page = f"/admin/backends/{made.id}"
    form = values_of((await operator.get(page)).text)
    sent = {"part": part, f"{part}_version": form[f"{part}_version"], "name": "mine", "first_byte_seconds": "9"}
    assert (await operator.submit(page, page, **sent, **{field: first})).status_code == 303

    got = await operator.submit(page, page, **sent, **{field: second})

    assert (got.status_code, fault_of(got.text, field)) == (409, f"Is now {first}")
    assert values_of(got.text)[field] == second


async def test_models_that_somebody_added_meanwhile_are_not_taken_away(operator: Operator) -> None:
    made = await added(operator, models="m")
    page = f"/admin/backends/{made.id}"
    form = values_of((await operator.get(page)).text)
    shown = {"models": form["models"], "models_before": form["models_before"]}
    await operator.submit(page, page, part="backend", models="m\nn")

    assert (await operator.submit(page, page, part="backend", weight="2", **shown)).status_code == 303
    assert values_of((await operator.get(page)).text)["models"].split() == ["m", "n"]
    got = await operator.submit(page, page, part="backend", **{**shown, "models": "m\no"})
    assert (got.status_code, fault_of(got.text, "models")) == (422, "Were changed meanwhile: now m, n")


async def test_limits_of_the_key_are_set_from_the_backend(operator: Operator) -> None:
    made = await added(operator)
    page = f"/admin/backends/{made.id}"
    await operator.submit(page, page, part="backend", tpm_limit="900", max_concurrent="0", rpm_limit="")
    key = backend(operator).key
    assert (key.tpm_limit, key.max_concurrent, key.rpm_limit) == (900, 0, None)


async def test_a_key_for_many_formats_is_one_row_with_a_link_to_each(operator: Operator) -> None:
    desk = operator.gateway.desk
    made = await backends.create(desk, OPERATOR, {"name": "openai", "preset": "openai", "models": ["gpt"]})
    slow = next(one for one in desk.snapshot().backends.values() if one.endpoint.api_format == "openai_images")
    desk.state.of(slow.id).rest(desk.clock.mono() + 600, "rate limited")

    html = (await operator.get("/admin/providers")).text
    row = next(one for one in parse(html).iter("tr") if one.get("id") == f"row-{made.key.id}")
    edit = (await operator.get(f"/admin/backends/{slow.id}")).text
    delete = text_of((await operator.get(f"/admin/backends/{slow.id}/delete")).text)

    words = words_of(row)
    assert html.count("openai/main for openai_chat") == 1
    assert "cooling 10 min rate limited openai_images" in words
    assert "+4 more: openai_completions, openai_embeddings, openai_moderations, openai_audio" in words
    assert f"/admin/backends/{slow.id}" in [link.get("href") for link in row.iter("a")]
    assert "The same key for openai_chat openai_responses" in text_of(edit)
    assert "Other keys of this provider" not in edit
    assert "This deletes the provider with its address and key." in delete


async def test_of_many_endpoints_those_where_nothing_happened_are_told_in_one_line(operator: Operator) -> None:
    desk = operator.gateway.desk
    made = await backends.create(desk, OPERATOR, {"name": "openai", "preset": "openai", "models": ["gpt"]})

    page = text_of((await operator.get(f"/admin/providers/{made.provider.id}")).text)

    assert "Nothing happened at openai_chat, openai_responses, openai_completions" in page
    assert "API formats openai_chat, openai_responses and 5 more" in page
