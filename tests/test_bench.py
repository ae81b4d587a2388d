"""The benchmark measures what it says: loads are checked and end by themselves, and programs are ended."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import installed, peers, processes, targets
from bench.__main__ import main
from bench.calls import Case, in_turns
from bench.installed import Missing
from bench.load import Client, Load, Run, Wrong, quantiles_ms, words
from bench.processes import PYTHON, Failed, running
from bench.profile import stacks_of, tables
from bench.registry import fill
from bench.targets import TRANSLATED, Target
from bench.upstream import CHUNKS, STREAM, STREAM_MESSAGES, WHOLE, WHOLE_MESSAGES

NEVER = b""
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with targets.mock() as found:
        yield found


@asynccontextmanager
async def answering(answer: bytes, *, closes: bool = False) -> AsyncIterator[str]:
    """A server that says the same to everybody; the URL to send a load to."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(answer)
            if closes:
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat/completions"


async def seen_of(answer: bytes, *, closes: bool = False, **members: object) -> dict[str, object]:
    async with answering(answer, closes=closes) as url:
        return await Run(replace(Load(url, requests=3, seconds=5), **members)).whole()  # type: ignore[arg-type]


# The load


@pytest.mark.parametrize(
    "members",
    [
        {"connections": 1, "requests": 20},
        {"connections": 16, "requests": 48},
        {"connections": 4, "requests": 8, "is_stream": True},
        {"connections": 4, "requests": 4, "is_stream": True, "pace": 200},
        {"connections": 2, "requests": 4, "size": 2**20},
    ],
)
def test_every_request_is_answered_and_found_right(port: int, members: dict[str, object]) -> None:
    found = targets.direct(port).load(**members)

    assert (found["requests"], found["errors"], found["wrong"]) == (members["requests"], 0, "")


def test_gaps_are_those_between_the_chunks_of_paced_streams(port: int) -> None:
    paced = targets.direct(port).load(requests=1, is_stream=True, pace=200)
    at_once = targets.direct(port).load(requests=1, is_stream=True)

    assert paced["gap_ms"]["50"] > 2
    assert at_once["gap_ms"] == {}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}", "500 No"),
        (WHOLE.replace(b"xxx", b"yyy"), "not the answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "not the answer"),
    ],
)
async def test_a_wrong_answer_is_counted_and_the_first_is_told(answer: bytes, told: str) -> None:
    found = await seen_of(answer)

    assert (found["requests"], found["errors"]) == (0, 3)
    assert told in str(found["wrong"])


@pytest.mark.parametrize(
    "parts",
    [STREAM[:-1] + [b"0\r\n\r\n"], STREAM[:3] + STREAM[4:], STREAM[:2] + [b"5\r\nhi\r\n"] + STREAM[2:]],
    ids=["without its end", "a chunk short", "broken framing"],
)
async def test_a_stream_that_is_not_whole_is_an_error(parts: list[bytes]) -> None:
    found = await seen_of(b"".join(parts), is_stream=True)

    assert (found["requests"], found["errors"]) == (0, 3)


async def test_a_connection_that_is_closed_is_an_error_and_the_next_request_gets_another() -> None:
    found = await seen_of(WHOLE[:-10], closes=True)

    assert (found["requests"], found["errors"]) == (0, 3)
    assert "connection lost" in str(found["wrong"])


async def test_a_load_that_nobody_answers_ends_by_itself() -> None:
    found = await seen_of(NEVER, seconds=0.05)

    assert (found["requests"], found["errors"]) == (0, 1)
    assert "not done" in str(found["wrong"])


async def test_a_load_stops_after_its_seconds_however_many_requests_are_left() -> None:
    found = await seen_of(WHOLE, requests=10**9, seconds=0.05)

    assert found["errors"] == 0
    assert 0 < int(str(found["requests"])) < 10**9


@pytest.mark.parametrize(("answer", "is_stream"), [(WHOLE, False), (b"".join(STREAM), True)])
async def test_an_answer_is_whole_at_its_last_byte_wherever_it_is_split(answer: bytes, is_stream: bool) -> None:
    for at in [*range(1, 200), *range(len(answer) - 20, len(answer))]:
        client = Client()
        client.waiter = asyncio.get_running_loop().create_future()
        client.data_received(answer[:at])
        assert not client.waiter.done()
        client.data_received(answer[at:])
        assert client.waiter.done()
        client.check(is_stream)


