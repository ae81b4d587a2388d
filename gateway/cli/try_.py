"""`try`: one question to the gateway that runs on a data directory."""

from __future__ import annotations

import argparse
import http.client
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway.cli import client_file, lock
from gateway.settings import Settings

_TIMEOUT_SECONDS = 620.0


class _Failed(Exception):
    """Why there is no answer, for people."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the answer, and below it on standard error who gave it. 1 where there is none."""
    try:
        url, key = _place(settings)
        began = time.monotonic()
        answer = _ask(url, key, arguments)
        text = _pieces(answer) if arguments.stream else iter([_whole(answer)])
        for piece in text:
            print(piece, end="", flush=True)
        print()
    except _Failed as failed:
        print(f"try: {failed}", file=sys.stderr)
        return 1
    except (OSError, http.client.HTTPException) as error:
        print(f"try: the connection to the gateway broke ({error or type(error).__name__})", file=sys.stderr)
        return 1
    provider = answer.headers.get("x-gateway-provider", "")
    print(f"{arguments.model}  {provider}  {time.monotonic() - began:.2f} s", file=sys.stderr)
    return 0


def _place(settings: Settings) -> tuple[str, str]:
    """Base URL of the running gateway, and the first API key."""
    who = lock.holder(settings.data_dir)
    if who is None or not who.url:
        raise _Failed(
            f"no gateway runs on {settings.data_dir}. Start one in another terminal:\n    {sys.executable} -m gateway"
        )
    client = client_file.read(settings.data_dir)
    if client is None:
        raise _Failed(f"there is no key in {client_file.path(settings.data_dir)}; make one at {who.url}/admin/keys")
    return who.url, client.api_key


def _ask(url: str, key: str, arguments: argparse.Namespace) -> http.client.HTTPResponse:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=_TIMEOUT_SECONDS)
    messages = [{"role": "user", "content": arguments.message}]
    body = {"model": arguments.model, "messages": messages, "stream": arguments.stream}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", f"{place.path}/v1/chat/completions", msgspec.json.encode(body), headers)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise _Failed(f"{answer.status} {_message(answer.read())}")
    return answer


def _whole(answer: http.client.HTTPResponse) -> str:
    try:
        return str(msgspec.json.decode(answer.read())["choices"][0]["message"]["content"] or "")
    except (msgspec.DecodeError, LookupError, TypeError):
        raise _Failed("the answer is no chat completion") from None


def _pieces(answer: http.client.HTTPResponse) -> Iterator[str]:
    """Text as it comes in. Raises _Failed where an error event ends it."""
    for line in answer:
        if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
            continue
        chunk = msgspec.json.decode(line[6:])
        if "error" in chunk:
            raise _Failed(_message(line[6:]))
        yield from _texts(chunk)


def _texts(chunk: dict[str, Any]) -> Iterator[str]:
    for choice in chunk.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            yield text


def _message(body: bytes) -> str:
    """The words of an error answer."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, LookupError, TypeError):
        return body[:200].decode(errors="replace")
