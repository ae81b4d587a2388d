"""A gateway with two providers, where a test turns one field over the JSON API and then makes a real call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from gateway.control.backends import BackendMade
from gateway.model.calls import CallRecord
from tests.harness import RunningGateway
from tests.provider import Provider

Json = dict[str, Any]


@dataclass(slots=True)
class Place:
    """A gateway whose model `m` is served by `first` in the pool primary, then by `second` in fallback."""

    gateway: RunningGateway
    first: Provider
    second: Provider
    made: BackendMade
    spare: BackendMade

    async def send(self, method: str, path: str, **body: Any) -> httpx.Response:
        credential = {"authorization": f"Bearer {self.gateway.management_token}"}
        return await self.gateway.client.request(method, f"/api/admin{path}", headers=credential, json=body)

    async def patch(self, path: str, **change: Any) -> Json:
        got = await self.send("PATCH", path, **change)
        assert got.status_code == 200, got.text
        found: Json = got.json()
        return found

    def path_of(self, noun: str, *, spare: bool = False) -> str:
        of = self.spare if spare else self.made
        ids = {
            "providers": of.provider.id,
            "endpoints": of.endpoint.id,
            "provider-keys": of.key.id,
            "pools": of.key.pool_id,
            "models": of.models[0].id,
            "mappings": of.mappings[0].id,
            "backends": of.backend_id,
            "api-keys": self.gateway.desk.snapshot().registry.api_keys[0].id,
        }
        return f"/{noun}/{ids[noun]}"

    async def turn(self, noun: str, *, spare: bool = False, **change: Any) -> Json:
        """Change what belongs to the first backend, or to the spare one."""
        return await self.patch(self.path_of(noun, spare=spare), **change)

    async def call(self, **body: Any) -> tuple[str, CallRecord]:
        """Who answered (`first`, `second` or nobody), and the ledger's row."""
        before = len(await self.gateway.rows())
        got = await self.gateway.call(**body)
        rows = await self.gateway.rows()
        assert len(rows) == before + 1
        names = {self.made.provider.name: "first", self.spare.provider.name: "second"}
        return names.get(got.headers.get("x-gateway-provider", ""), "nobody"), rows[-1]
