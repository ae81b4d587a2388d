"""The lines that clients are told to use: those for SDKs are run, those for programs are read as the programs would."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.admin import snippets
from gateway.admin.snippets import Snippet
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "clients.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.+?)```", DOCUMENT, re.S)
BASE, KEY, MODEL = "http://127.0.0.1:8080/weir", "sk-gw-secret", 'a "quoted" model'


def snippet(code: str, base: str = BASE, model: str = MODEL, key: str = KEY) -> Snippet:
    return next(one for one in snippets.for_clients(base, model, key) if one.code == code)


def variables(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(?:export )?([A-Z_]+)=(.+)$", text, re.M))


async def said(program: str) -> str:
    """What a Python program writes to its output."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await running.communicate()
    assert running.returncode == 0, errors.decode()
    return output.decode().strip()


@pytest.mark.parametrize("code", ["openai", "anthropic", "google-genai"])
async def test_the_lines_for_each_sdk_get_an_answer(gateway: RunningGateway, code: str) -> None:
    lines = snippet(code, gateway.url, "demo/echo", gateway.api_key).text

    assert await said(lines)
    row = await gateway.row()
    assert (row.code, row.asked_model) == (200, "demo/echo")


@pytest.mark.parametrize(
    "lines", re.findall(r"```python\n(.+?)```", DOCUMENT, re.S), ids=["openai", "anthropic", "google"]
)
async def test_the_lines_of_the_document_get_an_answer_too(gateway: RunningGateway, lines: str) -> None:
    assert await said(lines.replace("http://127.0.0.1:8080", gateway.url).replace("sk-gw-...", gateway.api_key))


async def test_the_line_for_a_terminal_gets_an_answer(gateway: RunningGateway) -> None:
    words = shlex.split(snippet("curl", gateway.url, "demo/echo", gateway.api_key).text.replace("\\\n", " "))

    program = await asyncio.create_subprocess_exec(words[0], "-sS", *words[1:], stdout=asyncio.subprocess.PIPE)
    output, _ = await program.communicate()

    assert json.loads(output)["choices"][0]["message"]["content"]


def test_programs_that_add_the_version_themselves_get_an_address_without_it() -> None:
    for code, name in (("claude", "ANTHROPIC_BASE_URL"), ("gemini-cli", "GOOGLE_GEMINI_BASE_URL")):
        assert variables(snippet(code).text)[name] == BASE


def test_programs_for_openai_get_an_address_with_the_version() -> None:
    for code, name in (("aider", "OPENAI_API_BASE"), ("open-webui", "OPENAI_API_BASE_URL")):
        assert variables(snippet(code).text)[name] == f"{BASE}/v1"


def test_codex_reads_its_lines_and_speaks_responses() -> None:
    found = tomllib.loads(snippet("codex").text)

    assert found["model"] == MODEL
    assert found["model_providers"][found["model_provider"]] == {
        "name": "Weir",
        "base_url": f"{BASE}/v1",
        "env_key": "WEIR_API_KEY",
        "wire_api": "responses",
    }


def test_opencode_reads_its_lines() -> None:
    weir = json.loads(snippet("opencode").text)["provider"]["weir"]

    assert weir["options"] == {"baseURL": f"{BASE}/v1", "apiKey": KEY}
    assert list(weir["models"]) == [MODEL]


def test_every_snippet_names_the_gateway_and_the_key() -> None:
    found = snippets.for_clients(BASE, MODEL, KEY)

    assert len({one.code for one in found}) == len(found)
    for one in found:
        assert BASE in one.text, one.code
        assert KEY in one.text + one.words, one.code
