from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RateLimited, Unavailable
from gateway.formats.passage import same
from gateway.proxy import headers as passing
from gateway.proxy.headers import joined, purpose_of, session_of
from gateway.routing.buckets import TokenBucket
from gateway.routing.purposes import Purpose
from tests.proxy.wire import a_call

SAME = same(a_call().request, asks_usage=False, model="u")
tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20).map(str.encode)


@given(st.lists(st.tuples(tokens, st.binary(max_size=40)), max_size=30))
def test_only_names_on_the_list_with_plain_values_go_to_a_provider(found: list[tuple[bytes, bytes]]) -> None:
    for name, value in passing.to_upstream(found, SAME, is_demo=False):
        assert name in (b"accept", b"openai-beta", b"idempotency-key") or name.startswith((b"anthropic-", b"x-goog-"))
        assert all(byte == 9 or 32 <= byte <= 126 for byte in value)


def test_the_clients_own_key_never_goes_to_a_provider() -> None:
    carriers = [(name, b"sk") for name in (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie")]
    assert passing.to_upstream(carriers, SAME, is_demo=True) == []


def test_what_connection_names_is_for_us_alone() -> None:
    found = [(b"connection", b"close, Anthropic-Beta"), (b"anthropic-beta", b"x"), (b"anthropic-version", b"1")]
    assert passing.to_upstream(found, SAME, is_demo=False) == [(b"anthropic-version", b"1")]


def test_a_fault_is_asked_of_the_demo_and_of_nobody_else() -> None:
    found = [(b"x-demo-fault", b"429")]
    assert passing.to_upstream(found, SAME, is_demo=True) == found
    assert passing.to_upstream(found, SAME, is_demo=False) == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"application/json", b"application/json"),
        (b"application/json; charset=utf-8", b"application/json; charset=utf-8"),
        (b"text/event-stream", b"text/event-stream"),
        (b"audio/mpeg", b"audio/mpeg"),
        (b"application/problem+json", b"application/problem+json"),
        (b"text/html", b"text/plain; charset=utf-8"),
        (b"application/javascript", b"text/plain; charset=utf-8"),
        (b"", b"text/plain; charset=utf-8"),
    ],
)
def test_no_provider_makes_a_browser_run_anything(said: bytes, shown: bytes) -> None:
    assert dict(passing.from_upstream([(b"content-type", said)]))[b"content-type"] == shown


@given(
    st.dictionaries(
        st.sampled_from([b"openai-version", b"request-id", b"retry-after", b"content-type"]), st.binary(max_size=50)
    )
)
def test_no_value_of_a_provider_breaks_out_of_its_header(found: dict[bytes, bytes]) -> None:
    for _, value in passing.from_upstream(list(found.items())):
        assert b"\r" not in value
        assert b"\n" not in value


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("req-1", True),
        ("a.b:c_d-e", True),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("x" * 129, False),
        (None, False),
    ],
)
def test_only_a_harmless_request_id_is_repeated(text: str | None, safe: bool) -> None:
    assert (passing.safe_request_id(text) is not None) is safe


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.001, b"1"), (1.0, b"1"), (1.2, b"2"), (59.01, b"60"), (3600, b"3600")]
)
def test_retry_after_is_whole_seconds_rounded_up(seconds: float, shown: bytes) -> None:
    found = dict(passing.of_error(RateLimited("x", retry_after=seconds)))
    assert found == {b"retry-after": shown, b"x-should-retry": b"true"}


def test_where_nothing_is_known_of_a_retry_nothing_is_said() -> None:
    assert passing.of_error(Unavailable("x")) == []
    assert passing.of_error(Unavailable("x", retryable=False)) == [(b"x-should-retry", b"false")]


def test_the_limit_of_a_key_is_told_in_its_headers() -> None:
    bucket = TokenBucket.full(60, 0.0)
    for _ in range(15):
        bucket.take(0.0)
    assert passing.narrowest([TokenBucket.full(60, 0.0), bucket], 0.0) is bucket
    assert dict(passing.of_limit(b"requests", bucket)) == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"45",
        b"x-ratelimit-reset-requests": b"15.000s",
    }
    assert passing.of_limit(b"tokens", passing.narrowest([], 0.0)) == []
    assert dict(passing.of_limit(b"requests", TokenBucket.full(0, 0.0)))[b"x-ratelimit-remaining-requests"] == b"0"


def test_anthropics_callers_hear_of_limits_in_their_own_words() -> None:
    bucket = TokenBucket.full(60, 0.0)
    for _ in range(15):
        bucket.take(0.0)
    assert dict(passing.of_anthropic_limit(b"requests", bucket, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))) == {
        b"anthropic-ratelimit-requests-limit": b"60",
        b"anthropic-ratelimit-requests-remaining": b"45",
        b"anthropic-ratelimit-requests-reset": b"2026-01-02T03:04:20Z",
    }
    assert passing.of_anthropic_limit(b"tokens", None, datetime.now(UTC)) == []


def test_what_a_call_is_for_and_what_it_belongs_to_is_read_from_its_headers() -> None:
    said = [
        (b"x-gateway-agent", b" coder "),
        (b"x-gateway-capability", b"code"),
        (b"x-session-id", b"plain"),
        (b"x-gateway-require", b"a"),
        (b"x-gateway-require", b"-b"),
    ]
    claude = (b"x-claude-code-session-id", b"claude")

    assert purpose_of(dict(said)) == Purpose("coder", "", "code")
    assert purpose_of({}) == Purpose()
    assert (session_of(dict(said)), session_of(dict([*said, claude])), session_of({})) == ("plain", "claude", "")
    assert session_of(dict([(claude[0], b" "), *said])) == "plain"
    assert (joined(said, b"x-gateway-require"), joined([], b"x-gateway-require")) == ("a,-b", "")
