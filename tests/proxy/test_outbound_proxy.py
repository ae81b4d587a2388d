"""Calls that leave through an endpoint's own proxy, and endpoints with a path of their own."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer, stream

pytestmark = pytest.mark.anyio


async def set_endpoint(gateway: RunningGateway, endpoint_id: str, **change: object) -> None:
    got = await gateway.client.patch(
        f"/api/admin/endpoints/{endpoint_id}",
        headers={"authorization": f"Bearer {gateway.management_token}"},
        json=change,
    )
    assert got.status_code == 200, got.text
    assert "CANARY" not in got.text


async def test_a_call_goes_through_the_endpoints_proxy_with_its_credentials(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    """The proxy double answers in the provider's place, which shows that nothing goes past it."""
    target, proxy = await provider(), await provider(answer())
    made = await gateway.backend(target)
    address = proxy.base_url.removesuffix("/v1").removeprefix("http://")
    await set_endpoint(gateway, made.endpoint.id, proxy=f"http://ann:CANARY@{address}")

    got = await gateway.call()

    assert got.status_code == 200
    assert target.heard == []
    heard = proxy.heard[0]
    assert heard.path == f"{target.base_url}/chat/completions"
    assert heard.headers["proxy-authorization"] == "Basic " + b64encode(b"ann:CANARY").decode()
    assert heard.headers["authorization"] == "Bearer sk-provider-secret-0001"

    await set_endpoint(gateway, made.endpoint.id, proxy="")
    await gateway.call()
    assert (len(target.heard), len(proxy.heard)) == (1, 1)
    assert "proxy-authorization" not in target.heard[0].headers


async def test_a_proxy_that_cannot_be_reached_leaves_the_call_to_the_next_backend(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    first, second = await provider(), await provider()
    made = await gateway.backend(first)
    await gateway.backend(second, pool="fallback")
    await set_endpoint(gateway, made.endpoint.id, proxy="http://127.0.0.1:1")

    got = await gateway.call()

    assert (got.status_code, len(first.heard), len(second.heard)) == (200, 0, 1)


async def test_a_metadata_address_is_not_dialled_even_as_a_proxy(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider())
    await set_endpoint(gateway, made.endpoint.id, proxy="http://169.254.169.254:80")

    got = await gateway.call()

    assert got.status_code == 502
    assert "may be dialled" in (await gateway.row()).attempts[0].error


async def test_an_endpoints_own_path_takes_the_place_of_the_formats(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    target = await provider(stream())
    made = await gateway.backend(target)
    await set_endpoint(gateway, made.endpoint.id, custom_path="/deployments/m/chat")

    await gateway.call(stream=True)
    await set_endpoint(gateway, made.endpoint.id, custom_path="")
    await gateway.call(stream=True)

    assert [heard.path for heard in target.heard] == ["/v1/deployments/m/chat", "/v1/chat/completions"]
