"""Who calls: one function takes the credential from wherever a client may put it."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.errors import BadInput, Forbidden, NotAuthenticated
from gateway.model.people import ApiKey
from gateway.proxy.said import CREDENTIALS
from gateway.routing.snapshot import Snapshot
from gateway.vault import Vault

_LONGEST = 512


def read_credential(headers: Iterable[tuple[bytes, bytes]], in_query: str = "") -> str:
    """The one credential in `headers`, or in a query where that may hold one.

    Raises NotAuthenticated without one, BadInput with two different ones.
    """
    found = {in_query.strip()}
    for name, value in headers:
        if name not in CREDENTIALS:
            continue
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer":
                found.add(token.strip())
        else:
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
    """The API key of `credential`. Unknown, disabled, expired and replaced ones get the same answer.

    Raises NotAuthenticated, and Forbidden for a key that is locked.
    """
    digest = vault.hash_token(credential) if len(credential) <= _LONGEST else b""
    key = snapshot.api_keys.get(digest)
    is_plain = key is not None and key.expires_at is None and key.old_hash is None
    if key is None or not key.is_active or not (is_plain or _is_in_time(key, digest, wall_ms)):
        raise NotAuthenticated(
            "The API key is not valid here. Make one on the Keys page of this gateway.", retryable=False
        )
    if key.is_locked:
        raise Forbidden(
            "This API key is locked. Ask the operator of this gateway to unlock it.", code="key_locked", retryable=False
        )
    return key


def _is_in_time(key: ApiKey, digest: bytes, wall_ms: int) -> bool:
    """Whether the key has not ended, and the secret with this hash has not been replaced for good."""
    if key.expires_at is not None and key.expires_at <= wall_ms:
        return False
    return digest != key.old_hash or (key.old_until is not None and wall_ms < key.old_until)
