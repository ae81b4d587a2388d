"""Errors in each family's words."""

from __future__ import annotations

import json

import pytest

from gateway.errors import (
    BadInput,
    CredentialsExhausted,
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    ModelNotFound,
    NotAuthenticated,
    OutOfMoney,
    RateLimited,
    TooLarge,
    Unavailable,
    Unexpected,
    UpstreamRefused,
)
from gateway.formats.errors import ANTHROPIC, GOOGLE, OPENAI, RESPONSES
from gateway.formats.sse import event_payload

BROKE = OutOfMoney("no money", limit="api_key_budget", limit_nano=5, used_nano=4, reserved_nano=0, resets_at=None)
TABLE: list[tuple[GatewayError, int, str, str]] = [
    (BadInput("no", param="n"), 400, "invalid_request_error", "INVALID_ARGUMENT"),
    (NotAuthenticated("no"), 401, "authentication_error", "UNAUTHENTICATED"),
    (BROKE, 402, "billing_error", "RESOURCE_EXHAUSTED"),
    (Forbidden("no"), 403, "permission_error", "PERMISSION_DENIED"),
    (ModelNotFound("no"), 404, "not_found_error", "NOT_FOUND"),
    (TooLarge("no"), 413, "request_too_large", "INVALID_ARGUMENT"),
    (UpstreamRefused(422, "no"), 422, "invalid_request_error", "INVALID_ARGUMENT"),
    (RateLimited("no", retry_after=1.5), 429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
    (Unexpected(), 500, "api_error", "INTERNAL"),
    (CredentialsExhausted("no"), 502, "api_error", "INTERNAL"),
    (Unavailable("no"), 503, "overloaded_error", "UNAVAILABLE"),
    (DeadlineExceeded("no"), 504, "timeout_error", "DEADLINE_EXCEEDED"),
]
CASES = pytest.mark.parametrize(("error", "status", "anthropic_type", "google_status"), TABLE, ids=lambda one: str(one))


@CASES
def test_openais_object_has_real_nulls(
    error: GatewayError, status: int, anthropic_type: str, google_status: str
) -> None:
    found = json.loads(OPENAI.body(error, "req_1"))["error"]
    assert {"message", "type", "param", "code", "request_id"} <= set(found)
    assert (found["message"], found["type"], found["param"], found["code"]) == (
        error.message,
        error.type,
        error.param,
        error.code,
    )
    assert error.status == status


@CASES
def test_anthropics_type_goes_by_the_status(
    error: GatewayError, status: int, anthropic_type: str, google_status: str
) -> None:
    found = json.loads(ANTHROPIC.body(error, "req_1"))
    assert (found["type"], found["error"]["type"], found["request_id"]) == ("error", anthropic_type, "req_1")
    assert ANTHROPIC.id_header == b"request-id"


@CASES
def test_googles_status_goes_by_the_number(
    error: GatewayError, status: int, anthropic_type: str, google_status: str
) -> None:
    found = json.loads(GOOGLE.body(error, "req_1"))["error"]
    assert (found["code"], found["status"], found["message"]) == (status, google_status, error.message)


def test_googles_callers_hear_when_to_come_again() -> None:
    details = json.loads(GOOGLE.body(RateLimited("no", retry_after=1.5), "r"))["error"]["details"]
    assert [one["retryDelay"] for one in details if one["@type"].endswith("RetryInfo")] == ["1.500s"]


def test_a_limit_of_money_is_told_in_every_family() -> None:
    assert json.loads(OPENAI.body(BROKE, "r"))["error"]["limit_nano"] == 5
    assert json.loads(ANTHROPIC.body(BROKE, "r"))["error"]["limit"] == "api_key_budget"
    details = json.loads(GOOGLE.body(BROKE, "r"))["error"]["details"]
    assert any(one.get("metadata", {}).get("limit") == "api_key_budget" for one in details)


def test_a_broken_stream_ends_with_one_event_of_the_family() -> None:
    error = Unavailable("gone")
    assert OPENAI.event(error, "r").startswith(b'data: {"error":')
    assert ANTHROPIC.event(error, "r").startswith(b'event: error\ndata: {"type":"error"')
    told = json.loads(event_payload(RESPONSES.event(error, "r")))
    assert (told["type"], told["message"]) == ("error", "gone")
    assert isinstance(told["code"], str) and isinstance(told["sequence_number"], int)
    assert json.loads(event_payload(GOOGLE.event(error, "r")))["error"]["code"] == 503
