"""The rooms that no call needs: the admin site and its API, loaded a moment after the start or when first asked for.

They are half of all the code, and calls are served while it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from gateway.control.desk import Desk

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
_FIRST_SECONDS = 1.0


class LateRoom:
    """ASGI. `load` gives the program, which takes a while; it runs once, in a thread."""

    def __init__(self, load: Callable[[], App]) -> None:
        self._load = load
        self._app: App | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        app = self._app or await self.loaded()
        await app(scope, receive, send)

    async def loaded(self) -> App:
        async with self._turn:
            if self._app is None:
                self._app = await asyncio.to_thread(self._load)
            return self._app


def api_room(desk: Desk) -> LateRoom:
    def load() -> App:
        from starlette.applications import Starlette

        from gateway.api import routes

        return Starlette(routes=routes.routes(desk))

    return LateRoom(load)


def pages_room(desk: Desk) -> LateRoom:
    def load() -> App:
        from starlette.applications import Starlette

        from gateway.admin import routes

        return Starlette(routes=routes.routes(desk))

    return LateRoom(load)


@contextlib.asynccontextmanager
async def loading(rooms: Sequence[LateRoom]) -> AsyncIterator[None]:
    """Load them in the background, as soon as the first calls have had their chance."""

    async def load() -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        for room in rooms:
            await room.loaded()
        # What is there now stays to the end: it need not be looked through for garbage again and again.
        gc.freeze()

    task = asyncio.create_task(load(), name="late rooms")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
