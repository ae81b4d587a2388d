"""The lane to the providers: one request out, one answer in. The only module that speaks HTTP to them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import weakref
from collections.abc import AsyncIterator, Mapping
from typing import cast

import httpx
import msgspec

from gateway.errors import UpstreamFailed
from gateway.formats.body import decode_any
from gateway.formats.table import FORMATS
from gateway.model.origin import origin_of
from gateway.model.registry import ApiFormat, Endpoint
from gateway.proxy.exchange import Patience
from gateway.proxy.guard import PermitsLocal
from gateway.proxy.lines import Line, Outbound
from gateway.proxy.transports import Transports, open_transports
from gateway.proxy.upstream_answer import Broken, StockBody, UpstreamAnswer, until, words_of
from gateway.routing.snapshot import Backend
from gateway.vault import Secret, Vault, provider_key_binding, proxy_binding

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 60.0
_MOST_MODELS = 5000

_TIMEOUT = {"connect": CONNECT_SECONDS, "write": WRITE_SECONDS, "pool": CONNECT_SECONDS, "read": None}
_NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
"""Faults in which no request left, or none that is one: no connection, an address that is none, an outbound proxy that
refused to connect.
"""

_origin_of = functools.lru_cache(4096)(origin_of)


class ConnectFailed(Exception):
    """No connection: nothing was sent, so trying elsewhere is always safe."""


class KeyUnusable(Exception):
    """The provider key cannot be opened, or not for this address. Nothing was sent."""


class Upstream:
    """Made by `open_upstream`. Sends to a backend's address with a backend's key, and nowhere else."""

    def __init__(self, transports: Transports, vault: Vault, secrets: Mapping[str, str]) -> None:
        self._transports = transports
        self._vault = vault
        self._secrets = secrets
        self._lines: dict[str, Line] = {}

    async def send(self, backend: Backend, outbound: Outbound) -> UpstreamAnswer:
        """Raises ConnectFailed, Broken or KeyUnusable, and TimeoutError where its time is over."""
        line = self._lines.get(backend.id)
        if line is None or line.backend() is not backend:
            line = self._new_line(backend)
        try:
            if backend.endpoint.proxy_sealed is None:
                where = line.where(outbound)
                patience = Patience(CONNECT_SECONDS, CONNECT_SECONDS, WRITE_SECONDS, ends_at=outbound.ends_at)
                made = await self._transports.direct.exchange(where.address, line.request(where, outbound), patience)
                head = made.answer
                answer = UpstreamAnswer(head.status, head.headers, made, line.secret, head.media, head.encoding)
            else:
                answer = await self._through_proxy(backend.endpoint, line, outbound)
        except _NOT_CONNECTED as error:
            _require_time(error, outbound)
            raise ConnectFailed(words_of(error)) from error
        except httpx.HTTPError as error:
            _require_time(error, outbound)
            raise Broken(words_of(error)) from error
        if answer.encoding not in (b"", b"identity"):
            await answer.close()
            raise Broken("the provider compressed its answer although asked not to")
        return answer

    async def _through_proxy(self, endpoint: Endpoint, line: Line, outbound: Outbound) -> UpstreamAnswer:
        where = line.where(outbound)
        # httpx takes a bytearray, as large bodies are, for a row of numbers.
        content = bytes(outbound.body) if isinstance(outbound.body, bytearray) else outbound.body
        request = httpx.Request(
            outbound.method,
            where.url,
            headers=line.headers(where, outbound),
            content=content,
            extensions={"timeout": _TIMEOUT},
        )
        async with until(outbound.ends_at):
            response = await self._proxied(endpoint).handle_async_request(request)
        body = StockBody(cast("httpx.AsyncByteStream", response.stream), outbound.ends_at)
        named = [(name.lower(), value) for name, value in response.headers.raw]
        first = dict(reversed(named))
        media, encoding = (first.get(name, b"").lower() for name in (b"content-type", b"content-encoding"))
        return UpstreamAnswer(response.status_code, named, body, line.secret, media, encoding)

    async def model_names(self, backend: Backend) -> list[str]:
        """Ask the provider for its models; no tokens are spent. Raises UpstreamFailed saying what to mend."""
        try:
            path = _LISTS.get(backend.endpoint.api_format, "/models")
            answer = await self.send(
                backend, Outbound("GET", path, headers=FORMATS[backend.endpoint.api_format].headers)
            )
        except (ConnectFailed, Broken, KeyUnusable) as error:
            raise UpstreamFailed(f"{backend.name} cannot be reached: {error}.") from error
        try:
            body = await (answer.read() if answer.status == 200 else answer.read_error())
        except Broken as error:
            raise UpstreamFailed(f"{backend.name} answered only in part: {error}.") from error
        finally:
            await answer.close()
        return _model_names(backend, answer.status, body)

    def _secret_of(self, backend: Backend) -> Secret | None:
        key = backend.key
        if key.env_name is None and key.sealed is None:
            if key.masked:
                raise KeyUnusable("its key must be entered again")
            return None
        # The check is here, at the one place a key leaves from, so that no caller can skip it.
        if key.bound_origin != _origin_of(backend.endpoint.base_url):
            raise KeyUnusable("its address changed, so its key must be entered again")
        if key.env_name is not None:
            value = self._secrets.get(key.env_name)
            if not value:
                raise KeyUnusable(f"the environment variable {key.env_name} is not set")
            return Secret(value)
        assert key.sealed is not None
        try:
            return self._vault.unseal(key.sealed, provider_key_binding(key.id, key.bound_origin))
        except ValueError as error:
            raise KeyUnusable(f"its key cannot be opened ({error}); enter it again") from None

    def _new_line(self, backend: Backend) -> Line:
        """Kept as long as this state of the backend's configuration is. Raises KeyUnusable."""
        secret, lines = self._secret_of(backend), self._lines

        def forget(of: weakref.ref[Backend]) -> None:
            if backend_id in lines and lines[backend_id].backend is of:
                del lines[backend_id]

        backend_id = backend.id
        made = lines[backend_id] = Line(weakref.ref(backend, forget), backend.endpoint, secret)
        return made

    def _proxied(self, endpoint: Endpoint) -> httpx.AsyncBaseTransport:
        assert endpoint.proxy_sealed is not None
        try:
            return self._transports.through(
                endpoint.proxy_sealed, lambda sealed: self._vault.unseal(sealed, proxy_binding(endpoint.id)).reveal()
            )
        except ValueError as error:
            raise KeyUnusable(f"its outbound proxy cannot be opened ({error}); enter it again") from None


