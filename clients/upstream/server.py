"""The scripted provider on a loopback socket."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from clients.upstream import chat, gemini, messages, responses, script
from clients.upstream.script import Heard, Said, say
from clients.upstream.wire import Event


@dataclass(frozen=True, slots=True)
class Speech:
    """How one API format is read and said.

    `version` is the first part of its paths, `model` a name by which the newest of its models are known.
    """

    api_format: str
    version: str
    model: str
    read: Callable[[Mapping[str, Any], str], Heard]
    whole: Callable[[Said], Mapping[str, Any]]
    stream: Callable[[Said, Heard], Iterator[Event]]


SPEECHES = {
    "chat": Speech("openai_chat", "v1", "gpt-5.5", chat.read, chat.whole, chat.stream),
    "responses": Speech("openai_responses", "v1", "gpt-5.5", responses.read, responses.whole, responses.stream),
    "messages": Speech("anthropic_messages", "v1", "claude-opus-4-8", messages.read, messages.whole, messages.stream),
    "gemini": Speech("gemini_generate", "v1beta", "gemini-3-pro", gemini.read, gemini.whole, gemini.stream),
}


@dataclass(slots=True)
class Upstream:
    """`bodies` are the requests that it heard, `signatures` those of its thoughts that came back."""

    name: str
    base_url: str = ""
    bodies: list[Mapping[str, Any]] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)


@contextlib.contextmanager
def scripted(name: str) -> Iterator[Upstream]:
    """A provider of one of `SPEECHES` until the block ends."""
    upstream = Upstream(name)
    speech = SPEECHES[name]

    class Handler(_Handler):
        def do_POST(self) -> None:  # noqa: N802  the base class finds it by this name
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            upstream.bodies.append(body)
            heard = speech.read(body, self.path)
            upstream.signatures.extend(one for one in heard.signatures if one == script.SIGNATURE)
            self.answer(speech, heard)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        upstream.base_url = f"http://127.0.0.1:{server.server_port}/{speech.version}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield upstream
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, speech: Speech, heard: Heard) -> None:
        said = say(heard)
        self.send_response(200)
        if not heard.is_stream:
            whole = json.dumps(speech.whole(said), ensure_ascii=False).encode()
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole)
            return
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in speech.stream(said, heard):
            sent = event.encoded()
            self.wfile.write(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """A run prints its table only."""
