"""Reaching the gateway that runs on a data directory, with the API key beside its database."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from gateway.cli import client_file, lock
from gateway.settings import Settings

_TIMEOUT_SECONDS = 620.0


class Failed(Exception):
    """Why there is no answer, for people."""


def ask(settings: Settings, body: object, headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
    """A chat completion of the running gateway, its body unread. Raises Failed, OSError or HTTPException."""
    url, key = _place(settings)
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=_TIMEOUT_SECONDS)
    sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})}
    connection.request("POST", f"{place.path}/v1/chat/completions", msgspec.json.encode(body), sent)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise Failed(f"{answer.status} {message(answer.read())}")
    return answer


def post(url: str, path: str, body: bytes, token: str) -> bytes:
    """An operation of the admin API of the gateway at `url`. Raises Failed, OSError or HTTPException."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=_TIMEOUT_SECONDS)
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection.request("POST", f"{place.path}{path}", body, sent)
    answer = connection.getresponse()
    found = answer.read()
    if answer.status != http.client.OK:
        raise Failed(f"{answer.status} {message(found)}")
    return found


def message(body: bytes) -> str:
    """The words of an error answer."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, LookupError, TypeError):
        return body[:200].decode(errors="replace")


def _place(settings: Settings) -> tuple[str, str]:
    """Base URL of the running gateway, and the first API key."""
    who = lock.holder(settings.data_dir)
    if who is None or not who.url:
        raise Failed(
            f"no gateway runs on {settings.data_dir}. Start one in another terminal:\n    {sys.executable} -m gateway"
        )
    client = client_file.read(settings.data_dir)
    if client is None:
        raise Failed(f"there is no key in {client_file.path(settings.data_dir)}; make one at {who.url}/admin/keys")
    return who.url, client.api_key
