"""`try`: one question to the gateway that runs on a data directory."""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.cli import running
from gateway.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the answer, and below it on standard error who gave it. 1 where there is none."""
    try:
        began = time.monotonic()
        messages = [{"role": "user", "content": arguments.message}]
        answer = running.ask(settings, {"model": arguments.model, "messages": messages, "stream": arguments.stream})
        text = _pieces(answer) if arguments.stream else iter([_whole(answer)])
        for piece in text:
            print(piece, end="", flush=True)
        print()
    except running.Failed as failed:
        print(f"try: {failed}", file=sys.stderr)
        return 1
    except (OSError, http.client.HTTPException) as error:
        print(f"try: the connection to the gateway broke ({error or type(error).__name__})", file=sys.stderr)
        return 1
    provider = answer.headers.get("x-gateway-provider", "")
    print(f"{arguments.model}  {provider}  {time.monotonic() - began:.2f} s", file=sys.stderr)
    return 0


def _whole(answer: http.client.HTTPResponse) -> str:
    try:
        return str(msgspec.json.decode(answer.read())["choices"][0]["message"]["content"] or "")
    except (msgspec.DecodeError, LookupError, TypeError):
        raise running.Failed("the answer is no chat completion") from None


def _pieces(answer: http.client.HTTPResponse) -> Iterator[str]:
    """Text as it comes in. Raises Failed where an error event ends it."""
    for line in answer:
        if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
            continue
        chunk = msgspec.json.decode(line[6:])
        if "error" in chunk:
            raise running.Failed(running.message(line[6:]))
        yield from _texts(chunk)


def _texts(chunk: dict[str, Any]) -> Iterator[str]:
    for choice in chunk.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            yield text
