"""Who calls and who operates. No secret is in here: only hashes, prefixes and tails."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.hiding import hiding
from gateway.model.words import Word


class Period(Word):
    """After how long a limit of money begins anew, at midnight UTC; weeks begin on Monday."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ApiKey(msgspec.Struct, frozen=True):
    """What a client presents to us.

    `allowed_models`, `allowed_providers` (names) and `allowed_formats`: None unrestricted, an empty tuple nothing.
    `rpm_limit` requests and `tpm_limit` tokens a minute, `max_concurrent` calls at once: None unlimited, 0 refuses.
    `expires_at`: Unix milliseconds or None. `capabilities` are asked of every call's backend. The defaults stand in
    for the headers that a route rule goes by. `user_id` is the owner, whose restrictions hold as well; None stands
    alone. `budget_nano` nano-dollars may be spent in a `budget_period`, None any number. `credited_nano` is all that
    was ever paid into the balance of a key that stands alone, None where it has no balance. A locked key is refused
    until it is unlocked; one that deletes itself goes when it expires. After a rotation the secret with `old_hash`
    still works until `old_until` (Unix ms).
    """

    id: str
    name: str
    key_hash: bytes
    prefix: str
    tail: str
    allowed_models: tuple[str, ...] | None
    rpm_limit: int | None
    is_active: bool
    expires_at: int | None
    created_at: int
    updated_at: int
    allowed_providers: tuple[str, ...] | None = None
    allowed_formats: tuple[str, ...] | None = None
    tpm_limit: int | None = None
    max_concurrent: int | None = None
    capabilities: tuple[str, ...] = ()
    default_agent: str = ""
    default_business: str = ""
    default_capability: str = ""
    version: int = 1
    user_id: str | None = None
    budget_nano: int | None = None
    budget_period: Period = Period.MONTHLY
    credited_nano: int | None = None
    note: str = ""
    is_locked: bool = False
    deletes_itself: bool = False
    old_hash: bytes | None = None
    old_until: int | None = None

    __repr__ = hiding("key_hash", "old_hash")

    def may_use(self, model: str) -> bool:
        return self.allowed_models is None or model in self.allowed_models


class TopUp(msgspec.Struct, frozen=True):
    """`nano` nano-dollars that `actor` paid into the balance of an API key at `at` (Unix ms)."""

    id: str
    api_key_id: str
    nano: int
    note: str
    actor: str
    at: int


class User(msgspec.Struct, frozen=True):
    """A person. What is allowed and limited holds for all calls with the person's API keys, as an API key's own does.

    `capabilities` are asked of every call's backend, by the model that is asked for, `*` for all of them.
    `deleted_at`: Unix ms; the row is kept for the ledger's sake. `quota_nano` nano-dollars may be spent in a
    `quota_period` by all of the person's API keys together, None any number. `time_zone` is an IANA name.
    """

    id: str
    username: str
    password_hash: str
    role: str
    is_active: bool
    theme: str
    created_at: int
    last_login_at: int | None
    email: str = ""
    allowed_providers: tuple[str, ...] | None = None
    allowed_formats: tuple[str, ...] | None = None
    allowed_models: tuple[str, ...] | None = None
    capabilities: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    max_concurrent: int | None = None
    updated_at: int = 0
    deleted_at: int | None = None
    version: int = 1
    quota_nano: int | None = None
    quota_period: Period = Period.MONTHLY
    time_zone: str = "UTC"

    __repr__ = hiding("password_hash")

    @property
    def is_welcome(self) -> bool:
        return self.is_active and self.deleted_at is None


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser. Times are Unix milliseconds."""

    token_hash: bytes
    user_id: str
    created_at: int
    last_seen_at: int
    password_at: int
    expires_at: int
    ip: str
    user_agent: str

    __repr__ = hiding("token_hash")


class ManagementToken(msgspec.Struct, frozen=True):
    """A credential for the JSON admin API: a user's, or of the machine's owner where `user_id` is None.

    `scopes` are of model/scopes.py, `allowed_ips` networks such as 192.0.2.0/24: None unrestricted, an empty tuple
    nothing. Times are Unix ms.
    """

    id: str
    user_id: str | None
    name: str
    token_hash: bytes
    tail: str
    is_active: bool
    expires_at: int | None
    created_at: int
    last_used_at: int | None
    scopes: tuple[str, ...] | None = None
    allowed_ips: tuple[str, ...] | None = None
    last_used_ip: str = ""

    __repr__ = hiding("token_hash")


class Actor(msgspec.Struct, frozen=True):
    """Who makes a change, for the audit row: `kind` is user, token, cli or system.

    `scopes` are what a token is kept to; None is everything.
    """

    kind: str
    id: str
    name: str
    ip: str = ""
    scopes: tuple[str, ...] | None = None
