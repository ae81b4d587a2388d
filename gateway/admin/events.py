"""The live event stream for open pages, which look again at what changed."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from starlette.responses import Response

from gateway.admin.site import SESSION, Door, Site
from gateway.admin.visits import Visit, cookie_name
from gateway.control import sessions
from gateway.control.event_stream import EventStream


class _Streamed(Response):
    """An event stream with the headers of a page."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        super().__init__()
        del self.headers["content-length"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await replace(self._stream, headers=tuple(self.raw_headers))(scope, receive, send)


async def stream(site: Site, visit: Visit) -> Response:
    """Until the session ends, for whatever reason. `after` is the last event that the page knows."""
    token = visit.request.cookies.get(cookie_name(visit.request, SESSION), "")

    async def is_signed_in() -> bool:
        found = await sessions.recognise(site.desk, token, is_activity=False)
        return found is not None and found[0].role == "admin"

    site.desk.events.require_room()
    return _Streamed(EventStream(site.desk.events, is_signed_in, after=visit.request.query_params.get("after")))


STREAM = Door("session", stream, unattended=True)
