"""Under which names and addresses, and from behind what, the real program is reached."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from gateway.cli.serve import bound, require_password_beyond_loopback
from gateway.errors import ConfigurationFault
from gateway.settings import Settings
from tests.cli.program import Program, serving


def asked_as(program: Program, host: str, path: str = "/v1/models") -> int:
    key = program.ready["api_key"]
    return program.request("GET", path, headers={"host": host, "authorization": f"Bearer {key}"})[0]


def test_only_its_own_names_are_answered(tmp_path: Path) -> None:
    with serving(tmp_path, GATEWAY_ALLOWED_HOSTS="gateway.example.com") as program:
        for host in ("127.0.0.1", "localhost:8080", "gateway.example.com", "[::1]:80"):
            assert asked_as(program, host) == 200, host
        for host in ("evil.test", "gateway.example.com.evil.test", "xgateway.example.com"):
            for path in ("/v1/models", "/admin/login", "/livez", "/api/admin/providers"):
                assert asked_as(program, host, path) == 421, (host, path)


def test_under_a_path_everything_names_that_path(tmp_path: Path) -> None:
    with serving(tmp_path, "--root-path", "/gateway") as program:
        origin = program.url.removesuffix("/gateway")
        assert program.ready["api"] == f"{origin}/gateway/v1"
        assert program.ready["admin"].startswith(f"{origin}/gateway/admin/setup/")
        page = program.ready["admin"].removeprefix(origin)
        for prefix in ("", "/gateway"):
            status, _, body = program.request("GET", prefix + page.removeprefix("/gateway"))
            assert status == 200
            assert b'"/gateway/static/' in body and b'"/static/' not in body
        assert asked_as(program, "127.0.0.1", "/gateway/v1/models") == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 loopback here")
    with serving(tmp_path, "--host", "::1") as program:
        assert program.url.startswith("http://[::1]:")
        assert program.request("GET", "/readyz")[0] == 200


@pytest.mark.parametrize(
    ("trusted", "expected"), [("", "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.9")]
)
def test_who_calls_is_believed_from_trusted_proxies_only(tmp_path: Path, trusted: str, expected: str) -> None:
    with serving(tmp_path, GATEWAY_TRUSTED_PROXIES=trusted) as program:
        headers = {
            "authorization": f"Bearer {program.ready['api_key']}",
            "x-forwarded-for": "198.51.100.1, 203.0.113.9",
        }
        body = {"model": "demo/echo", "messages": [{"role": "user", "content": "Say hi"}]}
        assert program.request("POST", "/v1/chat/completions", body, headers)[0] == 200
        assert program.stop() == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        assert connection.execute("SELECT client_ip FROM calls").fetchall() == [(expected,)]


def test_a_body_over_the_limit_is_413(tmp_path: Path) -> None:
    with serving(tmp_path, GATEWAY_MAX_BODY_BYTES="2048") as program:
        headers = {"authorization": f"Bearer {program.ready['api_key']}"}
        body = {"model": "demo/echo", "messages": [{"role": "user", "content": "x" * 4000}]}
        status, _, answer = program.request("POST", "/v1/chat/completions", body, headers)

    assert status == 413
    assert json.loads(answer)["error"]["code"] == "request_too_large"


def test_a_socket_is_bound_before_anything_else_and_keeps_early_callers_waiting(tmp_path: Path) -> None:
    with bound(Settings(tmp_path, port=0)) as listener:
        early = socket.create_connection(listener.getsockname(), timeout=1)
        early.close()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_a_fault(tmp_path: Path, host: str) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigurationFault) as refusal, bound(Settings(tmp_path, host=host, port=0)):
        pass

    assert host in refusal.value.faults[0]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_password(tmp_path: Path, host: str) -> None:
    require_password_beyond_loopback(Settings(tmp_path, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "gateway.example.com", "localhost.example.com"])
def test_anything_else_does_and_nothing_is_made_to_find_that_out(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigurationFault):
        require_password_beyond_loopback(Settings(tmp_path / "data", host=host))

    require_password_beyond_loopback(Settings(tmp_path / "data", host=host, admin_password_file=tmp_path / "password"))
    assert not (tmp_path / "data").exists()
