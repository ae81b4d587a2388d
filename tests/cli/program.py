"""The real program in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
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
    lines: list[str]
    _errors: IO[str]
    _reader: threading.Thread

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
        code = self.process.wait(timeout=20)
        self._reader.join(timeout=20)
        return code


@contextlib.contextmanager
def serving(data_dir: Path, *words: str, **environ: str) -> Iterator[Program]:
    """`serve` on a free port, ready; killed at the end if it still runs."""
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
        lines: list[str] = []
        is_ready = threading.Event()
        reader = threading.Thread(target=_read_lines, args=(process.stdout, lines, is_ready), daemon=True)
        reader.start()
        try:
            is_ready.wait(START_SECONDS)
            ready = [line for line in lines if _READY in line]
            if not ready:
                errors.seek(0)
                raise AssertionError(f"it did not get ready; exit code {process.poll()}; {lines}; {errors.read()}")
            yield Program(process, json.loads(ready[0]), lines, errors, reader)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            reader.join(timeout=20)


_READY = '"event":"ready"'


def _read_lines(output: IO[str], lines: list[str], is_ready: threading.Event) -> None:
    """Until the program's end."""
    for line in output:
        lines.append(line)
        if _READY in line:
            is_ready.set()
    is_ready.set()
