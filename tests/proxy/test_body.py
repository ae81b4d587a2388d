"""How a request's body is read, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.errors import TooLarge
from gateway.proxy.aside import LARGE
from gateway.proxy.body import BodyReader, ClientLeft, Receive
from gateway.proxy.call import Arrival

pytestmark = pytest.mark.anyio
BODY = b"0123456789abcdef" * (LARGE // 8)


def arrival(length: int | None) -> Arrival:
    headers = [(b"content-type", b"application/json")]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return Arrival("req_1", 0.0, 0, "/v1/chat/completions", tuple(headers), "192.0.2.1")


def receiving(parts: Sequence[bytes], last: str = "http.request") -> Receive:
    """Gives these, and at the end a message of the type `last`."""
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting.append({"type": last})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    return receive


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@pytest.mark.parametrize("length", [len(BODY), None], ids=["of a length", "in chunks"])
@pytest.mark.parametrize("size", [1000, 65_536, len(BODY)])
async def test_a_large_body_is_whole_however_it_comes(length: int | None, size: int) -> None:
    body = await BodyReader(len(BODY)).read_json(arrival(length), receiving(cut(BODY, size)))

    assert body == BODY


async def test_where_less_came_than_was_said_there_is_nothing_else_behind_it() -> None:
    body = await BodyReader(2 * len(BODY)).read_json(arrival(2 * len(BODY)), receiving(cut(BODY, 65_536)))

    assert body == BODY


async def test_a_body_of_which_the_client_leaves_is_none() -> None:
    with pytest.raises(ClientLeft):
        await BodyReader(len(BODY)).read_json(arrival(len(BODY)), receiving(cut(BODY, 65_536)[:3], "http.disconnect"))


async def test_a_body_that_is_larger_than_allowed_is_refused_before_it_comes_and_while_it_does() -> None:
    for length in (len(BODY), None):
        with pytest.raises(TooLarge):
            await BodyReader(len(BODY) - 1).read_json(arrival(length), receiving(cut(BODY, 65_536)))
