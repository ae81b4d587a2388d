"""The lane to providers by itself: a backend for a scripted provider, with a real vault and no gateway around it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from msgspec.structs import replace

from gateway.formats.chat.surface import read_request
from gateway.formats.request import Asked
from gateway.model.origin import origin_of
from gateway.proxy.call import Arrival, Call
from gateway.proxy.pool import Pool
from gateway.proxy.upstream import Upstream, open_upstream
from gateway.routing.snapshot import Backend
from gateway.vault import Vault, provider_key_binding
from tests.harness import HELLO
from tests.provider import Provider
from tests.routing.build import ANYONE, endpoint, key, snapshot

SECRET = "sk-wire-0123456789abcdef"
VAULT = Vault(bytes(range(32)))


def backend_at(base_url: str, *, secret: str | None = SECRET, **of_endpoint: Any) -> Backend:
    """A backend at this address; `secret` None is a keyless one."""
    sealing: dict[str, Any] = {}
    if secret is not None:
        origin = origin_of(base_url)
        sealing = {
            "sealed": VAULT.seal(secret, provider_key_binding("k-a", origin)),
            "bound_origin": origin,
            "masked": "sk-w…cdef",
        }
    made = next(iter(snapshot(key("a", **sealing)).backends.values()))
    return replace(made, endpoint=endpoint("a", base_url=base_url, **of_endpoint))


def backend_of(provider: Provider, **options: Any) -> Backend:
    return backend_at(provider.base_url, **options)


@contextlib.asynccontextmanager
async def lane() -> AsyncIterator[Upstream]:
    async with open_upstream(VAULT, {}, lambda host, port: True) as upstream:
        yield upstream


def pool_of(upstream: Upstream) -> Pool:
    """The connections below, to see that none is left behind."""
    return upstream._transports.direct._pool


def in_use(upstream: Upstream) -> int:
    """Connections on which a call is under way."""
    pool = pool_of(upstream)
    return pool.count - sum(len(stall.idle) for stall in pool.stalls)


def a_call(**body: Any) -> Call:
    sent = json.dumps({"model": "m", "messages": HELLO, **body}).encode()
    return Call(Arrival("req_1", 0.0, 0, "/v1/chat/completions", (), "192.0.2.1"), ANYONE, read_request(Asked(sent)))
