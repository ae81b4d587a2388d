"""Lines to paste, so that a client calls this gateway."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec

from gateway.admin.site import Site

PLACEHOLDER = "sk-gw-YOUR-KEY"
DEMO = "demo/echo"
_HELLO = [{"role": "user", "content": "Say hi"}]


class Snippet(msgspec.Struct, frozen=True):
    code: str
    name: str
    words: str
    text: str


class Place(msgspec.Struct, frozen=True):
    """`base` is where the browser reaches us, without a slash at its end; `key` a real one or a placeholder."""

    base: str
    model: str
    key: str


def first_model(site: Site) -> str:
    """The model to show in examples: one of the operator's own, else the demo's one that does not fail."""
    names = model_names(site)
    own = [name for name in names if not name.startswith("demo/")]
    return next(iter([*own, *(name for name in names if name == DEMO), *names]), "provider/model")


def model_names(site: Site) -> list[str]:
    return sorted(model.code for model in site.desk.snapshot().serving_models())


def for_clients(base: str, model: str, key: str) -> list[Snippet]:
    """One for each client, as `Place` has it."""
    place = Place(base, model, key)
    return [make(place) for make in _CLIENTS]


def _curl(place: Place) -> Snippet:
    body = json.dumps({"model": place.model, "messages": _HELLO})
    return Snippet(
        "curl",
        "curl",
        "One line for a terminal.",
        f"curl {place.base}/v1/chat/completions \\\n"
        f"  -H 'Authorization: Bearer {place.key}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'",
    )


def _openai(place: Place) -> Snippet:
    return Snippet(
        "openai",
        "OpenAI SDK",
        "Python's openai package; every SDK and program that takes another base URL works the same way.",
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{place.base}/v1", api_key="{place.key}")\n'
        "answer = client.chat.completions.create(\n"
        f"    model={json.dumps(place.model)},\n"
        '    messages=[{"role": "user", "content": "Say hi"}],\n'
        ")\n"
        "print(answer.choices[0].message.content)",
    )


def _anthropic(place: Place) -> Snippet:
    return Snippet(
        "anthropic",
        "Anthropic SDK",
        "Python's anthropic package. The base URL is without /v1; any model answers, not Claude alone.",
        "from anthropic import Anthropic\n\n"
        f'client = Anthropic(base_url="{place.base}", api_key="{place.key}")\n'
        "answer = client.messages.create(\n"
        f"    model={json.dumps(place.model)},\n"
        "    max_tokens=200,\n"
        '    messages=[{"role": "user", "content": "Say hi"}],\n'
        ")\n"
        "print(answer.content[0].text)",
    )


def _google(place: Place) -> Snippet:
    return Snippet(
        "google-genai",
        "Google SDK",
        "Python's google-genai package. The base URL is without /v1beta; any model answers, not Gemini alone.",
        "from google import genai\n\n"
        "client = genai.Client(\n"
        f'    api_key="{place.key}",\n'
        f'    http_options={{"base_url": "{place.base}"}},\n'
        ")\n"
        f'answer = client.models.generate_content(model={json.dumps(place.model)}, contents="Say hi")\n'
        "print(answer.text)",
    )


def _claude(place: Place) -> Snippet:
    return Snippet(
        "claude",
        "Claude Code",
        "Any model will do. What each session and agent cost is on the pages of its requests.",
        f"export ANTHROPIC_BASE_URL={place.base}\n"
        f"export ANTHROPIC_AUTH_TOKEN={place.key}\n"
        f"export ANTHROPIC_MODEL={place.model}\n"
        "unset ANTHROPIC_API_KEY\n"
        "claude",
    )


def _codex(place: Place) -> Snippet:
    return Snippet(
        "codex",
        "Codex",
        f"In ~/.codex/config.toml; then: WEIR_API_KEY={place.key} codex",
        f"model = {json.dumps(place.model)}\n"
        'model_provider = "weir"\n\n'
        "[model_providers.weir]\n"
        'name = "Weir"\n'
        f'base_url = "{place.base}/v1"\n'
        'env_key = "WEIR_API_KEY"\n'
        'wire_api = "responses"',
    )


def _gemini(place: Place) -> Snippet:
    return Snippet(
        "gemini-cli",
        "Gemini CLI",
        "It asks once how to sign in: with a Gemini API key.",
        f"export GOOGLE_GEMINI_BASE_URL={place.base}\nexport GEMINI_API_KEY={place.key}\ngemini -m {place.model}",
    )


def _opencode(place: Place) -> Snippet:
    weir = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Weir",
        "options": {"baseURL": f"{place.base}/v1", "apiKey": place.key},
        "models": {place.model: {"name": place.model}},
    }
    return Snippet(
        "opencode",
        "opencode",
        f"In ~/.config/opencode/opencode.json; then: opencode --model weir/{place.model}",
        json.dumps({"provider": {"weir": weir}}, indent=2),
    )


def _aider(place: Place) -> Snippet:
    return Snippet(
        "aider",
        "aider",
        "The model's name comes after openai/.",
        f"export OPENAI_API_BASE={place.base}/v1\n"
        f"export OPENAI_API_KEY={place.key}\n"
        f"aider --model openai/{place.model}",
    )


def _open_webui(place: Place) -> Snippet:
    return Snippet(
        "open-webui",
        "Open WebUI",
        "Settings, Connections, OpenAI API; or these variables when it starts.",
        f"OPENAI_API_BASE_URL={place.base}/v1\nOPENAI_API_KEY={place.key}",
    )


_CLIENTS: tuple[Callable[[Place], Snippet], ...] = (
    _curl,
    _openai,
    _anthropic,
    _google,
    _claude,
    _codex,
    _gemini,
    _opencode,
    _aider,
    _open_webui,
)
