from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.passage import same
from gateway.model.calls import Attribution
from gateway.model.registry import ApiFormat
from gateway.proxy import headers as passing
from gateway.proxy.said import SECRETS, encoding_of, media_of, said_by
from gateway.routing.purposes import Purpose
from tests.proxy.wire import a_call

SAME = same(a_call().request, asks_usage=False, model="u")
NAMES = [
    b"accept",
    b"anthropic-beta",
    b"authorization",
    b"connection",
    b"content-length",
    b"x-api-key",
    b"x-demo-fault",
]
headers = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([b"a", b"b", b"accept", b"\x01", b""])), max_size=8
)


def test_what_a_client_says_is_read_from_its_headers() -> None:
    said = said_by(
        [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"x-gateway-agent", b" coder "),
            (b"x-session-id", b"s1"),
            (b"x-gateway-require", b"vision"),
            (b"x-gateway-require", b"tools"),
            (b"x-request-id", b"mine-1"),
            (b"x-gateway-dry-run", b"1"),
            (b"x-gateway-include-cost", b"1"),
            (b"x-claude-code-agent-id", b"a7"),
        ]
    )
    assert (said.purpose, said.session, said.required) == (Purpose(agent="coder"), "s1", "vision,tools")
    assert (said.shown_id, said.is_plain_json, said.is_dry_run, said.asks_cost) == (b"mine-1", True, True, True)
    assert said.attribution == Attribution("", "a7", "", "")


def test_who_says_nothing_asks_for_nothing() -> None:
    said = said_by([])
    assert (said.purpose, said.session, said.required, said.shown_id) == (Purpose(), "", "", b"")
    assert not (said.is_plain_json or said.is_dry_run or said.asks_cost)


@pytest.mark.parametrize("kept", sorted(SECRETS))
def test_nothing_that_lets_somebody_in_is_kept(kept: bytes) -> None:
    said = said_by([(kept, b"sk-gw-secret"), (b"accept", b"*/*")])
    assert said.headers == ((b"accept", b"*/*"),)
    assert "secret" not in repr(said)


def test_requests_that_say_the_same_share_what_was_read() -> None:
    one = said_by([(b"accept", b"*/*"), (b"authorization", b"Bearer a"), (b"content-length", b"1")])
    assert said_by([(b"accept", b"*/*"), (b"authorization", b"Bearer b"), (b"content-length", b"22")]) is one
    assert said_by([(b"accept", b"text/html")]) is not one


@given(headers, st.booleans())
def test_what_is_passed_on_is_the_same_each_time(found: list[tuple[bytes, bytes]], is_demo: bool) -> None:
    wanted = tuple(passing.to_upstream(found, SAME, is_demo=is_demo))
    for _ in range(2):
        assert said_by(found).passed_on(SAME, ApiFormat.OPENAI_CHAT, is_demo=is_demo) == wanted


@pytest.mark.parametrize(
    ("sent", "is_plain"),
    [
        ([(b"content-type", b"application/json")], True),
        ([(b"content-type", b"Application/JSON ;x=y")], True),
        ([(b"content-type", b"text/plain")], False),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"identity")], True),
        ([(b"content-type", b"application/json"), (b"content-encoding", b"gzip")], False),
        ([(b"content-type", b"text/plain"), (b"content-type", b"application/json")], False),
        ([], False),
    ],
)
def test_only_json_as_it_is_is_plain(sent: list[tuple[bytes, bytes]], is_plain: bool) -> None:
    assert said_by(sent).is_plain_json is is_plain
    assert is_plain == (media_of(sent) == "application/json" and encoding_of(sent) == "identity")
