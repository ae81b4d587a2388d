"""The real program in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 20.0


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would be detected or taken for a setting."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("GATEWAY_") and not name.endswith(("_KEY", "_TOKEN", "_SECRET", "_BASE_URL"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "NO_PROXY": "*", "no_proxy": "*", **(more or {})}


def run(*words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        env=environment(environ),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@dataclass(slots=True)
class Program:
    """A gateway that serves. `ready` is its banner as JSON."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]
    started_after: float
    lines: list[str]
    _errors: IO[str]

    @property
    def banner(self) -> str:
        """What people read, on standard error."""
        self._errors.seek(0)
        return self._errors.read()

    @property
    def url(self) -> str:
        return str(self.ready["api"]).removesuffix("/v1")

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"content-type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def ask(self, key: str, model: str = "demo/echo", **body: object) -> tuple[int, dict[str, str], bytes]:
        messages = [{"role": "user", "content": "Say hi"}]
        headers = {"authorization": f"Bearer {key}"}
        return self.request("POST", "/v1/chat/completions", {"model": model, "messages": messages, **body}, headers)

    def stop(self, *signals: signal.Signals) -> int:
        """Send these one after the other; the exit code."""
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
            time.sleep(0.05)
        output, _ = self.process.communicate(timeout=20)
        self.lines += output.splitlines()
        return self.process.returncode


@contextlib.contextmanager
def serving(data_dir: Path, *words: str, **environ: str) -> Iterator[Program]:
    """`serve` on a free port, ready; killed at the end if it still runs."""
    began = time.monotonic()
    command = [sys.executable, "-m", "gateway", "--port", "0", "--data-dir", str(data_dir), "--log-format", "json"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*command, *words],
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            lines: list[str] = []
            while not (lines and '"event":"ready"' in lines[-1]):
                lines.append(_line(process, began, errors))
            yield Program(process, json.loads(lines[-1]), time.monotonic() - began, lines, errors)
        finally:
            if process.poll() is None:
                process.kill()


def _line(process: subprocess.Popen[str], began: float, errors: IO[str]) -> str:
    assert process.stdout is not None
    left = began + START_SECONDS - time.monotonic()
    readable, _, _ = select.select([process.stdout], [], [], max(0, left))
    line = process.stdout.readline() if readable else ""
    if not line:
        errors.seek(0)
        raise AssertionError(f"the program said nothing more; exit code {process.poll()}; {errors.read()}")
    return line
