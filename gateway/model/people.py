"""Who calls and who operates. No secret is in here: only hashes, prefixes and tails."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a client presents to us.

    `allowed_models`: None unrestricted, an empty tuple nothing. `rpm_limit`: None unlimited, 0 refuses.
    `expires_at`: Unix milliseconds or None.
    """

    id: str
    name: str
    key_hash: bytes = field(repr=False)
    prefix: str
    tail: str
    allowed_models: tuple[str, ...] | None
    rpm_limit: int | None
    is_active: bool
    expires_at: int | None
    created_at: int
    updated_at: int

    def may_use(self, model: str) -> bool:
        return self.allowed_models is None or model in self.allowed_models


@dataclass(frozen=True, slots=True)
class User:
    id: str
    username: str
    password_hash: str = field(repr=False)
    role: str
    is_active: bool
    theme: str
    created_at: int
    last_login_at: int | None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. Times are Unix milliseconds."""

    token_hash: bytes = field(repr=False)
    user_id: str
    created_at: int
    last_seen_at: int
    password_at: int
    expires_at: int
    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class ManagementToken:
    """A credential for the JSON admin API: a user's, or of the machine's owner where `user_id` is None."""

    id: str
    user_id: str | None
    name: str
    token_hash: bytes = field(repr=False)
    tail: str
    is_active: bool
    expires_at: int | None
    created_at: int
    last_used_at: int | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change, for the audit row: `kind` is user, token, cli or system."""

    kind: str
    id: str
    name: str
    ip: str = ""
