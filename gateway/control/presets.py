"""Providers that are known by name: where they are, and what their credentials are usually called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.model.people import Actor
from gateway.model.registry import DEMO_PRESET, ApiFormat, Auth


class PresetEndpoint(msgspec.Struct, frozen=True):
    """One API format that a provider speaks: at the preset's base URL and `suffix`, with the endpoint's `custom_path`
    and `auth` where those are not the format's own.
    """

    api_format: ApiFormat
    suffix: str = ""
    custom_path: str = ""
    auth: Auth | None = None


def _speaks(*formats: ApiFormat, auth: Auth | None = None) -> tuple[PresetEndpoint, ...]:
    return tuple(PresetEndpoint(api_format, auth=auth) for api_format in formats)


_CHAT, _RESPONSES = ApiFormat.OPENAI_CHAT, ApiFormat.OPENAI_RESPONSES
_COMPLETIONS, _EMBEDDINGS = ApiFormat.OPENAI_COMPLETIONS, ApiFormat.OPENAI_EMBEDDINGS
_AZURE_VERSION = "2024-10-21"
"""The newest api-version of Azure's deployments that is not a preview."""


class Preset(msgspec.Struct, frozen=True):
    """`base_url` is empty where only the operator can know it. Of `endpoints` the first is what the provider is asked
    for its models at.

    `env_names` usually hold the key and `base_url_env_names` another base URL; the first that is set counts.
    `website` is where keys are made. `ports` are the loopback ports of a local server.
    """

    code: str
    label: str
    base_url: str
    website: str
    env_names: tuple[str, ...] = ()
    base_url_env_names: tuple[str, ...] = ()
    endpoints: tuple[PresetEndpoint, ...] = _speaks(_CHAT)
    needs_key: bool = True
    is_local: bool = False
    ports: tuple[int, ...] = ()


_ALL = (
    Preset(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        "https://platform.openai.com/api-keys",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL",),
        _speaks(
            *(_CHAT, _RESPONSES, _EMBEDDINGS, _COMPLETIONS, ApiFormat.OPENAI_MODERATIONS),
            *(ApiFormat.OPENAI_IMAGES, ApiFormat.OPENAI_AUDIO),
        ),
    ),
    Preset(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        "https://console.anthropic.com/settings/keys",
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_BASE_URL",),
        _speaks(ApiFormat.ANTHROPIC_MESSAGES),
    ),
    Preset(
        "gemini",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        "https://aistudio.google.com/apikey",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("GEMINI_BASE_URL",),
        (PresetEndpoint(ApiFormat.GEMINI_GENERATE), PresetEndpoint(_EMBEDDINGS, "/openai")),
    ),
    Preset(
        "azure",
        "Azure OpenAI",
        "",
        "https://portal.azure.com",
        ("AZURE_OPENAI_API_KEY",),
        endpoints=_speaks(_CHAT, _RESPONSES, _EMBEDDINGS, auth=Auth.API_KEY),
    ),
    Preset(
        "azure_deployments",
        "Azure deployments",
        "",
        "https://portal.azure.com",
        ("AZURE_OPENAI_API_KEY",),
        endpoints=(
            PresetEndpoint(
                _CHAT,
                custom_path=f"/deployments/{{model}}/chat/completions?api-version={_AZURE_VERSION}",
                auth=Auth.API_KEY,
            ),
            PresetEndpoint(
                _EMBEDDINGS,
                custom_path=f"/deployments/{{model}}/embeddings?api-version={_AZURE_VERSION}",
                auth=Auth.API_KEY,
            ),
        ),
    ),
    Preset(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/settings/keys",
        ("OPENROUTER_API_KEY",),
        ("OPENROUTER_BASE_URL",),
        (
            *_speaks(_CHAT, _RESPONSES, _EMBEDDINGS, _COMPLETIONS),
            PresetEndpoint(ApiFormat.ANTHROPIC_MESSAGES, auth=Auth.BEARER),
        ),
    ),
    Preset(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "https://console.groq.com/keys",
        ("GROQ_API_KEY",),
        ("GROQ_BASE_URL",),
        _speaks(_CHAT, _RESPONSES, ApiFormat.OPENAI_AUDIO),
    ),
    Preset(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/v1",
        "https://platform.deepseek.com/api_keys",
        ("DEEPSEEK_API_KEY",),
        ("DEEPSEEK_BASE_URL",),
    ),
    Preset(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        "https://console.mistral.ai/api-keys",
        ("MISTRAL_API_KEY",),
        ("MISTRAL_BASE_URL",),
        _speaks(_CHAT, _EMBEDDINGS, ApiFormat.OPENAI_MODERATIONS, ApiFormat.OPENAI_AUDIO),
    ),
    Preset(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        "https://console.x.ai",
        ("XAI_API_KEY",),
        ("XAI_BASE_URL",),
        _speaks(_CHAT, _RESPONSES, ApiFormat.OPENAI_IMAGES),
    ),
    Preset(
        "ollama",
        "Ollama",
        "http://127.0.0.1:11434/v1",
        "https://ollama.com",
        endpoints=_speaks(_CHAT, _COMPLETIONS, _EMBEDDINGS),
        needs_key=False,
        is_local=True,
        ports=(11434,),
    ),
    Preset(
        "lm_studio",
        "LM Studio",
        "http://127.0.0.1:1234/v1",
        "https://lmstudio.ai",
        endpoints=_speaks(_CHAT, _COMPLETIONS, _EMBEDDINGS),
        needs_key=False,
        is_local=True,
        ports=(1234,),
    ),
    Preset(
        "vllm",
        "vLLM or llama.cpp",
        "http://127.0.0.1:8000/v1",
        "https://docs.vllm.ai",
        endpoints=_speaks(_CHAT, _COMPLETIONS, _EMBEDDINGS, ApiFormat.RERANK),
        needs_key=False,
        is_local=True,
        ports=(8000, 8081),
    ),
    Preset("custom", "Custom", "", "", needs_key=False),
    Preset(DEMO_PRESET, "Demo", "builtin:demo", "", needs_key=False),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.code: preset for preset in _ALL})

OFFERED: tuple[Preset, ...] = tuple(preset for preset in _ALL if preset.code != DEMO_PRESET)
"""Those that people choose from; the demo is made by the program itself."""

OFFERED_CODES: tuple[str, ...] = tuple(preset.code for preset in OFFERED)


def codes_for(actor: Actor) -> tuple[str, ...]:
    """The presets that `actor` may choose."""
    return tuple(PRESETS) if actor.kind == "system" else OFFERED_CODES
