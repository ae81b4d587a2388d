"""What every request of a client passes first: its arrival is noted, its key recognised, its body read."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from gateway.clock import Clock
from gateway.formats.errors import GOOGLE
from gateway.ids import new_request_id
from gateway.model.people import ApiKey
from gateway.proxy.body import BodyReader
from gateway.proxy.call import Arrival
from gateway.proxy.credentials import authenticate, read_credential
from gateway.proxy.surfaces import family_of, query_value
from gateway.routing.snapshot import Snapshot
from gateway.vault import Vault

Scope = MutableMapping[str, Any]


class Entrance:
    def __init__(self, snapshot: Callable[[], Snapshot], vault: Vault, clock: Clock, largest_body: int) -> None:
        self.snapshot = snapshot
        self.clock = clock
        self.bodies = BodyReader(largest_body)
        self._vault = vault

    def arrive(self, scope: Scope) -> Arrival:
        client = scope.get("client")
        headers = tuple(scope["headers"])
        return Arrival(
            id=new_request_id(),
            received=self.clock.mono(),
            started_at=self.clock.wall_ms(),
            path=scope["path"],
            headers=headers,
            client_ip=client[0] if client else "",
            family=family_of(scope["path"], headers),
            query=scope.get("query_string", b""),
        )

    def authenticate(self, arrival: Arrival) -> ApiKey:
        """Raises NotAuthenticated or BadInput. The only place where an API key becomes a caller."""
        # Gemini's clients may put it into the query; nobody else's, for a query is easily written down.
        in_query = query_value(arrival.query, "key") if arrival.family is GOOGLE else ""
        credential = read_credential(arrival.headers, in_query)
        return authenticate(self.snapshot(), self._vault, credential, arrival.started_at)
