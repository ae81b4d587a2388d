"""What the gateway costs a call: the same load sent directly to a mock provider and through the gateway, in turns.

    make bench                       # about a minute
    make bench ARGS="--rounds 5"

Figures are medians over the rounds. On a noisy machine compare ratios within one run, not absolute figures between
runs: CPU time of the gateway's process per request is the steadiest of them. Everything is on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import planning, translating
from bench.upstream import CHUNKS

PYTHON = sys.executable
TICKS = os.sysconf("SC_CLK_TCK")
LOADS = [
    ("1 connection", "whole", 1, 400),
    ("16 connections", "whole", 16, 3200),
    ("256 connections", "whole", 256, 5120),
    ("1 stream", "stream", 1, 60),
    ("16 streams", "stream", 16, 320),
]


@contextmanager
def running(*command: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The line that says where it is served; what is logged before it is passed over."""
    while line := line_of(process):
        found: dict[str, Any] = json.loads(line)
        if "api" in found:
            return found
    raise SystemExit("The gateway did not start.")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int) -> float:
    found = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(found.split()[1]) / 1024


def load(url: str, key: str, connections: int, requests: int, mode: str) -> dict[str, float]:
    command = [PYTHON, "-m", "bench.load", url, key, str(connections), str(requests), mode]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def post(url: str, token: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    request.add_header("authorization", f"Bearer {token}")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@contextmanager
def gateway(upstream: str, directory: str) -> Iterator[tuple[str, str, int, float]]:
    """Base URL, API key, process id, and seconds from its start to its first answer."""
    made = json.loads(
        subprocess.run(
            [PYTHON, "-m", "gateway", "init", "--data-dir", directory, "--json", "--no-detect"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    began = time.perf_counter()
    command = ["-m", "gateway", "serve", "--data-dir", directory, "--port", "0", "--log-format", "json", "--no-detect"]
    with running(PYTHON, *command) as process:
        base = ready(process)["api"]
        with urllib.request.urlopen(base.removesuffix("/v1") + "/readyz", timeout=5):
            started = time.perf_counter() - began
        backend = {"name": "bench", "base_url": upstream, "api_key": "sk-bench-0123456789", "models": ["bench"]}
        post(
            base.removesuffix("/v1") + "/api/admin/backends",
            made["management_token"],
            {**backend, "local_upstream": True},
        )
        with ExitStack() as reading:
            assert process.stdout
            # The access log goes to this pipe; somebody has to empty it.
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            reading.callback(drain.wait)
            try:
                yield base, made["api_key"], process.pid, started
            finally:
                process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with running(PYTHON, "-m", "bench.upstream") as mock, tempfile.TemporaryDirectory() as directory:
        upstream = f"http://127.0.0.1:{int(line_of(mock))}/v1"
        with gateway(upstream, directory) as (base, key, pid, started):
            idle = rss_mb(pid)
            load(base, key, 16, 800, "whole")
            rows = [(name, *measure(base, upstream, key, pid, spec, rounds)) for name, *spec in LOADS]
            report(rows, started, idle, rss_mb(pid))
    print("\nA decision, in a small and a large registry:\n")
    planning.main()
    translating.main()


def measure(base: str, upstream: str, key: str, pid: int, spec: list[Any], rounds: int) -> tuple[Any, ...]:
    mode, connections, requests = spec
    direct, through, cpu = [], [], []
    for _ in range(rounds):
        direct.append(load(upstream, key, connections, requests, mode))
        before = cpu_seconds(pid)
        through.append(load(base, key, connections, requests, mode))
        cpu.append((cpu_seconds(pid) - before) / through[-1]["requests"] * 1_000_000)

    def middle(found: list[dict[str, float]], name: str) -> float:
        return median(one[name] for one in found)

    return (
        mode,
        median(cpu),
        max(cpu) - min(cpu),
        middle(through, "per_second"),
        middle(through, "p50_ms") - middle(direct, "p50_ms"),
        middle(through, "first_ms") - middle(direct, "first_ms"),
        middle(through, "p99_ms"),
    )


def report(rows: list[tuple[Any, ...]], started: float, idle: float, loaded: float) -> None:
    print("| load | CPU µs/request | spread | requests/s | added p50 ms | added first byte ms | p99 ms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, _, cpu, spread, rate, added, first, p99 in rows:
        print(f"| {name} | {cpu:.0f} | {spread:.0f} | {rate:.0f} | {added:.2f} | {first:.2f} | {p99:.1f} |")
    whole = {name: row for name, *row in rows}
    scale = whole["256 connections"][3] / whole["16 connections"][3]
    chunk = (whole["16 streams"][1] - whole["16 connections"][1]) / CHUNKS
    print(f"\n256 connections serve {scale:.2f} × the requests of 16; a chunk of a stream costs {chunk:.0f} µs CPU.")
    print(f"Start to ready {started:.2f} s; resident memory {idle:.0f} MB idle, {loaded:.0f} MB after this load.")


if __name__ == "__main__":
    main()
