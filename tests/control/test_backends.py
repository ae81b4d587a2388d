"""One form that makes a whole backend, and what can be done to it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import backends, endpoints, mappings, models, pools, provider_keys, providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound, UpstreamFailed
from gateway.model.registry import ModelStatus
from gateway.vault import provider_key_binding
from tests.desks import ANN, SYSTEM, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

SECRET = "sk-CANARY-0123456789"
WHOLE = {
    "name": "openai",
    "label": "Work",
    "base_url": "https://api.example.com/v1",
    "api_format": "openai_chat",
    "api_key": SECRET,
    "models": {"fast": "gpt-4o-mini", "GPT-5": "gpt-5"},
    "pool": "fallback",
    "rpm_limit": 60,
    "timeout_seconds": 30,
    "enabled": True,
    "metadata": {"team": "a"},
    "priority": 5,
    "weight": 3,
}


async def faults(attempt: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await attempt
    return refused.value.fields


async def everything(desk: Desk) -> list[object]:
    nouns = (providers, endpoints, provider_keys, pools, models, mappings)
    return [await noun.listing(desk) for noun in nouns]


async def test_one_form_makes_everything(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)

    assert (made.provider.name, made.provider.priority, made.provider.metadata) == ("openai", 5, {"team": "a"})
    assert (made.endpoint.base_url, made.endpoint.timeout_seconds) == ("https://api.example.com/v1", 30)
    assert (made.key.name, made.key.rpm_limit, made.key.weight, made.key.is_active) == ("Work", 60, 3, True)
    assert made.key.sealed is not None
    opened = desk.vault.unseal(made.key.sealed, provider_key_binding(made.key.id, "https://api.example.com:443"))
    assert opened.reveal() == SECRET
    assert [model.code for model in made.models] == ["fast", "gpt-5"]
    assert [mapping.upstream_name for mapping in made.mappings] == ["gpt-4o-mini", "gpt-5"]
    assert made.notes == ()
    backend = desk.snapshot().backends[made.backend_id]
    assert (backend.name, backend.pool.name, backend.is_enabled) == ("openai/Work", "fallback", True)
    assert {model.code for model in desk.snapshot().serving_models()} == {"fast", "gpt-5"}


async def test_it_is_one_change(desk: Desk) -> None:
    version = desk.snapshot().version
    await backends.create(desk, ANN, WHOLE)

    rows = await audit_rows(desk)

    assert desk.snapshot().version == version + 1
    assert {row.config_version for row in rows} == {version + 1}
    assert [row.object_kind for row in rows] == [
        *("provider", "endpoint", "provider_key"),
        *("model", "mapping", "model", "mapping"),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pool": "third"}, "pool"),
        ({"api_key": "env:HOME"}, "api_key"),
        ({"base_url": "http://10.0.0.1/v1"}, "local_upstream"),
        ({"base_url": "http://169.254.169.254", "local_upstream": True}, "base_url"),
        ({"base_url": "builtin:demo"}, "base_url"),
        ({"preset": "demo", "base_url": "https://a.example"}, "preset"),
        ({"models": {"a b": "x"}}, "models"),
        ({"models": "gpt"}, "models"),
        ({"rpm_limit": "60"}, "rpm_limit"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"label": "a/b"}, "label"),
        ({"name": "a/b"}, "name"),
        ({"is_active": True}, "is_active"),
        ({"sealed": "x"}, "sealed"),
    ],
)
async def test_a_bad_form_makes_nothing_at_all(desk: Desk, change: dict[str, object], field: str) -> None:
    before = await everything(desk)

    assert list(await faults(backends.create(desk, ANN, {**WHOLE, **change}))) == [field]

    assert await everything(desk) == before
    assert await audit_rows(desk) == []


async def test_an_unknown_pool_names_the_pools_there_are(desk: Desk) -> None:
    found = await faults(backends.create(desk, ANN, {**WHOLE, "pool": "third"}))
    assert found == {"pool": "names no pool; there are: primary, fallback"}


async def test_little_is_enough(desk: Desk) -> None:
    made = await backends.create(desk, ANN, {"name": "openai", "preset": "openai", "api_key": "env:OPENAI_API_KEY"})

    assert made.endpoint.base_url == "https://api.openai.com/v1"
    assert (made.provider.display_name, made.key.name, made.key.env_name) == ("OpenAI", "main", "OPENAI_API_KEY")
    assert made.key.pool_id == (await pools.listing(desk))[0].id
    assert made.notes == ()


async def test_a_custom_provider_needs_its_base_url(desk: Desk) -> None:
    assert await faults(backends.create(desk, ANN, {"name": "x"})) == {"base_url": "is required"}


async def test_a_local_preset_needs_no_key_and_no_further_switch(desk: Desk) -> None:
    made = await backends.create(desk, ANN, {"name": "ollama", "preset": "ollama", "models": ["llama3"]})
    assert (made.endpoint.local_upstream, made.notes) == ("127.0.0.1:11434", ())

    elsewhere = {"name": "other", "preset": "ollama", "base_url": "http://192.168.0.9:11434/v1"}
    assert list(await faults(backends.create(desk, ANN, elsewhere))) == ["local_upstream"]


async def test_notes_say_what_is_missing(desk: Desk) -> None:
    unset = await backends.create(desk, ANN, {"name": "groq", "preset": "groq", "api_key": "env:GROQ_API_KEY"})
    keyless = await backends.create(desk, ANN, {"name": "mistral", "preset": "mistral"})

    assert unset.notes == ("GROQ_API_KEY is not set in the gateway's environment; set it and restart.",)
    assert keyless.notes == ("Mistral asks for a key; this backend has none.",)


async def test_a_known_provider_gets_one_more_key(desk: Desk) -> None:
    first = await backends.create(desk, ANN, WHOLE)
    second = await backends.create(
        desk, ANN, {"name": "openai", "base_url": "https://API.example.com/v1/", "api_key": SECRET, "models": ["new"]}
    )
    third = await backends.create(desk, ANN, {"name": "openai", "timeout_seconds": 5, "priority": 9})

    assert {made.provider.id for made in (first, second, third)} == {first.provider.id}
    assert {made.endpoint.id for made in (first, second, third)} == {first.endpoint.id}
    assert [made.key.name for made in (first, second, third)] == ["Work", "main", "key-2"]
    assert len(await mappings.listing(desk)) == 3
    assert third.notes == (
        "timeout_seconds stays as it is for provider openai; change it there",
        "priority stays as it is for provider openai; change it there",
    )


async def test_a_known_name_with_another_address_is_refused(desk: Desk) -> None:
    await backends.create(desk, ANN, WHOLE)
    found = await faults(backends.create(desk, ANN, {**WHOLE, "label": "x", "base_url": "https://evil.example/v1"}))
    assert list(found) == ["name"]
    assert "https://api.example.com/v1" in found["name"]


async def test_a_label_is_unique_inside_its_provider(desk: Desk) -> None:
    await backends.create(desk, ANN, WHOLE)
    assert list(await faults(backends.create(desk, ANN, WHOLE))) == ["label"]


async def test_a_known_model_is_mapped_and_not_changed(desk: Desk) -> None:
    known = await models.create(desk, ANN, {"code": "gpt-5", "status": "DRAFT"})
    made = await backends.create(desk, ANN, {**WHOLE, "models": ["gpt-5"]})

    assert made.models == (known,)
    assert made.models[0].status is ModelStatus.DRAFT
    assert made.notes == ("Model gpt-5 is DRAFT and serves only once it is ENABLED.",)


async def test_the_program_makes_its_demo(desk: Desk) -> None:
    made = await backends.create(desk, SYSTEM, {"name": "demo", "preset": "demo", "models": {"demo/echo": "echo"}})
    assert made.endpoint.base_url == "builtin:demo"
    assert desk.snapshot().backends[made.backend_id].endpoint.base_url == f"{desk.demo_origin}/v1"


async def test_a_form_sends_strings(desk: Desk) -> None:
    form = {
        "name": "Local",
        "preset": "custom",
        "base_url": "http://127.0.0.1:8000/v1",
        "local_upstream": "on",
        "api_key": "",
        "label": "",
        "models": "llama-3\r\nfast = llama-3-8b\r\n",
        "pool": "",
        "rpm_limit": "",
        "timeout_seconds": "12.5",
        "enabled": "",
        "metadata": "",
    }
    made = await backends.create(desk, ANN, form, text=True)

    assert (made.provider.name, made.key.name, made.key.is_active, made.key.rpm_limit) == ("local", "main", False, None)
    assert [mapping.upstream_name for mapping in made.mappings] == ["llama-3", "llama-3-8b"]
    assert made.endpoint.timeout_seconds == 12.5


async def test_an_update_changes_what_was_sent(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)

    changed = await backends.update(
        desk,
        ANN,
        made.backend_id,
        {"label": "New", "rpm_limit": None, "pool": "primary", "priority": 1, "enabled": False},
    )

    assert (changed.key.name, changed.key.rpm_limit, changed.key.is_active) == ("New", None, False)
    assert changed.provider.priority == 1
    assert changed.key.sealed == made.key.sealed
    assert changed.endpoint == made.endpoint
    assert len(await mappings.listing(desk)) == 2
    assert desk.snapshot().backends[made.backend_id].pool.name == "primary"


async def test_models_that_are_sent_are_then_all_that_are_served(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)

    changed = await backends.update(desk, ANN, made.backend_id, {"models": {"fast": "gpt-6-mini", "extra": "extra"}})

    served = {row.model_id: row.upstream_name for row in await mappings.listing(desk)}
    assert served == {model.id: name for model, name in zip(changed.models, ("gpt-6-mini", "extra"), strict=True)}
    assert changed.notes == ("openai is asked for fast as gpt-6-mini now, with each of its keys.",)
    assert len(await models.listing(desk)) == 3


async def test_another_address_asks_for_the_key_again_unless_it_comes_along(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)

    moved = await backends.update(desk, ANN, made.backend_id, {"base_url": "https://b.example/v1"})
    assert (moved.key.sealed, moved.key.bound_origin) == (None, None)
    assert moved.notes == ("The address changed: enter the key again.",)

    entered = await backends.update(desk, ANN, made.backend_id, {"base_url": "https://c.example/v1", "api_key": SECRET})
    assert entered.key.bound_origin == "https://c.example:443"
    assert entered.notes == ()


async def test_a_known_provider_speaks_all_that_its_preset_knows(desk: Desk) -> None:
    made = await backends.create(desk, ANN, {"name": "gemini", "preset": "gemini", "api_key": SECRET, "models": ["a"]})

    there = {one.api_format.value: one for one in await endpoints.listing(desk)}
    assert set(there) == set(made.key.api_formats) == {"gemini_generate", "openai_embeddings"}
    assert made.endpoint.api_format == "gemini_generate"
    assert there["openai_embeddings"].base_url == made.endpoint.base_url + "/openai"
    backend = desk.snapshot().backends
    assert {one.endpoint.api_format.value for one in backend.values()} == set(there)


async def test_a_named_format_is_the_only_one(desk: Desk) -> None:
    form = {"name": "or", "preset": "openrouter", "api_key": SECRET, "api_format": "anthropic_messages"}
    made = await backends.create(desk, ANN, form)
    assert (made.key.api_formats, made.endpoint.auth) == (("anthropic_messages",), "bearer")
    further = await backends.create(desk, ANN, {"name": "or", "preset": "openrouter", "api_key": SECRET})
    assert further.key.api_formats == ("anthropic_messages",)


async def test_azures_deployments_have_the_models_name_in_their_path(desk: Desk) -> None:
    base = "https://here.openai.azure.com/openai"
    made = await backends.create(
        desk, ANN, {"name": "azure", "preset": "azure_deployments", "base_url": base, "api_key": SECRET}
    )
    assert made.endpoint.custom_path.startswith("/deployments/{model}/chat/completions?api-version=")
    assert made.endpoint.auth == "api-key"


async def test_a_new_address_is_that_of_all_formats_at_the_old_one(desk: Desk) -> None:
    made = await backends.create(desk, ANN, {"name": "gemini", "preset": "gemini", "api_key": SECRET})

    changed = {"base_url": "https://relay.example.com/g", "api_key": "sk-NEW-0123456789", "timeout_seconds": 9}
    await backends.update(desk, ANN, made.backend_id, changed)

    there = {one.api_format.value: one for one in await endpoints.listing(desk)}
    assert there["gemini_generate"].base_url == "https://relay.example.com/g"
    assert there["openai_embeddings"].base_url == "https://relay.example.com/g/openai"
    assert {one.timeout_seconds for one in there.values()} == {9}
    (key,) = await provider_keys.listing(desk)
    assert key.bound_origin == "https://relay.example.com:443"


async def test_an_edit_form_with_an_empty_key_keeps_it(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)
    form = {"label": "", "api_key": "", "base_url": "", "rpm_limit": "5", "models": "fast = gpt-4o-mini"}

    changed = await backends.update(desk, ANN, made.backend_id, form, text=True)

    assert (changed.key.sealed, changed.key.name, changed.key.rpm_limit) == (made.key.sealed, "Work", 5)
    assert changed.endpoint == made.endpoint
    assert len(await mappings.listing(desk)) == 1


async def test_what_a_backend_is_cannot_be_changed(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)
    for field in ("name", "preset", "api_format"):
        found = await faults(backends.update(desk, ANN, made.backend_id, {field: WHOLE.get(field, "groq")}))
        assert found == {field: "cannot be changed"}


async def test_enabling_a_backend_enables_all_that_it_needs(desk: Desk) -> None:
    made = await backends.create(desk, ANN, WHOLE)
    await backends.set_enabled(desk, ANN, made.key.id, enabled=False)
    await providers.update(desk, ANN, made.provider.id, {"is_active": False})
    await endpoints.update(desk, ANN, made.endpoint.id, {"is_active": False})
    assert not desk.snapshot().backends[made.backend_id].is_enabled

    await backends.set_enabled(desk, ANN, made.backend_id, enabled=True)

    assert desk.snapshot().backends[made.backend_id].is_enabled


async def test_deleting_the_last_key_deletes_the_provider_and_leaves_models(desk: Desk) -> None:
    first = await backends.create(desk, ANN, WHOLE)
    second = await backends.create(desk, ANN, {"name": "openai"})

    await backends.delete(desk, ANN, first.backend_id)
    assert [row.name for row in await providers.listing(desk)] == ["openai"]
    await backends.delete(desk, ANN, second.key.id)

    assert await providers.listing(desk) == ()
    assert await mappings.listing(desk) == ()
    assert len(await models.listing(desk)) == 2


async def test_clearing_a_cooldown_ends_the_rest_and_is_written_down(office: Office) -> None:
    desk = office.desk
    made = await backends.create(desk, ANN, WHOLE)
    state = desk.state.of(made.backend_id)
    state.rest(office.clock.mono() + 60, "rate limited")
    state.streak = 3

    await backends.clear_cooldown(desk, ANN, made.backend_id)

    assert (state.seconds_left(office.clock.mono()), state.streak) == (0, 0)
    assert made.backend_id in desk.state.dirty.backends
    assert (await audit_rows(desk))[-1].action == "clear_cooldown"


async def test_a_test_asks_the_saved_backend(office: Office) -> None:
    made = await backends.create(office.desk, ANN, WHOLE)

    assert await backends.test(office.desk, made.backend_id) == ["model-b", "model-a"]
    assert [backend.id for backend in office.asker.asked] == [made.backend_id]

    office.asker.fails = True
    with pytest.raises(UpstreamFailed):
        await backends.test(office.desk, made.key.id)


@pytest.mark.parametrize("backend_id", ["", ":", "none", "none:none"])
async def test_what_is_not_there_is_not_found(desk: Desk, backend_id: str) -> None:
    made = await backends.create(desk, ANN, WHOLE)
    for wanted in (backend_id, f"none:{made.key.id}"):
        for attempt in (
            backends.test(desk, wanted),
            backends.delete(desk, ANN, wanted),
            backends.update(desk, ANN, wanted, {}),
            backends.set_enabled(desk, ANN, wanted, enabled=True),
            backends.clear_cooldown(desk, ANN, wanted),
        ):
            with pytest.raises(NotFound):
                await attempt
