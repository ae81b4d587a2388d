"""Who calls: one function takes the credential from wherever a client may put it."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.errors import BadInput, NotAuthenticated
from gateway.model.people import ApiKey
from gateway.routing.snapshot import Snapshot
from gateway.vault import Vault

_LONGEST = 512
_CARRIERS = (b"x-api-key", b"api-key", b"x-goog-api-key")


def read_credential(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The one credential in `headers`. Raises NotAuthenticated without one, BadInput with two different ones."""
    found: set[str] = set()
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer":
                found.add(token.strip())
        elif name in _CARRIERS:
            found.add(value.decode("latin-1").strip())
    found.discard("")
    if not found:
        raise NotAuthenticated(
            "No API key was sent. Send one as 'Authorization: Bearer <key>' or 'x-api-key: <key>'.", retryable=False
        )
    if len(found) > 1:
        raise BadInput("Two different API keys were sent; send one.", code="ambiguous_credentials", retryable=False)
    return found.pop()


def authenticate(snapshot: Snapshot, vault: Vault, credential: str, wall_ms: int) -> ApiKey:
    """The API key of `credential`. Unknown, disabled and expired ones get the same answer."""
    key = None
    if len(credential) <= _LONGEST:
        key = snapshot.api_keys.get(vault.hash_token(credential))
    if key is None or not key.is_active or (key.expires_at is not None and key.expires_at <= wall_ms):
        raise NotAuthenticated(
            "The API key is not valid here. Make one on the Keys page of this gateway.", retryable=False
        )
    return key
