"""SDKs and LangChain against every upstream format: whole, streamed, and with a tool."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

from clients import installed
from clients.cells import Cell, cells_of
from clients.stage import UPSTREAMS, Stage, model_of, question
from clients.upstream import script

_NODE = {
    "openai (node), chat": ("chat", "openai_chat.mjs"),
    "openai (node), responses": ("responses", "openai_responses.mjs"),
    "@anthropic-ai/sdk": ("messages", "anthropic.mjs"),
    "@google/genai": ("gemini", "genai.mjs"),
    "ai + @ai-sdk/openai, chat": ("chat", "ai.mjs"),
    "ai + @ai-sdk/openai, responses": ("responses", "ai.mjs"),
    "ai + @ai-sdk/openai, responses, store: false": ("responses", "ai.mjs"),
    "ai + @ai-sdk/openai-compatible": ("chat", "ai.mjs"),
    "ai + @ai-sdk/anthropic": ("messages", "ai.mjs"),
    "ai + @ai-sdk/google": ("gemini", "ai.mjs"),
}
"""By name: the format that it speaks, and the script that knows it."""
_LANGCHAIN = {
    "LangChain ChatOpenAI, chat": "chat",
    "LangChain ChatOpenAI, responses": "responses",
    "LangChain ChatAnthropic": "messages",
    "LangChain ChatGoogleGenerativeAI": "gemini",
}
_SECONDS = 120


def of_node(stage: Stage) -> Iterator[Cell]:
    for source in (installed.HERE / "node").glob("*.mjs"):
        # Beside the packages, which are looked for from where a script is.
        shutil.copy(source, installed.NODE)
    for client, (api_format, name) in _NODE.items():
        yield from _cells(stage, client, api_format, "node", str(installed.NODE / name))


def of_langchain(stage: Stage) -> Iterator[Cell]:
    program = str(installed.HERE / "python/langchain_models.py")
    for client, api_format in _LANGCHAIN.items():
        yield from _cells(stage, client, api_format, str(installed.PYTHON / "bin/python"), program)


def _cells(stage: Stage, client: str, api_format: str, *command: str) -> list[Cell]:
    environ = installed.environment(stage.work, {})
    with stage.judging(client, api_format) as judged:
        code, output, errors = installed.run(
            [*command, _asked(stage), client, api_format], stage.work, environ, _SECONDS
        )
    cells = cells_of(client, (json.loads(line) for line in output.splitlines() if line.startswith("{")))
    if code != 0:
        cells.append(Cell(client, UPSTREAMS[0], "run", f"exit code {code}: {errors[-600:]}"))
    return [*cells, *judged]


def _asked(stage: Stage) -> str:
    """What a program is told, as JSON."""
    usage = {"input": script.INPUT_TOKENS, "cached": script.CACHED_TOKENS, "output": script.OUTPUT_TOKENS}
    return json.dumps(
        {
            "origin": stage.origin,
            "key": stage.api_key,
            "models": {upstream: model_of(upstream) for upstream in UPSTREAMS},
            "question": question(stage.work, stage.secrets),
            "words": list(stage.secrets.values()),
            "hello": script.HELLO,
            "usage": usage,
        }
    )
