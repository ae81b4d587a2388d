"""The lane to the providers: one request out, one answer in. The only module that speaks HTTP to them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import httpx
import msgspec

from gateway import __version__
from gateway.errors import UpstreamFailed
from gateway.formats.body import decode_any
from gateway.formats.table import FORMATS
from gateway.hiding import hiding
from gateway.model.origin import origin_of
from gateway.model.registry import ApiFormat, Auth, Endpoint
from gateway.proxy.connections import Address
from gateway.proxy.exchange import Exchange, Patience
from gateway.proxy.guard import PermitsLocal
from gateway.proxy.outgoing import written
from gateway.proxy.transports import Transports, open_transports
from gateway.routing.snapshot import Backend
from gateway.vault import Secret, Vault, provider_key_binding, proxy_binding

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 60.0
LARGEST_ANSWER = 32 * 1024 * 1024
_MOST_MODELS = 5000

Header = tuple[bytes, bytes]
Content = bytes | AsyncIterator[bytes]
"""What is sent: whole, or as it comes."""

_PATIENCE = Patience(pool=CONNECT_SECONDS, connect=CONNECT_SECONDS, write=WRITE_SECONDS)
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


class Broken(Exception):
    """The connection broke, or spoke something else than HTTP, after the request may have left."""


class KeyUnusable(Exception):
    """The provider key cannot be opened, or not for this address. Nothing was sent."""


class UpstreamAnswer(msgspec.Struct):
    """Status and headers, named in lower case, of an answer whose body is still to be read; close it in any case."""

    status: int
    headers: Sequence[Header]
    _stream: httpx.AsyncByteStream
    _secret: Secret | None

    __repr__ = hiding("_stream", "_secret")

    def header(self, name: bytes) -> bytes:
        """The value of the first header of this name; empty without one."""
        for found, value in self.headers:
            if found == name:
                return value
        return b""

    @property
    def is_event_stream(self) -> bool:
        return self.header(b"content-type").lower().startswith(b"text/event-stream")

    @property
    def is_sound(self) -> bool:
        return self.header(b"content-type").lower().startswith((b"audio/", b"application/octet-stream"))

    def readable_headers(self) -> dict[str, str]:
        """As text; several of one name with commas between them."""
        return {name.lower(): value for name, value in httpx.Headers(list(self.headers)).items()}

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, undecoded. Raises Broken where it ends too early."""
        return _Chunks(self._stream.__aiter__())

    async def read(self) -> bytes:
        """The whole body. Raises Broken, and UpstreamFailed beyond LARGEST_ANSWER bytes."""
        rest = self._stream.rest() if isinstance(self._stream, Exchange) else None
        if rest is not None:
            return rest
        parts, size = [], 0
        async for chunk in self.chunks():
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
        return text.replace(self._secret.reveal().encode(), b"***") if self._secret else text

    async def close(self) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await self._stream.aclose()


class _Chunks:
    """The steps of a body's stream, its errors in our words. No generator: it is stepped through for every chunk."""

    __slots__ = ("_steps",)

    def __init__(self, steps: AsyncIterator[bytes]) -> None:
        self._steps = steps

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._steps.__anext__()
        except httpx.HTTPError as error:
            raise Broken(f"the connection broke: {_words(error)}") from error


class Upstream:
    """Made by `open_upstream`. Sends to a backend's address with a backend's key, and nowhere else."""

    def __init__(self, transports: Transports, vault: Vault, secrets: Mapping[str, str]) -> None:
        self._transports = transports
        self._vault = vault
        self._secrets = secrets
        self._known: dict[str, tuple[Endpoint, tuple[Header, ...]]] = {}

    async def send(
        self, method: str, backend: Backend, path: str, body: Content, headers: Sequence[Header]
    ) -> UpstreamAnswer:
        """Send to the endpoint's base URL and `path`. Raises ConnectFailed, Broken or KeyUnusable."""
        secret, endpoint = self._secret_of(backend), backend.endpoint
        where, own = _where(endpoint.base_url, path), self._own_headers(endpoint)
        sent = [(b"host", where.host), *headers, *own]
        if secret is not None:
            sent.append(_credential(endpoint, secret.reveal().encode()))
        try:
            if endpoint.proxy_sealed is None:
                request = written(method.encode("ascii"), where.target, sent, body)
                answer = _answer_of(await self._transports.direct.exchange(where.address, request, _PATIENCE), secret)
            else:
                asked = httpx.Request(method, where.url, headers=sent, content=body, extensions={"timeout": _TIMEOUT})
                answer = _stock_answer_of(await self._proxied(endpoint).handle_async_request(asked), secret)
        except _NOT_CONNECTED as error:
            raise ConnectFailed(_words(error)) from error
        except httpx.HTTPError as error:
            raise Broken(_words(error)) from error
        if answer.header(b"content-encoding").lower() not in (b"", b"identity"):
            await answer.close()
            raise Broken("the provider compressed its answer although asked not to")
        return answer

    async def model_names(self, backend: Backend) -> list[str]:
        """Ask the provider for its models; no tokens are spent. Raises UpstreamFailed saying what to mend."""
        try:
            path = _LISTS.get(backend.endpoint.api_format, "/models")
            answer = await self.send("GET", backend, path, b"", FORMATS[backend.endpoint.api_format].headers)
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

    def _own_headers(self, endpoint: Endpoint) -> tuple[Header, ...]:
        """Those that every request to the endpoint has, made once for each state of its configuration."""
        known = self._known.get(endpoint.id)
        if known is None or known[0] is not endpoint:
            known = self._known[endpoint.id] = (endpoint, tuple(_own_headers(endpoint)))
        return known[1]

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


class _Where(msgspec.Struct, frozen=True):
    """A URL in the pieces that a request needs."""

    url: httpx.URL
    address: Address
    target: bytes
    host: bytes


@functools.lru_cache(4096)
def _where(base_url: str, path: str) -> _Where:
    url = httpx.URL(base_url.rstrip("/") + path)
    return _Where(url, (url.scheme, url.raw_host, url.port), url.raw_path, url.netloc)


def _answer_of(exchange: Exchange, secret: Secret | None) -> UpstreamAnswer:
    return UpstreamAnswer(exchange.answer.status, exchange.answer.headers, exchange, secret)


def _stock_answer_of(response: httpx.Response, secret: Secret | None) -> UpstreamAnswer:
    headers = [(name.lower(), value) for name, value in response.headers.raw]
    return UpstreamAnswer(response.status_code, headers, cast("httpx.AsyncByteStream", response.stream), secret)


def _own_headers(endpoint: Endpoint) -> list[Header]:
    own = [(name.lower().encode(), value.encode()) for name, value in endpoint.headers.items()]
    agent = b"weir-gateway/" + __version__.encode()
    return [(b"accept-encoding", b"identity"), (b"user-agent", agent), *own]


def _credential(endpoint: Endpoint, secret: bytes) -> Header:
    """The header that carries the key: the endpoint's own way, else its format's."""
    style = endpoint.auth or FORMATS[endpoint.api_format].auth
    return (b"authorization", b"Bearer " + secret) if style is Auth.BEARER else (style.encode(), secret)


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]


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
