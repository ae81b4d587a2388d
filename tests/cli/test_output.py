"""What the program says where nobody reads it."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest

from gateway.cli import lock
from gateway.cli.output import MOST_BYTES, MOST_LINES, Output, writing
from tests.cli.program import environment, run

PIPE = 64 * 1024
SECONDS = 30.0
LONG_NAME = "\N{WATER WAVE}" * 256
"""Of a model; a kibibyte in a line."""


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def up_to(word: str, reader: IO[str]) -> list[str]:
    """Lines, up to the first that has this word."""
    found = [reader.readline()]
    while word not in found[-1]:
        assert found[-1], "it has ended"
        found.append(reader.readline())
    return found


def told(lost: int) -> bytes:
    return b"lost %d" % lost


@contextlib.contextmanager
def a_pipe() -> Iterator[tuple[Output, IO[str]]]:
    """An output, and where it is read."""
    reads, writes = os.pipe()
    with (
        os.fdopen(reads, encoding="utf-8") as reader,
        os.fdopen(writes, "w", encoding="utf-8") as stream,
        writing(stream, told) as output,
    ):
        yield output, reader


def test_what_is_put_is_written_in_its_order() -> None:
    with a_pipe() as (output, reader):
        for number in range(1000):
            output.put(b"%d\n" % number)

        assert [reader.readline() for _ in range(1000)] == [f"{number}\n" for number in range(1000)]


def test_all_that_was_put_is_written_before_the_end() -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads) as reader:
        with os.fdopen(writes, "w") as stream, writing(stream, told) as output:
            for number in range(1000):
                output.put(b"%d\n" % number)

        assert reader.read().split() == [str(number) for number in range(1000)]


def test_lines_that_nobody_takes_are_dropped_and_counted_when_the_reader_comes_back() -> None:
    with a_pipe() as (output, reader):
        for number in range(2 * MOST_LINES):
            output.put(b"%-100d\n" % number)
        found = [line.strip() for line in up_to("lost", reader)]
        output.put(b"after\n")

        *kept, told = found
        assert kept == [str(number) for number in range(len(kept))]
        assert MOST_LINES <= len(kept) < 2 * MOST_LINES
        assert told == f"lost {2 * MOST_LINES - len(kept)}"
        assert reader.readline() == "after\n"


def test_large_lines_are_dropped_earlier() -> None:
    with a_pipe() as (output, reader):
        for _ in range(300):
            output.put(b"x" * 9_999 + b"\n")
        found = up_to("lost", reader)

        kept = len(found) - 1
        assert MOST_BYTES <= (kept + 1) * 10_000 <= MOST_BYTES + PIPE + 2 * 10_000
        assert found[-1] == f"lost {300 - kept}\n"


def test_what_is_too_much_by_itself_is_written_where_nothing_waits() -> None:
    with a_pipe() as (output, reader):
        output.put(b"x" * MOST_BYTES + b"\n", MOST_LINES + 1)

        assert len(reader.readline()) == MOST_BYTES + 1


def test_a_pipe_that_does_not_want_to_wait_gets_everything() -> None:
    reads, writes = os.pipe()
    flags = fcntl.fcntl(writes, fcntl.F_GETFL)
    fcntl.fcntl(writes, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    found: list[str] = []
    with os.fdopen(reads) as reader:
        thread = threading.Thread(target=lambda: found.extend(reader))
        with os.fdopen(writes, "w") as stream, writing(stream, told) as output:
            for number in range(200):
                output.put(b"%-999d\n" % number)
            until(lambda: not select.select([], [writes], [], 0)[1])
            thread.start()
        thread.join()

    assert [line.strip() for line in found] == [str(number) for number in range(200)]


def test_an_output_that_nobody_can_read_any_more_stops_nothing() -> None:
    with a_pipe() as (output, reader):
        reader.close()
        for number in range(10):
            output.put(b"%d\n" % number)


@pytest.mark.parametrize("is_served", [True, False])
def test_a_program_that_fails_has_said_everything_before(is_served: bool) -> None:
    say = "log.info('one'); log.warning('two'); log.info('three')"
    fail = "asyncio.run(serve())" if is_served else "say()"
    script = f"""if True:
        import asyncio, logging
        from gateway.cli.logs import configured
        log = logging.getLogger("gateway.test")
        def say():
            {say}
            raise LookupError
        async def serve():
            say()
        with configured("text"):
            {fail}
    """
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert [line.split()[-1] for line in ended.stdout.splitlines()] == ["one", "two", "three"]
    assert ended.stderr.strip().endswith("LookupError")


@dataclass(slots=True)
class Unread:
    """A gateway that serves, whose standard output nobody reads."""

    process: subprocess.Popen[bytes]
    key: str
    connection: http.client.HTTPConnection

    def ask(self, model: str = "demo/echo") -> int:
        body = {"model": model, "messages": [{"role": "user", "content": "Say hi"}]}
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        return self.answered("POST", "/v1/chat/completions", json.dumps(body), headers)

    def answered(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> int:
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextlib.contextmanager
def unread(data_dir: Path, output: int, *words: str) -> Iterator[Unread]:
    """`output` is its standard output and its standard error."""
    key = json.loads(run("init", "--json", "--no-detect", "--data-dir", str(data_dir)).stdout)["api_key"]
    command = [sys.executable, "-m", "gateway", "--port", "0", "--data-dir", str(data_dir), *words]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as process:
        try:
            until(lambda: (found := lock.holder(data_dir)) and found.url)
            held = lock.holder(data_dir)
            assert held
            place = urlsplit(held.url)
            connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=SECONDS)
            with contextlib.closing(connection):
                yield Unread(process, key, connection)
        finally:
            process.kill()


@contextlib.contextmanager
def two_ends() -> Iterator[tuple[IO[str], int]]:
    """Of a pipe: where it is read, and where it is written."""
    reads, writes = os.pipe()
    with os.fdopen(reads, encoding="utf-8") as reader, os.fdopen(writes, "wb"):
        yield reader, writes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_calls_are_answered_though_nobody_reads_the_log(tmp_path: Path, number: signal.Signals) -> None:
    with two_ends() as (_, writes), unread(tmp_path, writes) as program:
        assert {program.ask() for _ in range(2000 if number is signal.SIGTERM else 400)} == {200}
        assert program.answered("GET", "/readyz") == 200
        assert not select.select([], [writes], [], 0)[1], "it is full"
        assert program.stop(number) == 0


def test_a_start_and_a_stop_need_no_reader(tmp_path: Path) -> None:
    with two_ends() as (_, writes):
        os.set_blocking(writes, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writes, b"x" * 4096):
                pass
        os.set_blocking(writes, True)
        with unread(tmp_path, writes) as program:
            assert program.ask() == 200
            assert program.stop(signal.SIGTERM) == 0


def test_a_reader_that_comes_back_is_told_how_much_was_missed(tmp_path: Path) -> None:
    calls = 1500
    with two_ends() as (reader, writes), unread(tmp_path, writes, "--log-format", "json") as program:
        for _ in range(calls):
            assert program.ask(LONG_NAME) == 404
        before = up_to("dropped", reader)
        missed = json.loads(before[-1])
        assert (missed["level"], missed["logger"]) == ("warning", "gateway.logs")

        assert program.ask() == 200
        after = up_to("demo/echo", reader)
        told = sum('"message":"call"' in line for line in before + after)
        assert told + missed["lines"] == calls + 1
        assert program.stop(signal.SIGTERM) == 0


def test_a_terminal_that_was_stopped_stops_nothing_else(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keys, os.fdopen(theirs, "wb"):
        keys.write(b"\x13")  # Ctrl-S
        with unread(tmp_path, theirs) as program:
            assert {program.ask() for _ in range(20)} == {200}
            assert program.stop(signal.SIGTERM) == 0
