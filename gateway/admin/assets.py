"""Everything under static/, read once at the start and served from memory by exact name.

No request ever becomes a path in the file system.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway import resources

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_YEAR = 365 * 24 * 3600
_WORTH_PACKING = 512


class Asset(msgspec.Struct, frozen=True):
    """`packed` is the gzip of `body` where that is smaller."""

    body: bytes
    packed: bytes | None
    media_type: str
    digest: str


class Assets:
    """Made by `load_assets`. An asset's URL carries its hash, so browsers keep it until it changes."""

    policy = "public"

    def __init__(self, files: dict[str, Asset], root_path: str) -> None:
        self._files = files
        self._root = root_path

    def url(self, name: str) -> str:
        """Raises KeyError for a name that is not there, so that a misspelt one fails in the first test."""
        return f"{self._root}/static/{name}?v={self._files[name].digest}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        asset = self._files.get(name)
        headers = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
        if asset is None:
            return Response("Not found\n", 404, {**headers, "Cache-Control": "no-store"}, "text/plain")
        headers["ETag"] = f'"{asset.digest}"'
        headers["Vary"] = "Accept-Encoding"
        headers["Cache-Control"] = self._lifetime(name, asset, request)
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        body = asset.body
        if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
            body = asset.packed
            headers["Content-Encoding"] = "gzip"
        return Response(body, 200, headers, asset.media_type)

    def _lifetime(self, name: str, asset: Asset, request: Request) -> str:
        """For ever where the address names the content: by its hash, or by a version in the file name."""
        if request.query_params.get("v") == asset.digest or name.startswith("vendor/"):
            return f"public, max-age={_YEAR}, immutable"
        return "no-cache"


def load_assets(root_path: str, directory: Path = resources.STATIC) -> Assets:
    """Read every file of a known type; licences and notes are not for browsers."""
    files = {
        path.relative_to(directory).as_posix(): _asset(path)
        for path in sorted(directory.rglob("*"))
        if path.suffix in _TYPES and path.is_file()
    }
    return Assets(files, root_path)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    packed = gzip.compress(body, 9, mtime=0) if path.suffix != ".woff2" and len(body) > _WORTH_PACKING else None
    return Asset(body, packed, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])
