"""What a load can be sent to: the mock provider itself, the ceiling, and the gateway as its users start it."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import processes
from bench.load import Load, words
from bench.processes import PYTHON, ROOT, Failed, line_of, listening, running

CHAT = "/v1/chat/completions"
MODEL, TRANSLATED = "bench", "bench-messages"
_SETTLE, _RESTING = 30.0, 0.03
# What the gateway loads behind its start, it begins a second after it.
_AFTER_START = 1.5
# What is written after an answer belongs to its cost.
_BEHIND = 0.15
_PROVIDER_KEY = "sk-bench-0123456789"
# Whoever measures may have told Python not to: every start would then compile everything anew.
_KEEPS_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True, slots=True)
class Target:
    """`pid` is the root of its processes, 0 where there is nothing to measure.

    `share` of the usual number of requests is what it is given: who is many times slower would keep all others waiting.
    `started`: seconds from its start to its first answer, where that was measured.
    """

    name: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    model: str = MODEL
    share: float = 1.0
    started: float = 0.0

    def settle(self) -> None:
        """Wait until what goes on behind a start is done, so that it is not counted as the cost of calls."""
        time.sleep(_AFTER_START)
        until = time.monotonic() + _SETTLE
        while time.monotonic() < until:
            before = processes.cpu_seconds(self.pid)
            time.sleep(0.5)
            if processes.cpu_seconds(self.pid) - before < _RESTING * 0.5:
                return

    def load(self, **members: Any) -> dict[str, Any]:
        """Send a load from a process of its own; what it saw, and µs of CPU a request of this target's processes."""
        load = Load(**{"url": self.url, "headers": self.headers, "models": (self.model,), **members})
        load = replace(load, requests=max(load.connections, round(load.requests * self.share)))
        before = processes.cpu_seconds(self.pid) if self.pid else 0.0
        found = send(load)
        time.sleep(_BEHIND if self.pid else 0.0)
        cpu = processes.cpu_seconds(self.pid) - before if self.pid else 0.0
        return {"target": self.name, **found, "cpu_us": cpu / max(1, found["requests"]) * 1e6}


def send(load: Load) -> dict[str, Any]:
    command = [PYTHON, "-m", "bench.load"]
    done = subprocess.run(command, input=words(load), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return dict(json.loads(done.stdout))


@contextmanager
def mock() -> Iterator[int]:
    """The port of a mock provider."""
    with running(PYTHON, "-m", "bench.upstream") as process:
        yield int(line_of(process))


def direct(port: int) -> Target:
    return Target("direct", f"http://127.0.0.1:{port}{CHAT}", {"authorization": f"Bearer {_PROVIDER_KEY}"})


ROUTED = "Starlette"


@contextmanager
def ceiling(port: int, *, is_routed: bool = False) -> Iterator[Target]:
    key = "sk-ceiling-0123456789"
    how = ["routed"] if is_routed else []
    with running(PYTHON, "-m", "bench.ceiling", str(port), key, MODEL, *how) as process:
        at = int(line_of(process))
        listening(at, process)
        name, headers = ROUTED if is_routed else "ceiling", {"authorization": f"Bearer {key}"}
        yield Target(name, f"http://127.0.0.1:{at}{CHAT}", headers, process.pid)


@dataclass(frozen=True, slots=True)
class Place:
    """A data directory that was set up, and the tree of sources whose gateway serves it."""

    directory: Path
    api_key: str
    token: str
    tree: Path = ROOT

    @contextmanager
    def serving(self, log: str = "gateway.log") -> Iterator[Target]:
        """The gateway on a port of its own, listening."""
        port = processes.free_port()
        command = [PYTHON, "-m", "gateway", "--data-dir", str(self.directory), "--port", str(port)]
        with running(*command, cwd=self.tree, log=self.directory / log, env=_KEEPS_BYTECODE) as process:
            listening(port, process)
            yield Target("gateway", f"http://127.0.0.1:{port}{CHAT}", self._headers(), process.pid)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"}

    def start_seconds(self) -> float:
        """From the start of the program to its first answered call."""
        began = time.perf_counter()
        with self.serving() as target:
            ask(target, {"model": MODEL, "messages": [{"role": "user", "content": "Say something."}]})
            return time.perf_counter() - began


def set_up(directory: Path, tree: Path = ROOT) -> Place:
    """A new data directory without any provider."""
    command = [PYTHON, "-m", "gateway", "init", "--data-dir", str(directory), "--json", "--no-detect"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=tree).stdout)
    return Place(directory, made["api_key"], made["management_token"], tree)


@contextmanager
def gateway(port: int, directory: Path, tree: Path = ROOT) -> Iterator[tuple[Place, Target]]:
    """Served from a new data directory, with one backend that speaks chat completions and one that speaks messages."""
    place = set_up(directory, tree)
    with place.serving() as target:
        add_backend(place, target, port, "bench", MODEL)
        add_backend(place, target, port, "messages", TRANSLATED, api_format="anthropic_messages")
        yield place, target


def add_backend(place: Place, target: Target, port: int, name: str, model: str, **members: object) -> None:
    body = {"name": name, "base_url": f"http://127.0.0.1:{port}/v1", "api_key": _PROVIDER_KEY, "models": [model]}
    management = Target("management", target.url, {"authorization": f"Bearer {place.token}"})
    ask(management, {**body, "local_upstream": True, **members}, "/api/admin/backends")


def ask(target: Target, body: dict[str, Any], path: str = CHAT) -> Any:
    """One JSON request; its answer. Raises Failed where it is refused."""
    parts = urlsplit(target.url)
    assert parts.hostname
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)) as connection:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **target.headers})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise Failed(f"{target.name} answered {answer.status} to {path}: {said[:500]!r}")
        return json.loads(said)
