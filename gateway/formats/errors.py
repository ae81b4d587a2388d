"""Errors in the caller's wire format: one table of words for each family of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gateway.errors import GatewayError
from gateway.formats.sse import named_event, plain_event

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GOOGLE_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Family(msgspec.Struct, frozen=True):
    """How a family of formats tells an error: as a whole answer, and as the end of a stream that broke.

    Both take the error and the id of the request. `id_header` is a further header that carries the id.
    """

    body: Callable[[GatewayError, str], bytes]
    event: Callable[[GatewayError, str], bytes]
    id_header: bytes = b""


def _openai_object(error: GatewayError, request_id: str) -> dict[str, object]:
    return {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
        "request_id": request_id,
        **error.details,
    }


def _openai_body(error: GatewayError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": _openai_object(error, request_id)})


def _openai_event(error: GatewayError, request_id: str) -> bytes:
    """One error event and no [DONE]."""
    return plain_event(_openai_body(error, request_id))


def _responses_event(error: GatewayError, request_id: str) -> bytes:
    """The error event of a Responses stream; its place in the sequence is not known here, so it has the highest."""
    own = {"type": "error", "sequence_number": _LAST, "code": error.code or error.type}
    return named_event("error", msgspec.json.encode({**_openai_object(error, request_id), **own}))


_LAST = 2**31 - 1


def _anthropic_body(error: GatewayError, request_id: str) -> bytes:
    return msgspec.json.encode(
        {
            "type": "error",
            "error": {"type": _of_status(_ANTHROPIC_TYPES, error.status), "message": error.message, **_more(error)},
            "request_id": request_id,
        }
    )


def _anthropic_event(error: GatewayError, request_id: str) -> bytes:
    return named_event("error", _anthropic_body(error, request_id))


def _google_body(error: GatewayError, request_id: str) -> bytes:
    told: dict[str, object] = {
        "code": error.status,
        "message": error.message,
        "status": _of_status(_GOOGLE_STATUSES, error.status),
    }
    details: list[dict[str, object]] = [
        {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id}
    ]
    if error.retry_after is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{error.retry_after:.3f}s"})
    if error.code is not None:
        metadata = {name: str(value) for name, value in error.details.items()}
        info = {"reason": error.code.upper(), "domain": "gateway", "metadata": metadata}
        details.append({"@type": _RPC + "ErrorInfo", **info})
    return msgspec.json.encode({"error": {**told, "details": details}})


_RPC = "type.googleapis.com/google.rpc."


def _google_event(error: GatewayError, request_id: str) -> bytes:
    return plain_event(_google_body(error, request_id))


def _more(error: GatewayError) -> Mapping[str, object]:
    """What Anthropic's error object has no place for, beside what it has."""
    found = {**({"code": error.code} if error.code else {}), **({"param": error.param} if error.param else {})}
    return {**found, **error.details}


def _of_status(words: Mapping[int, str], status: int) -> str:
    return words.get(status) or words[400 if status < 500 else 500]


OPENAI = Family(_openai_body, _openai_event)
RESPONSES = Family(_openai_body, _responses_event)
ANTHROPIC = Family(_anthropic_body, _anthropic_event, b"request-id")
GOOGLE = Family(_google_body, _google_event)
