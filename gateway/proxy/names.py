"""Names to addresses: looked up in threads of our own, kept a short while, asked once for all who wait."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.model.origin import address_of

DNS_SECONDS = 5.0
GOOD_SECONDS = 30.0
BAD_SECONDS = 1.0
_MOST_NAMES = 1024
_THREADS = 8

LookUp = Callable[[str, int], Sequence[str]]


def _look_up(host: str, port: int) -> list[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


class Names:
    """Answers are addresses as they were found: whoever dials one checks it, also where it came from here."""

    def __init__(
        self, look_up: LookUp = _look_up, *, good_seconds: float = GOOD_SECONDS, bad_seconds: float = BAD_SECONDS
    ) -> None:
        self._look_up = look_up
        self._good_seconds = good_seconds
        self._bad_seconds = bad_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dns")
        self._known: dict[tuple[str, int], tuple[asyncio.Future[Sequence[str]], float]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Raises OSError where there are none, or no answer within DNS_SECONDS."""
        literal = address_of(host.strip("[]"))
        if literal is not None:
            return [str(literal)]
        loop = asyncio.get_running_loop()
        found, until = self._known.get((host, port), (None, 0.0))
        if found is None or until <= loop.time():
            found = self._ask(loop, host, port)
        try:
            # Shielded: who leaves does not take the answer from the others.
            async with asyncio.timeout(DNS_SECONDS):
                return await asyncio.shield(found)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise OSError(f"{host} cannot be resolved: {str(error) or 'no answer in time'}") from error

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> asyncio.Future[Sequence[str]]:
        found = loop.run_in_executor(self._threads, self._look_up, host, port)
        self._known.pop((host, port), None)
        if len(self._known) >= _MOST_NAMES:
            del self._known[next(iter(self._known))]
        self._known[host, port] = (found, float("inf"))

        def answered(done: asyncio.Future[Sequence[str]]) -> None:
            if self._known.get((host, port), (None, 0))[0] is done:
                is_good = not done.cancelled() and done.exception() is None
                self._known[host, port] = (done, loop.time() + (self._good_seconds if is_good else self._bad_seconds))

        found.add_done_callback(answered)
        return found
