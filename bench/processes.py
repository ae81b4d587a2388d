"""Processes of a run: started, waited for, measured, and ended with all that they started, however the run ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
ROOT = Path(__file__).resolve().parent.parent
_CPU_OF_PROCESS = 2
_END_SECONDS = 10.0


class Failed(Exception):
    """A program that did not do what a run needs, and what it said."""


def end_on_signals() -> None:
    """A run that is told to stop leaves through its `with` blocks, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@contextmanager
def running(
    *command: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT, log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """In a process group of its own, ended at the end. What it prints is a pipe, or goes to `log` with its errors."""
    with contextlib.ExitStack() as closing:
        out = closing.enter_context(log.open("ab")) if log else subprocess.PIPE
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if log else None,
            text=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """First told, then made; also what it started, in whichever group that is."""
    family = {pid: _born(pid) for pid in tree(process.pid)} if process.poll() is None else {}
    _tell(family, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    _tell(family, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _tell(family: Mapping[int, str], number: signal.Signals) -> None:
    for pid, born in family.items():
        # A number may be another's by now.
        if born and _born(pid) == born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _born(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
    return ""


@dataclass(frozen=True, slots=True)
class Halves:
    """The cores for who is measured and those for everybody else; the same where there is but one."""

    measured: frozenset[int]
    others: frozenset[int]


def halves() -> Halves:
    """One core for who is measured, which nobody else takes from it or its caches, and the others for the load."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    first, others = frozenset(cores[:1]), frozenset(cores[1:])
    return Halves(first, others or first)


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started in here keeps to these cores, where the system can do that."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def printed_by(*command: str) -> str:
    """All that a program prints. Raises Failed where it does not end with 0."""
    with running(*command) as process:
        assert process.stdout
        said = process.stdout.read()
        if process.wait():
            raise Failed(f"{' '.join(command)} ended with {process.returncode}.")
        return said


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listening(port: int, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    """Wait until somebody takes connections there. Raises Failed where the process ended, or nobody does in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed(f"{process.args!r} ended with {process.returncode} before it listened.")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.002)
    raise Failed(f"{process.args!r} did not listen within {seconds:.0f} s.")


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, all threads, also those that ended; in nanoseconds' steps.

    This is what clock_getcpuclockid(3) names; /proc/PID/stat has the same sum in steps of 10 ms.
    """
    total = 0.0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~one << 3) | _CPU_OF_PROCESS)
    return total


def rss_mb(pid: int) -> float:
    """Resident memory of a process tree, in MiB."""
    return sum(_rss(one) for one in tree(pid))


def _rss(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0.0
