from __future__ import annotations

from typing import Any

import pytest

from gateway.routing.health import Verdict
from gateway.routing.rate_limits import LimitClass
from gateway.routing.verdicts import judge, names_context

CASES: list[tuple[int, Any, Verdict]] = [
    (301, None, Verdict.FAILED),
    (400, {"error": {"message": "messages: too short"}}, Verdict.CLIENT_FAULT),
    (
        400,
        {"error": {"message": "Unsupported parameter: 'seed' is not supported with this model."}},
        Verdict.NOT_SERVED,
    ),
    (400, {"error": {"code": "unsupported_parameter", "message": "x"}}, Verdict.NOT_SERVED),
    (400, {"error": "just text"}, Verdict.CLIENT_FAULT),
    (400, None, Verdict.CLIENT_FAULT),
    (400, [1], Verdict.CLIENT_FAULT),
    (400, {"error": {"code": "context_length_exceeded", "message": "x"}}, Verdict.NOT_SERVED),
    (400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}, Verdict.NOT_SERVED),
    (400, {"error": {"code": ["context_length_exceeded"], "message": None}}, Verdict.CLIENT_FAULT),
    (400, {"error": {"message": "It exceeds the maximum number of tokens allowed (8)."}}, Verdict.NOT_SERVED),
    (400, {"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}, Verdict.REFUSED),
    (400, {"error": {"code": 400, "details": [{"reason": "FIELD"}, 5]}}, Verdict.CLIENT_FAULT),
    (400, {"type": "error", "error": {"message": "Your credit balance is too low to access it."}}, Verdict.LIMITED),
    (400, {"error": {"details": {"error_code": "enforced_spend_limit_reached"}}}, Verdict.LIMITED),
    (404, {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-x"}}, Verdict.NOT_SERVED),
    (400, {"error": {"message": "Invalid value for model: it must be a string"}}, Verdict.CLIENT_FAULT),
    (404, [{"error": {"message": "models/x is not found for API version v1beta"}}], Verdict.NOT_SERVED),
    (404, {"detail": "Not Found"}, Verdict.NOT_SERVED),
    (404, None, Verdict.NOT_SERVED),
    (405, None, Verdict.NOT_SERVED),
    (401, {"error": {"message": "Incorrect API key"}}, Verdict.REFUSED),
    (402, None, Verdict.REFUSED),
    (403, None, Verdict.REFUSED),
    (404, {"error": {"code": "model_not_found", "message": "x"}}, Verdict.NOT_SERVED),
    (404, {"error": {"message": "no such file"}}, Verdict.CLIENT_FAULT),
    (408, None, Verdict.FAILED),
    (413, None, Verdict.CLIENT_FAULT),
    (422, {"error": {"message": "bad value"}}, Verdict.CLIENT_FAULT),
    (425, None, Verdict.FAILED),
    (429, None, Verdict.LIMITED),
    (500, None, Verdict.FAILED),
    (503, None, Verdict.FAILED),
    (529, None, Verdict.FAILED),
    (599, None, Verdict.FAILED),
]


@pytest.mark.parametrize(("status", "body", "verdict"), CASES)
def test_each_answer_has_its_verdict(status: int, body: Any, verdict: Verdict) -> None:
    ending = judge(status, {}, body, 0.0)
    assert ending.verdict is verdict
    assert str(status) in ending.reason


def test_what_the_provider_said_is_kept_short_in_the_reason() -> None:
    ending = judge(500, {}, {"error": {"message": "x" * 5000}}, 0.0)
    assert len(ending.reason) < 300


@pytest.mark.parametrize(
    ("quota", "limit_class"),
    [
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", LimitClass.REQUESTS),
        ("GenerateContentInputTokensPerModelPerMinute", LimitClass.TOKENS),
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", LimitClass.QUOTA),
        ("Strange", LimitClass.UNKNOWN),
    ],
)
def test_geminis_quotas_are_told_apart_by_their_names(quota: str, limit_class: LimitClass) -> None:
    details = [{"violations": [{"quotaId": quota}, 5]}, {"retryDelay": "52s"}, None]
    for body in ({"error": {"details": details}}, [{"error": {"details": details}}]):
        limited = judge(429, {}, body, 0.0).limited
        assert limited is not None
        assert (limited.limit_class, limited.seconds) == (limit_class, 52.0)


def test_a_429_carries_its_class() -> None:
    ending = judge(429, {"retry-after": "3"}, {"error": {"code": "insufficient_quota"}}, 0.0)
    assert ending.limited is not None
    assert ending.limited.limit_class is LimitClass.QUOTA


@pytest.mark.parametrize(
    ("body", "is_context"),
    [
        ({"error": {"code": "context_length_exceeded"}}, True),
        ({"error": {"message": "This model's maximum context length is 8192 tokens."}}, True),
        ({"error": {"message": "Unsupported parameter: 'seed'"}}, False),
        ({"error": "context window"}, False),
        (None, False),
        ([], False),
    ],
)
def test_a_context_that_is_too_long_is_told_from_other_refusals(body: Any, is_context: bool) -> None:
    assert names_context(body) is is_context
