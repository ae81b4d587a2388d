"""What comes back from a provider: a status, headers, and a body that is read step by step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

import httpx
import msgspec

from gateway.errors import UpstreamFailed
from gateway.hiding import hiding
from gateway.proxy.http1 import NEVER
from gateway.vault import Secret

LARGEST_ANSWER = 32 * 1024 * 1024

Header = tuple[bytes, bytes]


class Broken(Exception):
    """The connection broke, or spoke something else than HTTP, after the request may have left."""


class Body(Protocol):
    """An answer's body, as our own transport and httpx's have it."""

    async def __anext__(self) -> bytes: ...

    @property
    def is_over(self) -> bool:
        """Whether all of it is here, and nothing is left to be closed."""
        ...

    def rest(self) -> bytes | None:
        """What is left of it, where all of that is here already."""
        ...

    def bound(self, ends_at: float, idle_seconds: float) -> None: ...

    async def aclose(self) -> None: ...


class StockBody:
    """A body of httpx's transport, with the bounds that it does not have."""

    is_over = False
    __slots__ = ("_ends_at", "_idle_seconds", "_steps", "_stream")

    def __init__(self, stream: httpx.AsyncByteStream, ends_at: float = NEVER, idle_seconds: float = NEVER) -> None:
        self._stream = stream
        self._steps = stream.__aiter__()
        self._ends_at, self._idle_seconds = ends_at, idle_seconds

    async def __anext__(self) -> bytes:
        async with until(min(self._ends_at, asyncio.get_running_loop().time() + self._idle_seconds)):
            return await self._steps.__anext__()

    def rest(self) -> bytes | None:
        return None

    def bound(self, ends_at: float, idle_seconds: float) -> None:
        self._ends_at, self._idle_seconds = ends_at, idle_seconds

    async def aclose(self) -> None:
        await self._stream.aclose()


def until(ends_at: float) -> asyncio.Timeout:
    return asyncio.timeout_at(None if ends_at == NEVER else ends_at)


class UpstreamAnswer(msgspec.Struct):
    """Status and headers, named in lower case, of an answer whose body is still to be read; close it in any case.

    `media` and `encoding` are what the headers say of the body, in lower case; empty where they do not.
    """

    status: int
    headers: Sequence[Header]
    _body: Body
    _secret: Secret | None
    media: bytes = b""
    encoding: bytes = b""

    __repr__ = hiding("_body", "_secret")

    @property
    def is_event_stream(self) -> bool:
        return self.media.startswith(b"text/event-stream")

    @property
    def is_sound(self) -> bool:
        return self.media.startswith((b"audio/", b"application/octet-stream"))

    def readable_headers(self) -> dict[str, str]:
        """As text; several of one name with commas between them."""
        return {name.lower(): value for name, value in httpx.Headers(list(self.headers)).items()}

    def bound(self, ends_at: float, idle_seconds: float = NEVER) -> None:
        """The rest of its body ends by then (the event loop's time), and is never silent for longer than this."""
        self._body.bound(ends_at, idle_seconds)

    async def next(self) -> bytes | None:
        """All that came of the body since the last time, undecoded; None after its end.

        Raises Broken where it ends too early, and TimeoutError.
        """
        try:
            return await self._body.__anext__()
        except StopAsyncIteration:
            return None
        except httpx.ReadTimeout as error:
            raise TimeoutError(words_of(error)) from error
        except httpx.HTTPError as error:
            raise Broken(f"the connection broke: {words_of(error)}") from error

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be closed."""
        return self._body.is_over

    def at_hand(self) -> bytes | None:
        """The whole body, where all of it came at once; then there is no use in waiting for it."""
        return self._body.rest()

    async def read(self) -> bytes:
        """The whole body. Raises Broken, TimeoutError, and UpstreamFailed beyond LARGEST_ANSWER bytes."""
        rest = self._body.rest()
        if rest is not None:
            return rest
        parts, size = [], 0
        while (chunk := await self.next()) is not None:
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise UpstreamFailed("The provider's answer is too large to relay.")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def read_error(self) -> bytes:
        """The whole body of an error, with our key cut out should the provider have quoted it."""
        return self.without_key(await self.read())

    def without_key(self, text: bytes) -> bytes:
        """`text` without our key, for what a provider says of an error may quote it."""
        return text.replace(self._secret.reveal_bytes(), b"***") if self._secret else text

    async def close(self) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await self._body.aclose()


def words_of(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
