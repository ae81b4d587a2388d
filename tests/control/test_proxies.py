"""An endpoint's own path and its outbound proxy."""

from __future__ import annotations

import pytest

from gateway.control import endpoints, providers
from gateway.control.desk import Desk
from gateway.control.proxies import shown_proxy
from gateway.errors import InvalidFields
from gateway.vault import proxy_binding
from tests.desks import ANN
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

ENDPOINT = {"provider_id": "acme", "base_url": "https://a.example/v1"}
PROXY = "http://ann:CANARY@proxy.example.com:3128"


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await providers.create(desk, ANN, {"name": "acme"})
    return desk


async def test_a_proxys_password_is_sealed_to_its_endpoint_and_never_shown(desk: Desk) -> None:
    made = await endpoints.create(desk, ANN, {**ENDPOINT, "proxy": PROXY})

    assert made.proxy_shown == "http://proxy.example.com:3128"
    assert made.proxy_sealed is not None
    assert desk.vault.unseal(made.proxy_sealed, proxy_binding(made.id)).reveal() == PROXY
    with pytest.raises(ValueError, match="sealed for something else"):
        desk.vault.unseal(made.proxy_sealed, proxy_binding("another"))
    assert "CANARY" not in f"{made!r}{[row.after for row in await audit_rows(desk)]}"
    assert "proxy.example.com:3128" in desk.snapshot().local_upstreams


async def test_a_proxy_stays_until_it_is_changed_or_emptied(desk: Desk) -> None:
    made = await endpoints.create(desk, ANN, {**ENDPOINT, "proxy": PROXY})

    kept = await endpoints.update(desk, ANN, made.id, {"idle_seconds": 5})
    assert kept.proxy_sealed == made.proxy_sealed
    gone = await endpoints.update(desk, ANN, made.id, {"proxy": ""})
    assert (gone.proxy_sealed, gone.proxy_shown) == (None, "")


@pytest.mark.parametrize("path", ["x", "/a#b", "//a", "/a/../b", "/a b", "/", "/a/./b", "https://b.example"])
async def test_an_own_path_is_a_path_alone(desk: Desk, path: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await endpoints.create(desk, ANN, {**ENDPOINT, "custom_path": path})
    assert list(refused.value.fields) == ["custom_path"]


@pytest.mark.parametrize(
    "path",
    ["", "/deployments/x:y/chat/completions", "/v2/chat", "/d/{model}/audio/{action}?api-version=2024-10-21&a=b"],
)
async def test_a_sound_path_is_kept(desk: Desk, path: str) -> None:
    made = await endpoints.create(desk, ANN, {**ENDPOINT, "custom_path": path})
    assert made.custom_path == path


def test_a_proxys_address_is_shown_without_its_credentials() -> None:
    assert shown_proxy("http://a:b@[2606:4700::1111]:80") == "http://[2606:4700::1111]:80"
    assert shown_proxy("") == ""
