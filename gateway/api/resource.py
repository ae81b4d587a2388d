"""Serve the operations of one path: authenticate, read the body, call, answer in JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.api.body import read_object
from gateway.api.operations import Operation, Visit, policy_of
from gateway.control import audit_log, tokens
from gateway.control.desk import Desk
from gateway.control.event_stream import EventStream
from gateway.control.exports import Export
from gateway.errors import (
    Forbidden,
    GatewayError,
    InvalidFields,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    Stale,
    Unexpected,
)
from gateway.ids import new_request_id
from gateway.model.people import Actor
from gateway.model.scopes import is_within

log = logging.getLogger("gateway.api")


class Resource:
    """ASGI. Every operation of the path asks for a management token first; without operations all is 404."""

    def __init__(self, desk: Desk, operations: Sequence[Operation]) -> None:
        self._desk = desk
        self._by_method = {operation.method: operation for operation in operations}
        self.policy = "token"
        for operation in operations:
            policy_of(operation.handler)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request_id, request = new_request_id(), Request(scope, receive)
        try:
            answer = await self._answer(request, request_id)
        except ClientDisconnect:
            return
        except GatewayError as error:
            await audit_log.refused(self._desk, _asker(request), f"{request.method} {scope['path']}", error)
            answer = self._refusal(error, request_id)
        except Exception:  # noqa: BLE001  # reason: the one place where a fault of ours becomes an answer
            log.exception("request %s failed", request_id)
            answer = self._refusal(Unexpected(), request_id)
        await answer(scope, receive, send)

    async def _answer(self, request: Request, request_id: str) -> Response | EventStream | Export:
        actor = request.state.actor = await _authenticate(self._desk, request)
        if not self._by_method:
            raise NotFound(f"There is nothing at {request.scope['path'][:100]}; see /api/admin/openapi.json.")
        operation = self._by_method.get(request.method)
        if operation is None:
            raise MethodNotAllowed(request.method[:20], self._allowed())
        _require_scope(actor, operation)
        body = await read_object(request) if operation.request is not None else {}
        visit = Visit(self._desk, actor, request.path_params, request.query_params, body)
        found = await operation.handler(visit)
        if isinstance(found, EventStream | Export):
            return replace(found, headers=((b"x-request-id", request_id.encode()),))
        return _json(operation.status, None if operation.answer is None else found, request_id)

    def _allowed(self) -> str:
        return ", ".join(self._by_method)

    def _refusal(self, error: GatewayError, request_id: str) -> Response:
        described: dict[str, object] = {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
            "request_id": request_id,
        }
        if isinstance(error, InvalidFields):
            described["fields"] = error.fields
        if isinstance(error, Stale):
            described["current"] = error.shown
        response = _json(error.status, {"error": described}, request_id)
        if isinstance(error, MethodNotAllowed):
            response.headers["allow"] = self._allowed()
        if isinstance(error, NotAuthenticated):
            response.headers["www-authenticate"] = "Bearer"
        if error.retry_after is not None:
            response.headers["retry-after"] = str(max(1, -int(-error.retry_after // 1)))
        return response


async def _authenticate(desk: Desk, request: Request) -> Actor:
    """The one place where a management token becomes an actor. Raises NotAuthenticated."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated(
            "Send a management token as 'Authorization: Bearer <token>'.", code="invalid_management_token"
        )
    return await tokens.recognise(desk, token.strip(), _ip(request))


def _require_scope(actor: Actor, operation: Operation) -> None:
    """Raises Forbidden naming the scope that the token lacks."""
    if not is_within(actor.scopes, operation.scope):
        raise Forbidden(f"This management token lacks the scope {operation.scope}.", code="scope_missing")


def _asker(request: Request) -> Actor:
    """Who asked, as far as that is known."""
    return getattr(request.state, "actor", None) or Actor("token", "", "", _ip(request))


def _ip(request: Request) -> str:
    return request.client.host if request.client else ""


def _json(status: int, found: object, request_id: str) -> Response:
    body = b"" if found is None else json.dumps(msgspec.to_builtins(found)).encode()
    headers = {"cache-control": "no-store", "x-request-id": request_id}
    return Response(body, status, headers, media_type=None if found is None else "application/json")
