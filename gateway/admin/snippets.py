"""Lines to paste, so that a client calls this gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.admin.site import Site

PLACEHOLDER = "sk-gw-YOUR-KEY"
DEMO = "demo/echo"


@dataclass(frozen=True, slots=True)
class Snippet:
    code: str
    name: str
    words: str
    text: str


def first_model(site: Site) -> str:
    """The model to show in examples: one of the operator's own, else the demo's one that does not fail."""
    names = model_names(site)
    own = [name for name in names if not name.startswith("demo/")]
    return next(iter([*own, *(name for name in names if name == DEMO), *names]), "provider/model")


def model_names(site: Site) -> list[str]:
    return sorted(model.code for model in site.desk.snapshot().serving_models())


def for_clients(base: str, model: str, key: str) -> list[Snippet]:
    """`base` is where the browser reaches us, without a slash at its end; `key` a real one or a placeholder."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Say hi"}]})
    return [
        Snippet(
            "curl",
            "curl",
            "One line for a terminal.",
            f"curl {base}/v1/chat/completions \\\n"
            f"  -H 'Authorization: Bearer {key}' \\\n"
            "  -H 'Content-Type: application/json' \\\n"
            f"  -d '{body}'",
        ),
        Snippet(
            "python",
            "Python",
            "With the openai package; any OpenAI SDK works the same way.",
            "from openai import OpenAI\n\n"
            f'client = OpenAI(base_url="{base}/v1", api_key="{key}")\n'
            "answer = client.chat.completions.create(\n"
            f"    model={json.dumps(model)},\n"
            '    messages=[{"role": "user", "content": "Say hi"}],\n'
            ")\n"
            "print(answer.choices[0].message.content)",
        ),
        Snippet(
            "claude",
            "Claude Code",
            "It calls /v1/messages, which this version does not answer yet. These will be its lines.",
            f"export ANTHROPIC_BASE_URL={base}\n"
            f"export ANTHROPIC_AUTH_TOKEN={key}\n"
            f"export ANTHROPIC_MODEL={model}\n"
            "unset ANTHROPIC_API_KEY\n"
            "claude",
        ),
        Snippet(
            "codex",
            "Codex",
            f"In ~/.codex/config.toml, for versions of Codex that know wire_api chat; then: WEIR_API_KEY={key} codex",
            f"model = {json.dumps(model)}\n"
            'model_provider = "weir"\n\n'
            "[model_providers.weir]\n"
            'name = "Weir"\n'
            f'base_url = "{base}/v1"\n'
            'env_key = "WEIR_API_KEY"\n'
            'wire_api = "chat"',
        ),
        Snippet(
            "open-webui",
            "Open WebUI",
            "Settings, Connections, OpenAI API; or these variables when it starts.",
            f"OPENAI_API_BASE_URL={base}/v1\nOPENAI_API_KEY={key}",
        ),
    ]
