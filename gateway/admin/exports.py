"""Requests and usage as files, by the filters of their pages."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from starlette.responses import Response

from gateway.admin.requests import filter_of
from gateway.admin.site import Site, signed_in
from gateway.admin.usage import asked_for
from gateway.admin.visits import Visit
from gateway.control import exports
from gateway.control.exports import Export
from gateway.errors import NotFound


class _File(Response):
    """An export with the headers of a page."""

    def __init__(self, export: Export) -> None:
        self._export = export
        super().__init__()
        del self.headers["content-length"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await replace(self._export, headers=tuple(self.raw_headers))(scope, receive, send)


@signed_in("requests")
async def requests(site: Site, visit: Visit) -> Response:
    return _File(exports.of_requests(site.desk, filter_of(site, visit), _format(visit)))


@signed_in("usage")
async def usage(site: Site, visit: Visit) -> Response:
    return _File(exports.of_usage(site.desk, asked_for(visit), _format(visit)))


def _format(visit: Visit) -> str:
    wanted = str(visit.request.path_params["format"])
    if wanted not in exports.FORMATS:
        raise NotFound("There is no such page.")
    return wanted