@contextlib.asynccontextmanager
async def open_upstream(
    vault: Vault, secrets: Mapping[str, str], permits_local: PermitsLocal
) -> AsyncIterator[Upstream]:
    """The connections to all providers. No proxy of the environment, no redirects, every address checked."""
    async with open_transports(permits_local) as transports:
        yield Upstream(transports, vault, secrets)


def _require_time(error: httpx.HTTPError, outbound: Outbound) -> None:
    """Raises TimeoutError where what ended it was its own end."""
    if isinstance(error, httpx.TimeoutException) and asyncio.get_running_loop().time() >= outbound.ends_at:
        raise TimeoutError(words_of(error)) from error


_LISTS = {ApiFormat.ANTHROPIC_MESSAGES: "/models?limit=1000", ApiFormat.GEMINI_GENERATE: "/models?pageSize=1000"}


class _Listed(msgspec.Struct):
    id: str


class _Named(msgspec.Struct):
    name: str


class _ModelList(msgspec.Struct):
    """OpenAI's and Anthropic's shape, or Gemini's, whose names begin with `models/`."""

    data: list[_Listed] | None = None
    models: list[_Named] | None = None


def _model_names(backend: Backend, status: int, body: bytes) -> list[str]:
    if status != 200:
        found = decode_any(body)
        error = found.get("error") if isinstance(found, dict) else None
        said = error.get("message") if isinstance(error, dict) else None
        raise UpstreamFailed(f"{backend.name} answered HTTP {status}" + (f": {str(said)[:200]}" if said else "."))
    try:
        found = msgspec.json.decode(body, type=_ModelList)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamFailed(f"{backend.name} answered something else than a list of models.") from None
    if found.data is None and found.models is None:
        raise UpstreamFailed(f"{backend.name} answered something else than a list of models.")
    names = [one.id for one in found.data or ()] + [one.name.removeprefix("models/") for one in found.models or ()]
    return sorted(set(names[:_MOST_MODELS]))
