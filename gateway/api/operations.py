"""What the JSON API is made of: operations in a list, from which routes and OpenAPI are both derived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway.control.desk import Desk
from gateway.control.fields import Table
from gateway.hiding import hiding
from gateway.model.people import Actor
from gateway.model.scopes import READ, WRITE

PREFIX = "/api/admin"
_DESCRIPTION = "openapi.json"


class Visit(msgspec.Struct, frozen=True):
    """One authenticated request. `path` and `query` hold strings, `body` the JSON object that was sent."""

    desk: Desk
    actor: Actor
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, object]

    __repr__ = hiding("body")


Handler = Callable[[Visit], Awaitable[object]]
"""Gives a struct (or None with 204), which is sent as JSON, or an EventStream or Export."""

AnyHandler = TypeVar("AnyHandler", bound=Handler)


def policy(name: str) -> Callable[[AnyHandler], AnyHandler]:
    """Who may call it: `token`, the bearer of a management token. A handler without a policy is never served."""

    def declare(handler: AnyHandler) -> AnyHandler:
        setattr(handler, "policy", name)  # noqa: B010  # a function has no such attribute to a type checker
        return handler

    return declare


def policy_of(handler: Handler) -> str:
    """Raises LookupError where none was declared: the program then does not start."""
    declared = getattr(handler, "policy", None)
    if declared != "token":
        raise LookupError(f"{handler!r} declares no policy")
    return str(declared)


class Operation(msgspec.Struct, frozen=True):
    """`request` are the body's fields (a `partial` body may leave any out), `query` those of the query string.

    `answer` is the type of what the handler gives, or of each item where it gives a list or a stream of events; None
    with status 204. `access` is what a token needs, read or write; by itself read for GET and write for the rest.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answer: Any
    status: int = 200
    request: Table | None = None
    partial: bool = False
    query: Table = ()
    is_list: bool = False
    media_type: str = "application/json"
    access: str = ""

    @property
    def scope(self) -> str:
        """What a management token must be allowed, such as `models:write`; empty where any token will do."""
        noun = self.path.removeprefix(PREFIX).split("/")[1]
        if noun == _DESCRIPTION:
            return ""
        return f"{noun}:{self.access or (READ if self.method == 'GET' else WRITE)}"
