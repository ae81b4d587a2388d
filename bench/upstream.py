"""A mock provider that costs next to nothing: fixed answers from a bare asyncio protocol.

Run as `python -m bench.upstream`; it prints its port. Whole answers are 600 bytes, streams 64 chunks.
"""

from __future__ import annotations

import asyncio
import json

CHUNKS = 64


def _whole() -> bytes:
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 330}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 80, "total_tokens": 100},
    }
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def _chunk(payload: bytes) -> bytes:
    event = b"data: " + payload + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def _stream() -> list[bytes]:
    def delta(content: str, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
        return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}).encode()

    usage = b'{"id":"c","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":64,"total_tokens":84}}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    texts = [_chunk(delta("token ")) for _ in range(CHUNKS)]
    return [head, *texts, _chunk(delta("", "stop")), _chunk(usage), _chunk(b"[DONE]") + b"0\r\n\r\n"]


WHOLE, STREAM = _whole(), _stream()


class Mock(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            if b'"stream":true' in body.replace(b" ", b""):
                for part in STREAM:
                    self.transport.write(part)
            else:
                self.transport.write(WHOLE)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
