"""The door: probes, greetings, prefixes and proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import RunningGateway, running_gateway

pytestmark = pytest.mark.anyio


async def test_probes_answer_without_a_key(gateway: RunningGateway) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        got = await gateway.client.get(path)
        assert (got.status_code, got.json()["status"]) == (200, "ok")


async def test_readiness_turns_red_and_calls_are_refused_while_stopping(gateway: RunningGateway) -> None:
    gateway.app.begin_stop()

    ready, live, call = (
        await gateway.client.get("/readyz"),
        await gateway.client.get("/livez"),
        await gateway.call("demo/echo"),
    )

    assert (ready.status_code, ready.json()["reasons"]) == (503, ["stopping"])
    assert live.status_code == 200
    assert (call.status_code, call.headers["retry-after"]) == (503, "2")


async def test_the_root_greets_programs_and_sends_browsers_to_the_admin_site(gateway: RunningGateway) -> None:
    program = await gateway.client.get("/")
    browser = await gateway.client.get("/", headers={"accept": "text/html"})

    assert program.json()["name"] == "Weir"
    assert (browser.status_code, browser.headers["location"]) == (303, "/admin")


async def test_no_answer_allows_another_origin_to_read_it(gateway: RunningGateway) -> None:
    for path in ("/v1/models", "/api/admin/providers", "/admin/login", "/"):
        got = await gateway.client.get(path, headers={"origin": "https://evil.test", **gateway.auth})
        assert not [name for name in got.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("prefix", ["", "/llm/gw"])
async def test_the_gateway_works_under_a_path_whether_or_not_the_proxy_strips_it(tmp_path: Path, prefix: str) -> None:
    async with running_gateway(tmp_path, root_path="/llm/gw") as gateway:
        assert (await gateway.client.get(f"{prefix}/livez")).status_code == 200
        assert (await gateway.client.get(f"{prefix}/v1/models", headers=gateway.auth)).status_code == 200
        greeted = await gateway.client.get(f"{prefix}/", headers={"accept": "text/html"})
        assert greeted.headers["location"] == "/llm/gw/admin"


async def test_x_forwarded_for_is_believed_only_of_a_trusted_proxy(tmp_path: Path) -> None:
    spoofed = {"x-forwarded-for": "6.6.6.6, 9.9.9.9"}
    async with running_gateway(tmp_path / "a") as plain:
        await plain.call("none", headers=spoofed)
        assert (await plain.row()).client_ip == "127.0.0.1"
    async with running_gateway(tmp_path / "b", trusted_proxies=("127.0.0.0/8",)) as trusting:
        await trusting.call("none", headers=spoofed)
        assert (await trusting.row()).client_ip == "9.9.9.9"


async def test_a_name_of_the_operators_is_answered_to(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, allowed_hosts=("llm.example.org",)) as gateway:
        named = await gateway.client.get("/livez", headers={"host": "llm.example.org"})
        other = await gateway.client.get("/livez", headers={"host": "other.example.org"})

    assert (named.status_code, other.status_code) == (200, 421)
    assert "GATEWAY_ALLOWED_HOSTS" in other.json()["error"]["message"]
