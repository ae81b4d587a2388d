"""What all requests to a backend have in common is made once, and is what it would be made each time."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.proxy.lines import Line, Outbound
from gateway.proxy.outgoing import frame, written
from gateway.routing.snapshot import Backend
from gateway.vault import Secret
from tests.conftest import MakeProvider
from tests.proxy.wire import SECRET, backend_at, backend_of, lane

pytestmark = pytest.mark.anyio

HOST = (b"host", b"a.test:8080")
OWN = [(b"accept-encoding", b"identity"), (b"user-agent", b"weir")]
TYPE = (b"content-type", b"application/json")
names = st.sampled_from([b"accept", b"anthropic-beta", b"authorization", b"content-type"])
values = st.binary(max_size=12)


def outcome(make: Any) -> Any:
    try:
        return make()
    except httpx.LocalProtocolError:
        return "refused"


@given(st.lists(st.tuples(names, values), max_size=4), st.binary(max_size=40))
def test_a_frame_around_headers_and_a_body_is_the_whole_request(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    made = frame(b"POST", b"/v1/chat", HOST[1], OWN)
    assert made is not None
    wanted = outcome(lambda: written(b"POST", b"/v1/chat", [HOST, *headers, *OWN], body))
    assert outcome(lambda: made.around(headers, body)) == wanted


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        (b"GET", OWN),
        (b"POST", []),
        (b"POST", [(b"Content-Length", b"5")]),
        (b"POST", [(b"transfer-encoding", b"chunked")]),
    ],
)
def test_there_is_no_frame_where_headers_or_method_say_how_the_body_is_framed(
    method: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assert frame(method, b"/v1", HOST[1], headers) is None


@pytest.mark.parametrize("value", [b"a\nb: c", b"a\r\nb: c", b"a\0"])
@pytest.mark.parametrize("place", ["host", "own", "target"])
def test_what_would_be_another_request_is_never_made(place: str, value: bytes) -> None:
    found = {"host": HOST[1], "own": b"weir", "target": b"/v1"} | {place: value}
    with pytest.raises(httpx.LocalProtocolError):
        frame(b"POST", found["target"], found["host"], [(b"user-agent", found["own"])])


def line_of(backend: Backend, secret: str | None = SECRET) -> Line:
    return Line(weakref.ref(backend), backend.endpoint, None if secret is None else Secret(secret))


def test_a_line_says_the_same_with_a_frame_and_without() -> None:
    backend = backend_at("https://a.test/v1/", headers={"X-Own": "1"})
    line = line_of(backend)
    outbound = Outbound("POST", "/chat", b"{}", [TYPE])
    where = line.where(outbound)
    plain = line.request(replace(where, frame=None), outbound)

    assert line.where(outbound) is where and where.frame is not None
    found = line.request(where, outbound)
    assert sorted(found.head.split(b"\r\n")) == sorted(plain.head.split(b"\r\n"))
    assert found.body == plain.body == b"{}"
    assert found.head.startswith(b"POST /v1/chat HTTP/1.1\r\nhost: a.test\r\n")
    assert b"\r\nx-own: 1\r\n" in found.head and f"Bearer {SECRET}".encode() in found.head


def test_paths_that_clients_make_up_do_not_fill_a_line() -> None:
    backend = backend_at("https://a.test/v1")
    line = line_of(backend, None)
    for number in range(1000):
        line.where(Outbound("POST", f"/models/{number}:generateContent"))
    assert len(line._wheres) <= 256
    assert line.credential() == ()


async def test_a_line_lives_as_long_as_its_backend(provider: MakeProvider) -> None:
    there = await provider()
    async with lane() as upstream:
        backend: Backend | None = backend_of(there)
        assert backend is not None
        for _ in range(2):
            answer = await upstream.send(backend, Outbound("POST", "/chat/completions", b"{}", [TYPE]))
            await answer.read()
        first = upstream._lines[backend.id]

        # A change of configuration makes another backend of the same id.
        changed = replace(backend, endpoint=replace(backend.endpoint, headers={"x-own": "2"}))
        await (await upstream.send(changed, Outbound("POST", "/chat/completions", b"{}", [TYPE]))).read()
        assert upstream._lines[backend.id] is not first
        assert there.heard[-1].headers["x-own"] == "2"

        backend_id, backend, answer = backend.id, None, None  # type: ignore[assignment]
        gc.collect()
        assert backend_id in upstream._lines  # the changed one's
        del changed
        gc.collect()
        assert upstream._lines == {}


async def test_no_line_keeps_its_key_as_it_is(provider: MakeProvider) -> None:
    there = await provider()
    async with lane() as upstream:
        backend = backend_of(there)
        await (await upstream.send(backend, Outbound("POST", "/chat/completions", b"{}", [TYPE]))).read()
        kept = upstream._lines[backend.id]
        assert SECRET not in repr(kept)
        assert SECRET.encode() not in repr([getattr(kept.secret, name) for name in Secret.__slots__]).encode()
        plain = int.from_bytes(SECRET.encode())
        assert plain not in [getattr(kept.secret, name) for name in Secret.__slots__]
