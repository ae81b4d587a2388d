"""What goes over the wire for a request, and what never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.proxy.outgoing import Outgoing, outgoing, written

URL = "http://a.test:8080/v1/chat?x=1"


async def some(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def sent(headers: Any = None, method: str = "POST", url: str = URL, **body: Any) -> Outgoing:
    return outgoing(httpx.Request(method, url, headers=headers, **body))


def test_a_request_is_its_line_its_headers_as_given_and_its_body() -> None:
    found = sent({"X-Case": "As Given"}, content=b"{}")
    assert found.head == (
        b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: a.test:8080\r\nX-Case: As Given\r\nContent-Length: 2\r\n\r\n"
    )
    assert (found.body, found.is_repeatable, found.is_bodiless) == (b"{}", True, False)


def test_host_and_length_are_there_even_where_httpx_was_told_a_stream() -> None:
    found = sent(stream=httpx.ByteStream(b"{}"))
    assert found.head == b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: a.test:8080\r\ncontent-length: 2\r\n\r\n"


def test_a_get_has_no_length_and_a_head_says_that_no_body_follows() -> None:
    assert b"ength" not in sent(method="GET").head
    assert sent(method="HEAD").is_bodiless


def test_a_body_that_comes_in_parts_is_chunked_or_has_the_length_it_says() -> None:
    chunked = sent(content=some(b"a"))
    counted = sent({"content-length": "5"}, content=some(b"hello"))
    bare = sent(stream=httpx.Request("POST", URL, content=some(b"a")).stream)
    assert (chunked.length, counted.length, bare.length) == (None, 5, None)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in chunked.head and b"chunked" in bare.head
    assert b"chunked" not in counted.head
    assert not any(found.is_repeatable for found in (chunked, counted, bare))


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("LF in a value", {"headers": {"x": "a\nb: c"}}),
    ("CR in a value", {"headers": {"x": "a\rb: c"}}),
    ("CRLF in a value", {"headers": {"x": "a\r\n\r\nGET / HTTP/1.1"}}),
    ("NUL in a value", {"headers": {"x": "a\0b"}}),
    ("CRLF in a name", {"headers": {"x\r\ny": "a"}}),
    ("a line end in the method", {"method": "GET / HTTP/1.1\r\nx:"}),
    ("a space in the method", {"method": "GET /"}),
    ("another length", {"headers": {"content-length": "3"}, "content": b"{}"}),
    ("a length that is none", {"headers": {"content-length": "-2"}, "content": b"{}"}),
    ("two lengths", {"headers": [("content-length", "2"), ("content-length", "2")], "content": b"{}"}),
    ("a length and chunks", {"headers": {"content-length": "2", "transfer-encoding": "chunked"}, "content": b"{}"}),
    ("an encoding that is none", {"headers": {"transfer-encoding": "gzip"}, "content": b"{}"}),
    ("chunks that are none", {"headers": {"transfer-encoding": "chunked"}, "content": b"{}"}),
]


@pytest.mark.parametrize(("name", "options"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_what_would_be_another_request_is_not_sent(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        sent(**options)


def test_spaces_and_line_ends_in_a_target_cannot_end_it() -> None:
    found = sent(url="http://a.test/a b?c=d e")
    assert found.head.startswith(b"POST /a%20b?c=d%20e HTTP/1.1\r\n")
    with pytest.raises(httpx.InvalidURL):
        sent(url="http://a.test/a\r\nx: y")


def test_what_is_written_without_httpx_is_the_same_request() -> None:
    found = written(b"POST", b"/v1/chat?x=1", [(b"host", b"a.test"), (b"x-a", b"1")], b"{}")
    assert found.head == b"POST /v1/chat?x=1 HTTP/1.1\r\nhost: a.test\r\nx-a: 1\r\ncontent-length: 2\r\n\r\n"
    assert b"content-length" not in written(b"GET", b"/", [], b"").head
    assert b"\r\ncontent-length: 0\r\n" in written(b"POST", b"/", [], b"").head


def test_parts_are_written_in_chunks_or_up_to_the_length_they_say() -> None:
    chunked, counted = (
        written(b"POST", b"/", [], some(b"a")),
        written(b"POST", b"/", [(b"content-length", b"1")], some()),
    )
    assert (chunked.length, chunked.is_repeatable, counted.length) == (None, False, 1)
    assert b"\r\ntransfer-encoding: chunked\r\n" in chunked.head
    assert counted.head == b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "header"),
    [
        (b"/ HTTP/1.1\r\nx: y", (b"x", b"a")),
        (b"/a b", (b"x", b"a")),
        (b"/", (b"x", b"a\r\nb: c")),
        (b"/", (b"x", b"a\nb: c")),
        (b"/", (b"x", b"a\rb")),
        (b"/", (b"x", b"a\0")),
        (b"/", (b"x\r\ny", b"a")),
    ],
)
def test_what_would_end_a_head_early_is_not_written(target: bytes, header: tuple[bytes, bytes]) -> None:
    for body in (b"{}", some(b"a")):
        with pytest.raises(httpx.LocalProtocolError):
            written(b"POST", target, [header], body)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"2"), (b"content-length", b"2")],
        [(b"content-length", b"7")],
        [(b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"gzip")],
        [(b"x-title", b"a\r\nx: b")],
    ],
)
def test_what_the_path_of_a_call_sends_is_held_to_the_same(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        written(b"POST", b"/v1", [(b"host", b"a.test"), *headers], b"{}")
