"""Coding agents, each with a home directory of its own, doing one real piece of work through the gateway.

Most read two files that hold secret words, with their own tool, which is called for both in one turn, and must say the
words in their answer; the scripted provider only knows them from the tool's results. Whatever is known to call home is
switched off, and the rest is sent to a proxy that does not answer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clients import installed
from clients.cells import Cell
from clients.stage import UPSTREAMS, Stage, model_of, question

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Job:
    """What one run has: `work` holds the files with the secrets, both directories are its own."""

    origin: str
    api_key: str
    model: str
    home: Path
    work: Path
    secrets: Mapping[str, str]

    @property
    def question(self) -> str:
        return question(self.work, self.secrets)

    def write(self, path: str, content: object) -> Path:
        """A file of the home directory; what is no text is written as JSON."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return file


@dataclass(frozen=True, slots=True)
class Run:
    """`said` finds the answer in the program's output, or where else it is."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    said: Callable[[str], str] = str


def claude_code(job: Job) -> Run:
    command = ("-p", job.question, "--model", job.model, "--output-format", "json", "--allowedTools", "Read")
    environ = {
        "ANTHROPIC_BASE_URL": job.origin,
        "ANTHROPIC_AUTH_TOKEN": job.api_key,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
    }
    return Run((installed.node_program("claude"), *command), environ, lambda output: str(json.loads(output)["result"]))


def codex(job: Job) -> Run:
    job.write(
        ".codex/config.toml",
        f"""\
model = {json.dumps(job.model)}
model_provider = "weir"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.weir]
name = "Weir"
base_url = "{job.origin}/v1"
env_key = "WEIR_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
""",
    )
    command = (installed.node_program("codex"), "exec", "--skip-git-repo-check", job.question)
    return Run(command, {"WEIR_API_KEY": job.api_key, "CODEX_HOME": str(job.home / ".codex")})


def opencode_with(package: str, version: str = "v1") -> Callable[[Job], Run]:
    """opencode speaks through a package of the AI SDK, which says the format."""

    def opencode(job: Job) -> Run:
        options = {"baseURL": f"{job.origin}/{version}", "apiKey": job.api_key}
        models = {job.model: {"name": job.model, "tool_call": True}}
        provider = {"npm": package, "name": "Weir", "options": options, "models": models}
        settings = {"autoupdate": False, "share": "disabled", "provider": {"weir": provider}}
        job.write(".config/opencode/opencode.json", settings)
        environ = {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
        }
        command = ("run", "--model", f"weir/{job.model}", job.question)
        return Run((installed.node_program("opencode"), *command), environ)

    return opencode


def gemini_cli(job: Job) -> Run:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    job.write(".gemini/settings.json", settings)
    environ = {
        "GOOGLE_GEMINI_BASE_URL": job.origin,
        "GEMINI_API_KEY": job.api_key,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    return Run((installed.node_program("gemini"), "-p", job.question, "-m", job.model, "--yolo"), environ)


def llm_with(*words: str) -> Callable[[Job], Run]:
    def llm(job: Job) -> Run:
        settings = f"""\
- model_id: weir
  model_name: {job.model}
  api_base: {job.origin}/v1
  api_key_name: weir
  supports_tools: true
"""
        place = job.write("llm/extra-openai-models.yaml", settings).parent
        tools = job.write("tools.py", _LLM_TOOL)
        command = ("-m", "weir", "--key", job.api_key, "--functions", str(tools), *words, job.question)
        return Run((str(installed.PYTHON / "bin/llm"), *command), {"LLM_USER_PATH": str(place)})

    return llm


_LLM_TOOL = """\
def read_secret(path: str) -> str:
    "Reads a file and gives its text."
    return open(path, encoding="utf-8").read()
"""


def aider_with(*words: str) -> Callable[[Job], Run]:
    """It knows no tools: it is told to write the words into a file, and the file must have them."""

    def aider(job: Job) -> Run:
        # A list of prices that is new enough is not asked for again.
        job.write(".aider/caches/model_prices_and_context_window.json", {"scripted": {}})
        off = ("--no-git", "--no-check-update", "--analytics-disable", "--no-show-release-notes")
        quiet = ("--yes-always", "--no-pretty", "--no-show-model-warnings")
        task = (
            "--edit-format",
            "whole",
            "--message",
            f"WRITE {'_'.join(job.secrets.values())} INTO notes.txt",
            "notes.txt",
        )
        command = (str(installed.AIDER / "bin/aider"), "--model", f"openai/{job.model}", *off, *quiet, *words, *task)
        environ = {
            "OPENAI_API_BASE": f"{job.origin}/v1",
            "OPENAI_API_KEY": job.api_key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        return Run(command, environ, lambda _: (job.work / "notes.txt").read_text("utf-8"))

    return aider


AGENTS: Mapping[str, tuple[str, Callable[[Job], Run]]] = {
    "claude-code": ("messages", claude_code),
    "codex": ("responses", codex),
    "opencode, chat": ("chat", opencode_with("@ai-sdk/openai-compatible")),
    "opencode, responses": ("responses", opencode_with("@ai-sdk/openai")),
    "opencode, messages": ("messages", opencode_with("@ai-sdk/anthropic")),
    "opencode, gemini": ("gemini", opencode_with("@ai-sdk/google", "v1beta")),
    "gemini-cli": ("gemini", gemini_cli),
    "llm": ("chat", llm_with()),
    "llm, not streamed": ("chat", llm_with("--no-stream")),
    "aider": ("chat", aider_with()),
    "aider, not streamed": ("chat", aider_with("--no-stream")),
}
"""By name: the format that it speaks, and how it is started."""


def prove(stage: Stage) -> Iterator[Cell]:
    for client, (api_format, start) in AGENTS.items():
        for upstream in UPSTREAMS:
            with stage.judging(client, api_format) as judged:
                yield _worked(stage, client, start, upstream)
            yield from judged


def _worked(stage: Stage, client: str, start: Callable[[Job], Run], upstream: str) -> Cell:
    job = _job(stage, f"{client}-{upstream}".replace(" ", "").replace(",", "-"), model_of(upstream))
    run = start(job)
    before = stage.newest_call()
    environ = installed.environment(job.home, run.environ)
    code, output, errors = installed.run(run.command, job.work, environ, _SECONDS)
    faults = [*_missing(job, run, output), *stage.faults_after(before)]
    if faults:
        print(f"--- {client} → {upstream}: exit code {code}\n{output[-3000:]}\n{errors[-3000:]}", file=sys.stderr)
    return Cell(client, upstream, "edit" if "aider" in client else "tool", "; ".join(faults))


def _missing(job: Job, run: Run, output: str) -> list[str]:
    try:
        said = run.said(output)
    except (ValueError, LookupError, OSError) as error:
        return [f"no answer: {error!r}"]
    return [f"{word} is not in the answer" for word in job.secrets.values() if word not in said]


def _job(stage: Stage, name: str, model: str) -> Job:
    home, work = stage.work / name / "home", stage.work / name / "work"
    home.mkdir(parents=True)
    work.mkdir()
    stage.hide_secrets(work)
    return Job(stage.origin, stage.api_key, model, home, work, stage.secrets)
