"""Where the gateway dials: only public addresses, and the private ones that an operator named."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpcore
import httpx
import pytest

from gateway.proxy.guard import GuardedBackend, may_dial
from gateway.proxy.lines import Outbound
from gateway.proxy.names import Names
from gateway.proxy.upstream import ConnectFailed, KeyUnusable, open_upstream
from gateway.routing.snapshot import Backend
from gateway.vault import Vault, mask, provider_key_binding
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer
from tests.routing.build import endpoint, key, snapshot

VAULT = Vault(bytes(range(32)))


def nothing_local(host: str, port: int) -> bool:
    return False


def everything_local(host: str, port: int) -> bool:
    return True


PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "0.0.0.0",
    "::1",
    "fe80::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "198.18.0.1",
]
METADATA = [
    "169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "::ffff:169.254.169.254",
    "100.100.100.200",
    "fd00:ec2::254",
]


@pytest.mark.parametrize("address", PRIVATE + METADATA)
def test_no_private_address_is_dialled_however_it_is_written(address: str) -> None:
    assert not may_dial("host", 443, [address], nothing_local)


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_not_dialled_even_where_the_operator_allows_it(address: str) -> None:
    assert not may_dial("host", 80, [address], everything_local)


def test_one_private_answer_among_public_ones_refuses_all() -> None:
    assert may_dial("host", 443, ["1.1.1.1"], nothing_local)
    assert not may_dial("host", 443, ["1.1.1.1", "127.0.0.1"], nothing_local)
    assert not may_dial("host", 443, [], nothing_local)


def test_ports_of_other_protocols_are_not_dialled() -> None:
    assert not may_dial("host", 6379, ["1.1.1.1"], nothing_local)


class Rebinding(httpcore.AsyncNetworkBackend):
    """Records what is dialled; nothing is."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(self, host: str, *args: object, **options: object) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        raise httpcore.ConnectError("nothing is there")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", ["localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "ip6-localhost"]
)
async def test_names_of_this_machine_never_reach_a_socket(name: str) -> None:
    inner = Rebinding()
    names = Names()
    guard = GuardedBackend(inner, nothing_local, names)
    with pytest.raises(httpcore.ConnectError):
        await guard.connect_tcp(name, 80)
    names.close()
    assert inner.dialled == []


@pytest.mark.anyio
async def test_the_address_that_was_checked_is_the_one_that_is_dialled() -> None:
    inner = Rebinding()
    names = Names()
    guard = GuardedBackend(inner, everything_local, names)
    with pytest.raises(httpcore.ConnectError, match="nothing is there"):
        await guard.connect_tcp("localhost", 80)
    names.close()
    assert inner.dialled
    assert all(address in ("127.0.0.1", "::1") for address in inner.dialled)


@pytest.mark.anyio
async def test_the_guard_sits_inside_httpx() -> None:
    """httpx has no public way to set the network backend: this fails on the day the private one moves."""
    transport = httpx.AsyncHTTPTransport()
    assert isinstance(transport._pool, httpcore.AsyncConnectionPool)
    assert isinstance(transport._pool._network_backend, httpcore.AsyncNetworkBackend)


def at(base_url: str, **changes: object) -> Backend:
    found = next(iter(snapshot(key("a", **changes)).backends.values()))
    return Backend(found.id, found.provider, endpoint("a", base_url=base_url), found.key, found.pool)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[str]]]:
    """A port of this machine that counts who connects."""
    seen: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connected")
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()


@pytest.mark.anyio
async def test_a_private_provider_is_reached_only_with_the_operators_word() -> None:
    async with listening() as (port, seen), open_upstream(VAULT, {}, nothing_local) as upstream:
        with pytest.raises(ConnectFailed, match="may be dialled"):
            await upstream.send(at(f"http://127.0.0.1:{port}/v1"), Outbound("POST", "/chat/completions", b"{}"))
    assert seen == []


@pytest.mark.anyio
async def test_a_key_is_sent_only_to_the_origin_it_was_entered_for() -> None:
    sealed = VAULT.seal("sk-secret", provider_key_binding("k-a", "https://a.test:443"))
    stolen = at("http://127.0.0.1:1/v1", sealed=sealed, bound_origin="https://a.test:443", masked=mask("sk-secret" * 3))
    swapped = at("https://a.test/v1", id="other", sealed=sealed, bound_origin="https://a.test:443", masked="x")
    elsewhere = at("http://127.0.0.1:1/v1", env_name="SET_API_KEY", bound_origin="https://a.test:443", masked="")
    async with open_upstream(VAULT, {"SET_API_KEY": "sk-env"}, everything_local) as upstream:
        for backend in (stolen, swapped, elsewhere):
            with pytest.raises(KeyUnusable):
                await upstream.send(backend, Outbound("POST", "/chat/completions", b"{}"))


@pytest.mark.anyio
async def test_a_redirect_is_not_followed_and_the_key_stays_here(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    thief = await provider()
    await gateway.backend(await provider(answer({}, 307, {"location": f"{thief.base_url}/chat/completions"})))

    got = await gateway.call()

    assert (got.status_code, thief.heard) == (502, [])
    assert "location" not in got.headers


@pytest.mark.anyio
async def test_the_models_of_a_provider_are_asked_for_with_its_key(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    listed = await provider(
        answer({"data": [{"id": "b"}, {"id": "a"}]}), answer({"error": {"message": "bad key"}}, 401)
    )
    made = await gateway.backend(listed)
    backend = gateway.desk.snapshot().backends[made.backend_id]

    assert await gateway.desk.ask_models(backend) == ["a", "b"]
    with pytest.raises(Exception, match="401: bad key"):
        await gateway.desk.ask_models(backend)
    assert listed.heard[0].path == "/v1/models"
    assert listed.heard[0].headers["authorization"] == "Bearer sk-provider-secret-0001"
