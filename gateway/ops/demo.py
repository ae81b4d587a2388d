"""The built-in demo backend: a small real HTTP server on loopback, reached like any other provider.

    POST /v1/chat/completions   repeats the last user message, streamed or not
    GET  /v1/models             echo, and one model for each fault
    /spare/v1/...               the same, but faults are ignored: what a failover lands on

The header `x-demo-fault`, or the model's name, asks for a fault: 429, 500, 503, slow (0.2 s before each piece,
8 s at most), cut (the connection closes in the middle of the answer), hang (no answer until the client leaves).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import msgspec

from gateway.ops.demo_answers import Question, Refused, events, model_list, read_question, refuse, whole

SLOW_SECONDS = 0.2
SLOWEST_SECONDS = 8.0
_LONGEST_HEAD = 64 * 1024
_LONGEST_BODY = 64 * 1024 * 1024
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class _Asked(msgspec.Struct, frozen=True):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@contextlib.asynccontextmanager
async def demo_server() -> AsyncIterator[str]:
    """Serve on a free port of loopback; gives the origin, such as `http://127.0.0.1:40123`."""
    talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks[task] = writer
        task.add_done_callback(talks.pop)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _converse(reader, writer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=_LONGEST_HEAD)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for writer in talks.values():
            writer.transport.abort()
        if talks:
            await asyncio.wait(list(talks))


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request after the other until the client leaves or an answer was cut."""
    while await _exchange(reader, writer):
        pass  # nothing of a request is held while the next one is waited for


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request and its answer; False where the connection ends with it."""
    asked = await _read(reader)
    try:
        goes_on = await _answer(asked, reader, writer)
    except Refused as refused:
        goes_on = True
        writer.write(_head(refused.status, _JSON | refused.headers, len(refused.body)) + refused.body)
    await writer.drain()
    return goes_on and asked.headers.get("connection", "").lower() != "close"


async def _read(reader: asyncio.StreamReader) -> _Asked:
    """One request; a body without Content-Length counts as empty."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip().split("\r\n")
    method, _, rest = line.partition(" ")
    headers = {}
    for entry in fields:
        name, _, text = entry.partition(":")
        headers[name.strip().lower()] = text.strip()
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _LONGEST_BODY:
        raise ConnectionError
    return _Asked(method, rest.split(" ")[0].split("?")[0], headers, await reader.readexactly(int(length)))


async def _answer(asked: _Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Write the answer; False where the connection is to be closed after it."""
    path = asked.path.removeprefix("/spare")
    if path == "/v1/models" and asked.method == "GET":
        body = model_list()
        writer.write(_head(200, _JSON, len(body)) + body)
        return True
    if path != "/v1/chat/completions":
        raise Refused(404, {"message": f"Unknown path {asked.path}.", "type": "invalid_request_error"})
    if asked.method != "POST":
        raise Refused(405, {"message": "Use POST.", "type": "invalid_request_error"}, {"allow": "POST"})
    question = read_question(asked.body, asked.headers.get("x-demo-fault", ""), asked.path == path)
    refuse(question.fault)
    if question.fault == "hang":
        while await reader.read(1024):
            pass
        return False
    if question.is_stream:
        return await _stream(question, writer)
    return await _whole(question, writer)


async def _whole(question: Question, writer: asyncio.StreamWriter) -> bool:
    body = whole(question)
    if question.fault == "slow":
        await asyncio.sleep(SLOW_SECONDS * 5)
    is_cut = question.fault == "cut"
    writer.write(_head(200, _JSON, len(body)) + (body[: len(body) // 2] if is_cut else body))
    return not is_cut


async def _stream(question: Question, writer: asyncio.StreamWriter) -> bool:
    """Events as chunks. A cut one ends after half of them, without the mark that ends a chunked body."""
    writer.write(_head(200, _EVENTS, None))
    pieces = list(events(question))
    for number, piece in enumerate(pieces):
        if question.fault == "cut" and number > len(pieces) // 2:
            return False
        if question.fault == "slow":
            await asyncio.sleep(min(SLOW_SECONDS, SLOWEST_SECONDS / len(pieces)))
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    return True


def _head(status: int, headers: Mapping[str, str], length: int | None) -> bytes:
    """Status line and headers; a length of None announces chunks."""
    size = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
    every = dict(headers) | size | {"x-request-id": f"req_demo{secrets.token_hex(8)}"}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in every.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
