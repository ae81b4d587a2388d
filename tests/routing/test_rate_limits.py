from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.rate_limits import LimitClass, classify, parse_duration, parse_moment, server_delay

NOW = 1_700_000_000.0
CASES: list[tuple[str, dict[str, str], Any, LimitClass, float | None]] = [
    ("nothing said", {}, None, LimitClass.UNKNOWN, None),
    ("retry-after alone", {"retry-after": "7"}, None, LimitClass.UNKNOWN, 7),
    ("milliseconds first", {"retry-after-ms": "1500", "retry-after": "9"}, None, LimitClass.UNKNOWN, 1.5),
    ("azure milliseconds", {"x-ms-retry-after-ms": "250"}, None, LimitClass.UNKNOWN, 0.25),
    (
        "no requests left",
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"},
        None,
        LimitClass.REQUESTS,
        360,
    ),
    (
        "no tokens left",
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"},
        None,
        LimitClass.TOKENS,
        0.02,
    ),
    (
        "anthropic's date",
        {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z"},
        None,
        LimitClass.REQUESTS,
        30,
    ),
    (
        "requests left and a short wait",
        {"x-ratelimit-remaining-requests": "5", "retry-after": "1"},
        None,
        LimitClass.CONCURRENCY,
        1,
    ),
    (
        "requests left and a long wait",
        {"x-ratelimit-remaining-requests": "5", "retry-after": "60"},
        None,
        LimitClass.REQUESTS,
        60,
    ),
    ("only a limit", {"x-ratelimit-limit-tokens": "9"}, None, LimitClass.REQUESTS, None),
    (
        "azure's minus one",
        {"x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "-1"},
        None,
        LimitClass.UNKNOWN,
        None,
    ),
    (
        "azure's zeros",
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-limit-requests": "0"},
        None,
        LimitClass.REQUESTS,
        None,
    ),
    ("gemini", {}, {"error": {"details": [{"@type": "x"}, {"retryDelay": "52s"}]}}, LimitClass.UNKNOWN, 52),
    ("gemini in a list", {}, [{"error": {"details": [{"retryDelay": "1.5s"}]}}], LimitClass.UNKNOWN, 1.5),
    ("no money", {"retry-after": "3"}, {"error": {"code": "insufficient_quota"}}, LimitClass.QUOTA, 3),
    ("no money by type", {}, {"error": {"type": "insufficient_quota"}}, LimitClass.QUOTA, None),
    (
        "spend limit",
        {"retry-after": "5"},
        {"error": {"details": {"error_code": "enforced_spend_limit_reached"}}},
        LimitClass.QUOTA,
        5,
    ),
    ("anthropic without a wait", {}, {"type": "error", "error": {"type": "rate_limit_error"}}, LimitClass.QUOTA, None),
    ("anthropic with one", {"retry-after": "8"}, {"type": "error", "error": {}}, LimitClass.UNKNOWN, 8),
    ("a wait beyond a day", {"retry-after": "999999"}, None, LimitClass.UNKNOWN, 86400),
]


@pytest.mark.parametrize(("name", "headers", "body", "limit", "seconds"), CASES, ids=[case[0] for case in CASES])
def test_a_429_is_understood(
    name: str, headers: dict[str, str], body: Any, limit: LimitClass, seconds: float | None
) -> None:
    found = classify(headers, body, NOW)
    assert (found.limit_class, found.seconds) == (limit, pytest.approx(seconds) if seconds else seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("1m", 60), ("", None), ("s", None), ("1x", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12),
        ("1.5", 1.5),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("2023-11-14T22:13:21+00:00", 1),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        (None, None),
    ],
)
def test_moments(text: str | None, seconds: float | None) -> None:
    assert parse_moment(text, NOW) == seconds


headers = st.dictionaries(
    st.sampled_from(
        [
            "retry-after",
            "retry-after-ms",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
            "anthropic-ratelimit-tokens-reset",
            "anthropic-ratelimit-tokens-remaining",
        ]
    ),
    st.text(max_size=30)
    | st.sampled_from(["0", "1e308", "-1", "9" * 60, "1s", "0001-01-01T00:00:00", "Tue, 99 Nov 2023 22:14:20 GMT"]),
)


@given(
    headers,
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["error", "details", "retryDelay", "code", "type"]), inner)
        ),
    ),
)
def test_no_answer_of_a_provider_breaks_the_reading(found: dict[str, str], body: Any) -> None:
    classify(found, body, NOW)
    seconds = server_delay(found, body, NOW)
    assert seconds is None or 0 < seconds <= 86400
