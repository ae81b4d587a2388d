"""The table of known providers."""

from __future__ import annotations

import pytest

from gateway.control.presets import OFFERED, PRESETS, Preset
from gateway.control.provider_keys import _ENV_NAME
from gateway.control.proxies import checked_path
from gateway.model.origin import parse_base_url
from gateway.model.registry import TRANSLATABLE


def test_the_presets_are_those_of_the_product() -> None:
    assert [preset.code for preset in OFFERED] == [
        *(
            "openai",
            "anthropic",
            "gemini",
            "azure",
            "azure_deployments",
            "openrouter",
            "groq",
            "deepseek",
            "mistral",
            "xai",
        ),
        *("ollama", "lm_studio", "vllm", "custom"),
    ]
    assert set(PRESETS) == {preset.code for preset in OFFERED} | {"demo"}


@pytest.mark.parametrize("preset", [preset for preset in OFFERED if preset.base_url], ids=lambda preset: preset.code)
def test_a_preset_leads_where_it_may(preset: Preset) -> None:
    target = parse_base_url(preset.base_url)
    assert target.text == preset.base_url
    assert target.needs_local_switch is preset.is_local
    assert preset.needs_key is not preset.is_local
    assert preset.website.startswith("https://")


@pytest.mark.parametrize("preset", OFFERED, ids=lambda preset: preset.code)
def test_a_preset_has_one_endpoint_for_each_format_and_can_be_asked_for_its_models(preset: Preset) -> None:
    formats = [one.api_format for one in preset.endpoints]
    assert len(set(formats)) == len(formats)
    assert formats[0] in TRANSLATABLE
    assert all(checked_path({"custom_path": one.custom_path}) for one in preset.endpoints)


@pytest.mark.parametrize("preset", OFFERED, ids=lambda preset: preset.code)
def test_the_usual_variables_may_be_referred_to(preset: Preset) -> None:
    assert all(_ENV_NAME.fullmatch(name) for name in preset.env_names)
    assert bool(preset.env_names) is preset.needs_key
    assert bool(preset.ports) is preset.is_local