def test_a_check_wants_chunks_that_are_as_long_as_they_say() -> None:
    client = Client()
    client.data_received(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab\r\n\r\n0\r\n\r\n")

    with pytest.raises(Wrong):
        client.check(is_stream=True)


async def test_models_and_keys_are_taken_in_turn() -> None:
    asked = Run(Load("http://127.0.0.1:1/v1/x", models=("a", "b"), tokens=("k0", "k1", "k2")))

    said = [(request[0].split(b"Bearer ")[1][:2], request[0].split(b'"model": "')[1][:1]) for request in asked.requests]
    assert said == [(b"k0", b"a"), (b"k1", b"b"), (b"k2", b"a")]


def test_quantiles_are_of_what_was_seen() -> None:
    assert quantiles_ms([]) == {}
    assert quantiles_ms([0.003, 0.001, 0.002])["50"] == pytest.approx(2)
    assert quantiles_ms([0.001] * 99 + [1.0])["100"] == pytest.approx(1000)


def test_a_load_comes_through_its_words() -> None:
    load = Load("http://127.0.0.1:1/", {"a": "b"}, ("m",), pause=0.5)

    read = json.loads(words(load))
    assert Load(**{**read, "models": tuple(read["models"]), "tokens": tuple(read["tokens"])}) == load


# The mock, the ceiling, the gateway


def test_the_mock_speaks_both_formats_with_the_same_text() -> None:
    assert b"".join(STREAM).count(b"token ") == b"".join(STREAM_MESSAGES).count(b"token ") == CHUNKS
    assert b'"stop_reason": "end_turn"' in WHOLE_MESSAGES
    assert STREAM_MESSAGES[-1].endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("is_routed", [False, True])
def test_the_ceiling_passes_calls_and_streams_on_and_knows_its_key(port: int, is_routed: bool) -> None:
    with targets.ceiling(port, is_routed=is_routed) as target:
        whole = target.load(connections=4, requests=40)
        streams = target.load(connections=4, requests=8, is_stream=True)
        stranger = replace(target, headers={"authorization": "Bearer sk-other"}).load(requests=2)

    assert (whole["requests"], whole["errors"], streams["requests"], streams["errors"]) == (40, 0, 8, 0)
    assert (stranger["requests"], stranger["errors"]) == (0, 2)
    assert "401" in stranger["wrong"]


@pytest.mark.slow
def test_the_gateway_passes_every_check_also_where_it_translates(port: int, tmp_path: Path) -> None:
    with targets.gateway(port, tmp_path / "weir") as (_, target):
        loads = ({"requests": 20}, {"requests": 4, "is_stream": True}, {"requests": 2, "is_stream": True, "pace": 200})
        found = [target.load(connections=2, **members) for members in loads]
        found += [replace(target, model=TRANSLATED).load(connections=2, **members) for members in loads]

    assert [(one["requests"], one["errors"]) for one in found] == [(20, 0), (4, 0), (2, 0)] * 2
    assert all(one["cpu_us"] > 0 for one in found)


def test_who_is_refused_says_what_was_answered(port: int) -> None:
    with targets.ceiling(port) as target, pytest.raises(Failed, match="401"):
        targets.ask(replace(target, headers={}), {"model": "bench"})


def test_targets_take_turns_and_each_begins_a_round(port: int) -> None:
    both = [replace(targets.direct(port), name=name) for name in ("a", "b")]

    rows = list(in_turns("whole", [Case("1", {"connections": 1, "requests": 2})], both, 2))

    assert [(row["round"], row["target"]) for row in rows] == [(0, "a"), (0, "b"), (1, "b"), (1, "a")]


@pytest.mark.slow
def test_a_quick_run_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "results.json"

    code = main(["--only", "whole", "--rounds", "1", "--share", "0.01", "--json", str(kept)])

    rows = json.loads(kept.read_text("utf-8"))["rows"]
    assert code == 0
    measured = {(row["target"], row["case"]) for row in rows if row["experiment"] == "whole"}
    everybody = ("direct", "ceiling", "Starlette", "gateway")
    assert measured == {(name, case) for name in everybody for case in ("1", "16", "256")}
    assert "| ceiling |" in capsys.readouterr().out


def test_an_experiment_that_there_is_not_is_refused() -> None:
    with pytest.raises(SystemExit, match="nothing: not known"):
        main(["--only", "nothing"])


def test_a_registry_is_filled_so_that_every_model_answers_every_key(port: int, tmp_path: Path) -> None:
    place = targets.set_up(tmp_path / "weir")
    models, tokens = fill(place, port, 4, 2, 3)

    with place.serving() as target:
        found = target.load(requests=12, models=models, tokens=tokens, headers={})

    assert (len(models), len(tokens)) == (2, 3)
    assert (found["requests"], found["errors"], found["wrong"]) == (12, 0, "")


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_a_peer_gets_the_same_load_and_the_same_checks(port: int, tmp_path: Path) -> None:
    with peers.serving(["nginx"], port, tmp_path) as (found, missing):
        whole = found[0].load(connections=4, requests=40)
        streams = found[0].load(connections=4, requests=8, is_stream=True)

    assert (missing, [target.name for target in found]) == ({}, ["nginx"])
    assert (whole["requests"], whole["errors"], streams["requests"], streams["errors"]) == (40, 0, 8, 0)


# What others made


def test_what_cannot_be_installed_is_missing_and_tried_again(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise Missing("no such thing")

    for _ in range(2):
        with pytest.raises(Missing, match="no such thing"):
            installed.once(tmp_path / "peer", "peer==1", fail)


def test_what_is_installed_in_the_wanted_version_is_left_as_it_is(tmp_path: Path) -> None:
    made: list[Path] = []

    for wanted in ("peer==1", "peer==1", "peer==2"):
        installed.once(tmp_path / "peer", wanted, made.append)

    assert made == [tmp_path / "peer"] * 2


def test_a_program_that_is_there_is_not_installed_again() -> None:
    assert installed.from_debian("sh") == shutil.which("sh")


# Processes


def test_what_a_program_started_is_ended_with_it() -> None:
    with running("bash", "-c", "(trap '' TERM; exec sleep 60) & echo $!; wait") as process:
        child = int(processes.line_of(process))
        assert set(processes.tree(process.pid)) == {process.pid, child}
    assert process.returncode is not None
    until = time.monotonic() + 10
    while Path(f"/proc/{child}/exe").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not Path(f"/proc/{child}/exe").exists()


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_ends_all_that_it_started(tmp_path: Path) -> None:
    command = [PYTHON, "-m", "bench", "--only", "whole", "--json", str(tmp_path / "results.json")]
    with subprocess.Popen(command, cwd=processes.ROOT, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        while "whole 1 gateway" not in run.stderr.readline():
            assert run.poll() is None
        family = processes.tree(run.pid)
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 128 + signal.SIGTERM

    assert len(family) > 3
    assert [pid for pid in family if Path(f"/proc/{pid}/exe").exists()] == []


def test_what_a_program_prints_is_read_to_its_end() -> None:
    assert processes.printed_by(PYTHON, "-c", "print('one')") == "one\n"
    with pytest.raises(Failed, match="ended with 3"):
        processes.printed_by(PYTHON, "-c", "raise SystemExit(3)")


def test_a_program_that_ends_before_it_listens_is_named() -> None:
    with running(PYTHON, "-c", "raise SystemExit(3)") as process, pytest.raises(Failed, match="with 3"):
        processes.listening(processes.free_port(), process, 30)


def test_cpu_is_that_of_all_threads_and_children() -> None:
    busy = "import threading, time\n"
    busy += "def burn():\n while time.thread_time() < 0.05: pass\n"
    busy += "one = threading.Thread(target=burn)\none.start()\none.join()\nprint(flush=True)\ntime.sleep(60)"
    with running("bash", "-c", f"{PYTHON} -c '{busy}' & wait") as process:
        processes.line_of(process)
        assert processes.cpu_seconds(process.pid) > 0.05
        assert processes.rss_mb(process.pid) > processes.rss_mb(os.getpid()) / 100


def test_a_process_that_is_gone_costs_nothing() -> None:
    with running("true") as process:
        process.wait()
        assert processes.rss_mb(process.pid) == 0
    assert processes.cpu_seconds(process.pid) == 0


# The profile


def test_a_sample_belongs_to_the_innermost_module_of_the_gateway() -> None:
    lines = [
        "main (/x/gateway/cli/serve.py:9);send (/x/gateway/proxy/upstream.py:5);write (/y/python3.11/asyncio/a.py:1) 3",
        "main (/x/gateway/cli/serve.py:9);run (/y/site-packages/uvicorn/server.py:7) 1",
        "loop (/y/site-packages/aiosqlite/core.py:1) 4",
    ]

    found = tables(stacks_of(lines))

    stations = [("aiosqlite", 0.5), ("gateway/proxy/upstream.py", 0.375), ("gateway/cli/serve.py", 0.125)]
    assert found["station"] == stations
    assert found["function, by itself"][1] == ("write (asyncio/a.py)", 0.375)


def test_a_thread_that_waits_on_a_queue_is_no_work(tmp_path: Path) -> None:
    source = tmp_path / "worker.py"
    source.write_text("def run():\n    task = waiting.get()\n    task()\n", "utf-8")

    kept = stacks_of([f"run ({source}:2) 7", f"run ({source}:3) 2"])

    assert kept == [([f"run ({source}:3)"], 2)]


def test_time_goes_on_while_a_target_has_none(port: int) -> None:
    began = time.process_time()
    found = Target("nobody", targets.direct(port).url).load(requests=1)

    assert found["cpu_us"] == 0
    assert time.process_time() >= began


def test_who_is_measured_has_a_core_that_the_load_has_not() -> None:
    cores = processes.halves()
    here = os.sched_getaffinity(0)
    assert cores.measured and cores.measured | cores.others == here
    assert len(here) == 1 or not cores.measured & cores.others

    with processes.on(cores.measured):
        command = (processes.PYTHON, "-c", "import os; print(sorted(os.sched_getaffinity(0)))")
        assert processes.printed_by(*command).strip() == str(sorted(cores.measured))
    assert os.sched_getaffinity(0) == here
