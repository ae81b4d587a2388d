"""The program from its start to its end, as a process."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gateway.cli import lock
from tests.cli.program import environment, run, serving


def modes(directory: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()}


def cpu_seconds(pid: int) -> float:
    """What a process has taken of the processor: however busy the machine is, a start takes about as much."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_start_takes_less_than_a_second_of_the_processor(tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        with serving(tmp_path) as program:
            assert program.request("GET", "/readyz")[0] == 200
            seconds.append(cpu_seconds(program.process.pid))

    assert min(seconds) < 1


def test_the_first_start_says_all_there_is_to_say(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as program:
        assert program.url.startswith("http://127.0.0.1:")
        assert program.ready["api_key"].startswith("sk-gw-")
        assert program.ready["admin"].startswith(f"{program.url}/admin/setup/")
        status, _, body = program.ask(program.ready["api_key"])
        assert status == 200
        assert json.loads(body)["choices"][0]["message"]["content"] == "Say hi"


def test_the_printed_curl_line_works_when_pasted_at_the_first_start_and_later(tmp_path: Path) -> None:
    for _ in range(2):
        with serving(tmp_path) as program:
            pasted = subprocess.run(
                ["bash", "-c", program.ready["try"]],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
            assert json.loads(pasted.stdout)["choices"][0]["message"]["content"] == "Say hi"


def test_the_text_banner_has_key_link_and_command(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "--port", "0", "--data-dir", str(tmp_path), "--log-format", "text"],
        env=environment({"OPENAI_API_KEY": "sk-CANARY-00000000000000"}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("  try"):
            process.send_signal(signal.SIGTERM)
    process.stdout.close()

    assert process.wait(timeout=10) == 0
    rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "OPENAI_API_KEY (env)" in rows["found"]
    assert "/v1" in rows["API"] and "sk-gw-" in rows["API"] and "shown once" in rows["API"]
    assert str(tmp_path / "client.env") in rows["API"]
    assert "/admin/setup/" in rows["Admin"] and "one use, 15 min" in rows["Admin"]
    assert "curl -sS" in rows["try"]
    assert "CANARY" not in said


def test_where_standard_output_is_for_json_people_read_the_same_on_standard_error(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        assert program.stop() == 0
        shown = program.banner

    assert program.ready["api_key"] in shown and program.ready["admin"] in shown
    assert program.ready["try"] in shown
    assert all(json.loads(line) for line in program.lines)


def test_later_starts_show_no_key_and_keep_what_was_there(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        key = first.ready["api_key"]
        assert first.stop() == 0
    with serving(tmp_path) as second:
        assert second.ready["api_key"] is None
        assert second.ready["found"] == []
        assert second.ask(key)[0] == 200
        assert key not in "".join(second.lines)


def test_everything_in_the_data_directory_is_the_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    with serving(data) as program:
        program.ask(program.ready["api_key"])
        found = modes(data)
        assert {"gateway.db", "gateway.db-wal", "master.key", "gateway.lock", "client.env"} <= set(found)
        assert set(found.values()) == {0o600}
        assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_it_leaves_no_core_dump(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        limits = Path(f"/proc/{program.process.pid}/limits").read_text()

    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


def test_a_second_process_on_the_same_directory_exits_73_and_names_the_first(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        second = run("--port", "0", "--data-dir", str(tmp_path))
        setting_up = run("init", "--data-dir", str(tmp_path))

        assert second.returncode == setting_up.returncode == 73
        assert str(program.process.pid) in second.stderr and program.url in second.stderr
        assert program.request("GET", "/readyz")[0] == 200


def test_after_kill_9_the_next_start_takes_over_and_everything_works(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        key = first.ready["api_key"]
        assert first.ask(key)[0] == 200
        first.process.kill()
        first.process.wait()
        assert lock.holder(tmp_path) is None
    with serving(tmp_path) as second:
        assert second.ask(key)[0] == 200


def test_somebody_who_only_looks_at_the_lock_does_not_keep_it_from_its_taker(tmp_path: Path) -> None:
    (tmp_path / "gateway.lock").write_bytes(b"")
    descriptor = os.open(tmp_path / "gateway.lock", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    threading.Timer(0.06, os.close, [descriptor]).start()

    with lock.hold(tmp_path) as held:
        held.announce("http://x")
        assert lock.holder(tmp_path) == lock.Holder(os.getpid(), "http://x")
    assert lock.holder(tmp_path) is None


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGTERM], [signal.SIGINT], [signal.SIGHUP], [signal.SIGINT, signal.SIGINT]],
    ids=["SIGTERM", "SIGINT", "SIGHUP", "SIGINT twice"],
)
def test_every_signal_that_stops_ends_with_0_and_a_written_ledger(
    tmp_path: Path, signals: list[signal.Signals]
) -> None:
    with serving(tmp_path) as program:
        key = program.ready["api_key"]
        assert program.ask(key)[0] == 200
        assert program.stop(*signals) == 0
    assert not (tmp_path / "gateway.db-wal").exists()
    with serving(tmp_path) as later:
        assert later.ask(key)[0] == 200
        later.stop()
    assert calls_written(tmp_path) == 2


def calls_written(data_dir: Path) -> int:
    with contextlib.closing(sqlite3.connect(data_dir / "gateway.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def test_a_call_in_flight_is_served_to_its_end_while_the_program_stops(tmp_path: Path) -> None:
    with serving(tmp_path) as program, concurrent.futures.ThreadPoolExecutor(1) as thread:
        call = thread.submit(program.ask, program.ready["api_key"], "demo/slow", stream=True)
        time.sleep(0.5)
        assert program.stop() == 0
        status, _, body = call.result()

    assert status == 200
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_stop_does_not_wait_for_open_streams_of_events(tmp_path: Path) -> None:
    made = json.loads(run("init", "--json", "--data-dir", str(tmp_path)).stdout)
    bearer = {"authorization": f"Bearer {made['management_token']}"}
    with serving(tmp_path) as program, concurrent.futures.ThreadPoolExecutor(1) as thread:
        stream = thread.submit(program.request, "GET", "/api/admin/events", None, bearer)
        time.sleep(0.5)
        began = time.monotonic()
        assert program.stop() == 0
        assert time.monotonic() - began < 2
        status, _, body = stream.result()

    assert (status, b"event: ready" in body) == (200, True)


def test_a_second_interrupt_does_not_wait_for_calls_but_writes_them_down(tmp_path: Path) -> None:
    with serving(tmp_path) as program, concurrent.futures.ThreadPoolExecutor(1) as thread:
        call = thread.submit(program.ask, program.ready["api_key"], "demo/slow", stream=True)
        time.sleep(0.5)
        began = time.monotonic()
        assert program.stop(signal.SIGINT, signal.SIGINT) == 0
        assert time.monotonic() - began < 4
        call.exception()
    assert calls_written(tmp_path) == 1


def test_a_port_that_is_taken_is_said_so_with_exit_code_78(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("--port", str(port), "--data-dir", str(tmp_path))

    assert refused.returncode == 78
    assert f"--port {port}" in refused.stderr and "Traceback" not in refused.stderr
    assert not (tmp_path / "gateway.db").exists()


def test_all_faults_of_the_configuration_come_at_once_with_exit_code_78(tmp_path: Path) -> None:
    refused = run(
        "--port",
        "99999",
        "--log-format",
        "xml",
        "--data-dir",
        str(tmp_path),
        GATEWAY_TRUSTED_PROXIES="*",
        GATEWAY_PROT="1",
    )

    assert refused.returncode == 78
    for source in ("--port", "--log-format", "GATEWAY_TRUSTED_PROXIES", "GATEWAY_PROT"):
        assert source in refused.stderr
    assert "did you mean GATEWAY_PORT?" in refused.stderr


def test_a_directory_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run("--data-dir", str(tmp_path / "file" / "data"))

    assert refused.returncode == 78
    assert "--data-dir" in refused.stderr and "Traceback" not in refused.stderr


def test_a_wrong_word_is_a_usage_fault(tmp_path: Path) -> None:
    assert run("--no-such-flag").returncode == 2
    assert run("no-such-command").returncode == 2
    assert run("--help").returncode == 0
    shown = run("serve", "--help").stdout
    assert "--grace-seconds" in shown and "GATEWAY_GRACE_SECONDS" in shown


def test_without_its_master_key_an_old_database_stays_closed(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        program.stop()
    key = (tmp_path / "master.key").read_text()
    for wrong in (None, "00" * 32):
        (tmp_path / "master.key").unlink()
        if wrong:
            (tmp_path / "master.key").write_text(wrong)
            (tmp_path / "master.key").chmod(0o600)
        began = time.monotonic()
        refused = run("--port", "0", "--data-dir", str(tmp_path))

        assert refused.returncode == 78
        assert time.monotonic() - began < 3, "slow even for a busy machine"
        assert str(tmp_path / "master.key") in refused.stderr
        assert (tmp_path / "master.key").exists() is bool(wrong)
        (tmp_path / "master.key").write_text(key)
        (tmp_path / "master.key").chmod(0o600)
    with serving(tmp_path) as program:
        assert program.request("GET", "/readyz")[0] == 200


def test_a_gateway_without_a_password_does_not_listen_beyond_loopback(tmp_path: Path) -> None:
    refused = run("--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path))
    assert refused.returncode == 78
    command = refused.stderr.splitlines()[-1].strip()
    assert "password reset" in command and str(tmp_path) in command

    mended = subprocess.run(
        ["bash", "-c", command],
        env=environment(),
        input="nine green kettles\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert mended.returncode == 0, mended.stderr

    with serving(tmp_path, "--host", "0.0.0.0") as program:
        assert program.ready["api_key"], "the first key is shown by the first serve, whatever came before"
        assert program.ready["admin"] == f"{program.url}/admin"
        assert program.ask(program.ready["api_key"])[0] == 200


def test_a_password_file_makes_the_administrator(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("nine green kettles\n")
    with serving(
        tmp_path / "data", "--host", "0.0.0.0", GATEWAY_ADMIN_PASSWORD_FILE=str(tmp_path / "password")
    ) as program:
        assert "setup" not in program.ready["admin"]
        program.stop()
    (tmp_path / "password").write_text("password1234\n")
    refused = run(
        "--port", "0", "--data-dir", str(tmp_path / "other"), "--admin-password-file", str(tmp_path / "password")
    )

    assert refused.returncode == 78
    assert "--admin-password-file" in refused.stderr and "password1234" not in refused.stderr


def test_keys_in_the_environment_are_referred_to_and_never_copied(tmp_path: Path) -> None:
    secret = "sk-CANARY-" + "7" * 30
    with serving(tmp_path, OPENAI_API_KEY=secret, GATEWAY_MASTER_KEY="ab" * 32) as program:
        assert "OPENAI_API_KEY (env)" in program.ready["found"]
        program.ask(program.ready["api_key"])
        program.stop()
        said = "".join(program.lines) + program.banner

    assert secret not in said
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert secret.encode() not in content and secret[-20:].encode() not in content, file
        assert b"abababab" not in content and bytes.fromhex("ab" * 16) not in content, file
    assert b"OPENAI_API_KEY" in (tmp_path / "gateway.db").read_bytes()


def test_the_admin_link_and_the_key_are_in_no_later_line(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        link = program.ready["admin"]
        program.request("GET", link.removeprefix(program.url))
        program.ask(program.ready["api_key"])
        before = len(program.lines)
        program.stop()

    later = "\n".join(program.lines[before:])
    assert link.rsplit("/", 1)[1] not in later
    assert program.ready["api_key"] not in later
    assert all(json.loads(line) for line in program.lines[before:])


def test_a_stop_is_heard_while_the_program_is_still_starting(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "--port", "0", "--data-dir", str(tmp_path)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 10
    while not (tmp_path / "gateway.db").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=10)

    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_large_head_is_refused_by_the_real_server(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        status, headers, _ = program.request("GET", "/livez", headers={"x-large": "y" * 40_000})

        assert status == 431
        assert headers["connection"] == "close"
