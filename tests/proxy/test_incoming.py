"""An answer byte by byte: whatever way it is cut it says the same, and what is not one is never taken for one."""

from __future__ import annotations

import itertools

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.incoming import LARGEST_HEAD, MOST_HEADERS, Incoming

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def fed(*pieces: bytes, is_bodiless: bool = False) -> Incoming:
    """What came of these pieces; nothing is fed after the end, as on a connection."""
    answer = Incoming(is_bodiless=is_bodiless)
    for piece in pieces:
        if piece and not answer.is_complete:
            answer.feed(piece)
    return answer


def with_length(body: bytes, head: bytes = OK) -> bytes:
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def test_an_answer_says_its_status_headers_and_body() -> None:
    answer = fed(OK + b"X-Case: As It Came\r\ncontent-length: 2\r\n\r\n{}")
    assert (answer.status, answer.headers) == (200, [(b"x-case", b"As It Came"), (b"content-length", b"2")])
    assert (answer.take(), answer.is_complete, answer.is_keepable) == (b"{}", True, True)
    assert answer.take() == b""


WHOLE: list[tuple[str, bytes, bytes, bool]] = [
    ("length", with_length(b"abc"), b"abc", True),
    ("no body", with_length(b""), b"", True),
    ("chunks", CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", True),
    ("upper hex", CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", True),
    ("extensions", CHUNKED + b"1;x=y\r\na\r\n0;z\r\n\r\n", b"a", True),
    ("trailers", CHUNKED + b"1\r\na\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", b"a", True),
    ("100 before", b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(b"a"), b"a", True),
    ("103 before", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + with_length(b"a"), b"a", True),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ("304 with a length", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", b"", True),
    ("no reason", b"HTTP/1.1 200\r\ncontent-length: 1\r\n\r\na", b"a", True),
    ("odd status", b"HTTP/1.1 529 \r\ncontent-length: 1\r\n\r\na", b"a", True),
    ("close", with_length(b"a", OK + b"Connection: close\r\n"), b"a", False),
    ("close among others", with_length(b"a", OK + b"Connection: x, Close\r\n"), b"a", False),
    ("HTTP/1.0", with_length(b"a", b"HTTP/1.0 200 OK\r\n"), b"a", False),
    ("HTTP/1.0 that says it keeps", with_length(b"a", b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n"), b"a", False),
    ("more after the length", with_length(b"a") + b"b", b"a", False),
    ("more after the chunks", CHUNKED + b"1\r\na\r\n0\r\n\r\nHTTP/1.1", b"a", False),
    ("another answer behind", with_length(b"a") * 2, b"a", False),
    ("junk after close", with_length(b"a", OK + b"connection: close\r\n") + b"xyz", b"a", False),
]


@pytest.mark.parametrize(("name", "sent", "body", "is_keepable"), WHOLE, ids=[case[0] for case in WHOLE])
def test_a_whole_answer_is_read_and_its_connection_kept_where_nothing_was_odd(
    name: str, sent: bytes, body: bytes, is_keepable: bool
) -> None:
    answer = fed(sent)
    assert (answer.is_complete, answer.take(), answer.is_keepable) == (True, body, is_keepable)


@pytest.mark.parametrize(("name", "sent", "body", "is_keepable"), WHOLE, ids=[case[0] for case in WHOLE])
def test_wherever_it_is_cut_it_says_the_same(name: str, sent: bytes, body: bytes, is_keepable: bool) -> None:
    whole = fed(sent)
    for first, second in itertools.combinations(range(len(sent) + 1), 2):
        cut = fed(sent[:first], sent[first:second], sent[second:])
        assert (cut.is_complete, cut.take(), cut.status, cut.headers) == (True, body, whole.status, whole.headers)
    singly = fed(*(bytes([byte]) for byte in sent))
    assert (singly.is_complete, singly.take(), singly.headers) == (True, body, whole.headers)


def test_headers_of_answers_before_and_trailers_after_are_not_the_answers() -> None:
    answer = fed(
        b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\ncontent-length: 0\r\n\r\n" + CHUNKED + b"0\r\nx-late: 1\r\n\r\n"
    )
    assert answer.headers == [(b"transfer-encoding", b"chunked")]


def test_the_answer_to_a_head_request_has_no_body_whatever_it_says() -> None:
    plain = fed(OK + b"content-length: 5\r\n\r\n", is_bodiless=True)
    followed = fed(OK + b"content-length: 5\r\n\r\nabcde", is_bodiless=True)
    endless = fed(OK + b"\r\n", is_bodiless=True)
    assert [(found.is_complete, found.take(), found.is_keepable) for found in (plain, followed, endless)] == [
        (True, b"", True),
        (True, b"", False),
        (True, b"", False),
    ]


REFUSED: list[tuple[str, bytes]] = [
    ("another protocol", b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    ("a request", b"GET / HTTP/1.1\r\n\r\n"),
    ("binary", bytes(range(256))),
    ("HTTP/2", with_length(b"a", b"HTTP/2.0 200 OK\r\n")),
    ("HTTP/0.9", with_length(b"a", b"HTTP/0.9 200 OK\r\n")),
    ("a status of two digits", with_length(b"a", b"HTTP/1.1 99 x\r\n")),
    ("a status below 100", with_length(b"a", b"HTTP/1.1 099 x\r\n")),
    ("a status of four digits", with_length(b"a", b"HTTP/1.1 2000 x\r\n")),
    ("another protocol by agreement", b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
    ("101 without a word", b"HTTP/1.1 101 x\r\n\r\n"),
    ("a body of an early answer", b"HTTP/1.1 104 x\r\ncontent-length: 3\r\n\r\nabc" + with_length(b"a")),
    ("length and chunks", OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    ("chunks and length", OK + b"transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    ("two lengths", OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
    ("the same length twice", OK + b"content-length: 1\r\ncontent-length: 1\r\n\r\na"),
    ("a list of lengths", OK + b"content-length: 1, 1\r\n\r\na"),
    ("a negative length", OK + b"content-length: -1\r\n\r\na"),
    ("a length with a sign", OK + b"content-length: +1\r\n\r\na"),
    ("an empty length", OK + b"content-length: \r\n\r\na"),
    ("an endless length", OK + b"content-length: 99999999999999999999999\r\n\r\na"),
    ("an encoding not asked for", OK + b"transfer-encoding: gzip\r\n\r\na"),
    ("two encodings", OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("chunks twice", OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks nearly", OK + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a folded header", OK + b"a: b\r\n c\r\ncontent-length: 0\r\n\r\n"),
    ("NUL in a value", OK + b"a: b\0c\r\ncontent-length: 0\r\n\r\n"),
    ("NUL in a name", OK + b"a\0: b\r\ncontent-length: 0\r\n\r\n"),
    ("CR in a value", OK + b"a: b\rc: d\r\ncontent-length: 0\r\n\r\n"),
    ("LF alone", b"HTTP/1.1 200 OK\ncontent-length: 0\n\n"),
    ("a space before the colon", OK + b"content-length : 0\r\n\r\n"),
    ("no name", OK + b": a\r\ncontent-length: 0\r\n\r\n"),
    ("no colon", OK + b"abc\r\ncontent-length: 0\r\n\r\n"),
    ("no chunk size", CHUNKED + b"\r\na\r\n0\r\n\r\n"),
    ("a chunk size that is none", CHUNKED + b"zz\r\na\r\n"),
    ("a chunk size with 0x", CHUNKED + b"0x1\r\na\r\n0\r\n\r\n"),
    ("a chunk size with a sign", CHUNKED + b"-1\r\na\r\n0\r\n\r\n"),
    ("a chunk size with a space", CHUNKED + b"1 \r\na\r\n0\r\n\r\n"),
    ("an endless chunk size", CHUNKED + b"ffffffffffffffffff\r\na\r\n"),
    ("a chunk longer than its size", CHUNKED + b"1\r\nab\r\n0\r\n\r\n"),
    ("chunks with LF alone", CHUNKED + b"1\na\n0\n\n"),
]


@pytest.mark.parametrize(("name", "sent"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_no_answer_is_refused_however_it_comes(name: str, sent: bytes) -> None:
    for pieces in ([sent], [bytes([byte]) for byte in sent], [sent[:20], sent[20:]]):
        with pytest.raises(httpx.RemoteProtocolError) as refused:
            fed(*pieces)
        assert str(refused.value)


TOO_LARGE: list[tuple[str, list[bytes]]] = [
    ("a value without end", [OK + b"x: "] + [b"x" * 4096] * 20),
    ("a value in one piece", [OK + b"x: " + b"x" * (LARGEST_HEAD + 1) + b"\r\n\r\n"]),
    ("many headers", [OK + b"".join(b"x-%d: y\r\n" % number for number in range(MOST_HEADERS + 1)) + b"\r\n"]),
    ("many long headers", [OK + (b"x: " + b"y" * 1000 + b"\r\n") * 80 + b"\r\n"]),
    ("a reason without end", [b"HTTP/1.1 200 "] + [b"x" * 4096] * 20),
    ("early answers without end", [b"HTTP/1.1 100 Continue\r\n\r\n" * 100] * 40),
    ("early headers without end", [b"HTTP/1.1 103 x\r\nlink: x\r\n\r\n"] * (MOST_HEADERS + 1)),
    ("an extension without end", [CHUNKED + b"1;"] + [b"x" * 4096] * 20),
    ("a trailer without end", [CHUNKED + b"0\r\nx: "] + [b"x" * 4096] * 20),
    ("many trailers", [CHUNKED + b"0\r\n" + b"x: y\r\n" * (MOST_HEADERS + 1) + b"\r\n"]),
    ("empty lines without end", [b"\r\n" * 2048] * 20),
]


@pytest.mark.parametrize(("name", "pieces"), TOO_LARGE, ids=[case[0] for case in TOO_LARGE])
def test_what_has_no_end_is_ended(name: str, pieces: list[bytes]) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="too"):
        fed(*pieces)


def test_a_body_of_many_small_chunks_is_not_too_much_framing() -> None:
    answer = fed(CHUNKED, *[b"1;ext=abcdef\r\na\r\n"] * 20_000, b"0\r\n\r\n")
    assert (answer.is_complete, len(answer.take())) == (True, 20_000)


ENDS: list[tuple[str, bytes, bytes | str]] = [
    ("framed by its end", OK + b"\r\nabc", b"abc"),
    ("framed by its end, HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc"),
    ("framed by its end, empty", OK + b"connection: close\r\n\r\n", b""),
    ("nothing", b"", "without sending a response"),
    ("half a status", b"HTTP/1.1 2", "inside the answer's head"),
    ("half a head", OK + b"content-le", "inside the answer's head"),
    ("only an early answer", b"HTTP/1.1 100 Continue\r\n\r\n", "inside the answer's head"),
    ("less than its length", OK + b"content-length: 2\r\n\r\na", "before the answer's end"),
    ("no last chunk", CHUNKED + b"1\r\na\r\n", "before the answer's end"),
    ("half a chunk", CHUNKED + b"2\r\na", "before the answer's end"),
    ("no end of the trailers", CHUNKED + b"0\r\nx: y\r\n", "before the answer's end"),
    ("no empty line at the end", CHUNKED + b"0\r\n", "before the answer's end"),
]


@pytest.mark.parametrize(("name", "sent", "found"), ENDS, ids=[case[0] for case in ENDS])
def test_the_end_of_the_connection_ends_only_an_answer_that_has_no_other_end(
    name: str, sent: bytes, found: bytes | str
) -> None:
    answer = fed(sent)
    assert not answer.is_complete
    if isinstance(found, bytes):
        answer.finish()
        assert (answer.is_complete, answer.take(), answer.is_keepable) == (True, found, False)
    else:
        with pytest.raises(httpx.RemoteProtocolError, match=found):
            answer.finish()


def test_what_was_body_before_a_fault_is_still_there() -> None:
    answer = Incoming()
    with pytest.raises(httpx.RemoteProtocolError):
        answer.feed(CHUNKED + b"3\r\nabc\r\nzz\r\n")
    assert answer.take() == b"abc"


names = st.sampled_from([b"x-a", b"Content-Type", b"x-request-id", b"date"])
values = st.binary(max_size=30).map(lambda text: bytes(32 + byte % 94 for byte in text).strip())
headers = st.lists(st.tuples(names, values), max_size=8)
bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
cuts = st.lists(st.integers(0, 4000), max_size=12)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[bytes, bytes]], bytes]:
    """A valid answer, and what it says."""
    status = draw(st.sampled_from([200, 201, 400, 404, 429, 500, 529]))
    said, parts = draw(headers), draw(bodies)
    early = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n"]))
    head = early + b"HTTP/1.1 %d Some Words\r\n" % status
    body = b"".join(parts)
    if draw(st.booleans()):
        said = [*said, (b"content-length", b"%d" % len(body))]
        framed = body
    else:
        said = [*said, (b"Transfer-Encoding", b"chunked")]
        extension = draw(st.sampled_from([b"", b";a", b";a=b"]))
        framed = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
        framed += b"0\r\n" + draw(st.sampled_from([b"", b"x-sum: 1\r\n"])) + b"\r\n"
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in said)
    return head + lines + b"\r\n" + framed, status, [(name.lower(), value) for name, value in said], body


@given(answers(), cuts)
def test_any_answer_says_the_same_however_it_is_cut(
    sent: tuple[bytes, int, list[tuple[bytes, bytes]], bytes], places: list[int]
) -> None:
    data, status, said, body = sent
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    answer = fed(*(data[start:end] for start, end in itertools.pairwise(at)))
    assert (answer.is_complete, answer.status, answer.headers, answer.take()) == (True, status, said, body)


@given(answers(), st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=3)), min_size=1, max_size=4), cuts)
def test_a_damaged_answer_is_refused_unfinished_or_read_as_its_bytes_say(
    sent: tuple[bytes, int, list[tuple[bytes, bytes]], bytes], damages: list[tuple[int, bytes]], places: list[int]
) -> None:
    """Never another exception, and never a body longer than what came."""
    data = bytearray(sent[0])
    for place, put in damages:
        at = place % (len(data) + 1)
        data[at : at + len(put) + place % 2] = put
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    answer = Incoming()
    try:
        for start, end in itertools.pairwise(at):
            if not answer.is_complete:
                answer.feed(bytes(data[start:end]))
        if not answer.is_complete:
            answer.finish()
    except httpx.RemoteProtocolError:
        assert not answer.is_complete
    assert len(answer.take()) <= len(data)


@given(answers(), st.integers(0, 4000))
def test_an_answer_that_is_cut_off_is_never_whole(
    sent: tuple[bytes, int, list[tuple[bytes, bytes]], bytes], place: int
) -> None:
    data = sent[0]
    answer = fed(data[: place % len(data)])
    assert not answer.is_complete
    with pytest.raises(httpx.RemoteProtocolError):
        answer.finish()
