"""A mock provider that costs next to nothing: fixed answers from a bare asyncio protocol.

Run as `python -m bench.upstream`; it prints its port. Whole answers are 600 bytes, streams 64 chunks: of chat
completions, or of messages where the path says so. To a request that holds `pace=20` the chunks of text come 20 a
second, to any other all at once. Bodies above 64 KiB are counted and let go.
"""

from __future__ import annotations

import asyncio
import json
import re

CHUNKS = 64
TEXT = "x" * 330
TOKEN = "token "
_LARGE = 64 * 1024
_PACE = re.compile(rb"pace=(\d+)")


def _answer(content_type: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (content_type, len(body), body)


def _whole_chat() -> bytes:
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 80, "total_tokens": 100},
    }
    return _answer(b"application/json", json.dumps(answer).encode())


def _whole_messages() -> bytes:
    answer = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "bench",
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 80},
    }
    return _answer(b"application/json", json.dumps(answer).encode())


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(event), event)


def _stream(events: list[bytes]) -> list[bytes]:
    """The head, and then one write for each event."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *map(_chunk, events[:-1]), _chunk(events[-1]) + b"0\r\n\r\n"]


def _chat_stream() -> list[bytes]:
    def delta(content: str, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [choice]}
        return b"data: %s\n\n" % json.dumps(chunk).encode()

    usage = {"prompt_tokens": 20, "completion_tokens": 64, "total_tokens": 84}
    last = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [], "usage": usage}
    ending = [delta("", "stop"), b"data: %s\n\n" % json.dumps(last).encode(), b"data: [DONE]\n\n"]
    return _stream([delta(TOKEN)] * CHUNKS + ending)


def _messages_stream() -> list[bytes]:
    def event(kind: str, **members: object) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps({"type": kind, **members}).encode())

    message = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench", "content": []}
    began = {**message, "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 20, "output_tokens": 1}}
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": TOKEN})
    return _stream(
        [
            event("message_start", message=began),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            *[delta] * CHUNKS,
            event("content_block_stop", index=0),
            event(
                "message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 64}
            ),
            event("message_stop"),
        ]
    )


WHOLE, STREAM = _whole_chat(), _chat_stream()
WHOLE_MESSAGES, STREAM_MESSAGES = _whole_messages(), _messages_stream()


class Mock(asyncio.Protocol):
    """One connection; answers follow each other in the order of the requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.dropped = 0
        self.timer: asyncio.TimerHandle | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self.dropped:
            kept = data[self.dropped :]
            self.dropped -= len(data) - len(kept)
            if self.dropped:
                return
            self.transport.write(WHOLE)
            data = kept
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0 and self._take(end):
            pass

    def _take(self, end: int) -> bool:
        """Answer the request whose head ends there; False where more of it has to come first."""
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        missing = end + 4 + length - len(self.buffer)
        if missing > 0 and length > _LARGE:
            self.buffer, self.dropped = b"", missing
            return False
        if missing > 0:
            return False
        body = self.buffer[end + 4 : end + 4 + length]
        self.buffer = self.buffer[end + 4 + length :]
        self._answer(b"/messages" in head.split(b"\r\n", 1)[0], body)
        return True

    def _answer(self, is_messages: bool, body: bytes) -> None:
        if len(body) > _LARGE or b'"stream":true' not in body.replace(b" ", b""):
            self.transport.write(WHOLE_MESSAGES if is_messages else WHOLE)
            return
        parts = STREAM_MESSAGES if is_messages else STREAM
        pace = _PACE.search(body)
        if pace:
            first = next(at for at, part in enumerate(parts) if TOKEN.encode() in part)
            self.transport.write(b"".join(parts[:first]))
            self._pass(parts, first, 1 / int(pace[1]), self.loop.time())
            return
        for part in parts:
            self.transport.write(part)

    def _pass(self, parts: list[bytes], at: int, seconds: float, due: float) -> None:
        self.transport.write(parts[at])
        if at + 1 < len(parts):
            due += seconds
            self.timer = self.loop.call_at(due, self._pass, parts, at + 1, seconds, due)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
