"""Answers that a provider keeps: who may come back to them, and where they are.

An id is a provider's, so that anyone who learns it could ask for what somebody else's agent said. Only the API key
that an answer was given to, or another key of the same user, is served, and everybody else hears that there is none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

from gateway.errors import CredentialsExhausted, Forbidden, MethodNotAllowed, NotFound, Unavailable, UpstreamFailed
from gateway.formats.table import FORMATS
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.proxy import headers as passing
from gateway.proxy.background import Background
from gateway.proxy.call import Arrival
from gateway.proxy.kept_answers import KeptAnswers
from gateway.proxy.lines import Outbound
from gateway.proxy.sending import Send, id_headers, send_json
from gateway.proxy.upstream import ConnectFailed, KeyUnusable, Upstream
from gateway.proxy.upstream_answer import Broken, UpstreamAnswer
from gateway.routing.permissions import may_reach, require_format
from gateway.routing.snapshot import Backend, Snapshot
from gateway.store import stored_responses
from gateway.store.database import Database
from gateway.store.stored_responses import StoredResponse

_MOST_RECENT = 10_000
_METHODS = {"": ("GET", "DELETE"), "input_items": ("GET",), "cancel": ("POST",)}
_KEY_REFUSALS = frozenset({401, 402, 403})


class StoredAnswers:
    """Knows those of the last calls at once, and older ones from the database. `until_stored` waits for what is still
    to be written of one.
    """

    def __init__(
        self,
        db: Database,
        snapshot: Callable[[], Snapshot],
        upstream: Upstream,
        until_stored: Callable[[str], Awaitable[None]],
    ) -> None:
        self._db = db
        self._until_stored = until_stored
        self._snapshot = snapshot
        self._upstream = upstream
        self._recent: OrderedDict[str, StoredResponse] = OrderedDict()
        self.background = Background(upstream, self.keep)
        self.translated = KeptAnswers()

    def remember(self, found: StoredResponse) -> None:
        """A call that goes on from it may come before it is written down."""
        self._recent.setdefault(found.id, found)
        if len(self._recent) > _MOST_RECENT:
            self._recent.popitem(last=False)

    async def keep(self, found: StoredResponse) -> None:
        """Remember it, and write it down at once."""
        self.remember(found)
        async with self._db.write() as tx:
            await stored_responses.insert_many(tx, [found])

    async def owner(self, answer_id: str, api_key: ApiKey) -> StoredResponse:
        """Raises NotFound where there is none that this key may come back to."""
        found = self._recent.get(answer_id)
        if found is None:
            async with self._db.read() as tx:
                found = await stored_responses.get(tx, answer_id)
        is_own = found is not None and (
            found.api_key_id == api_key.id or (api_key.user_id is not None and found.user_id == api_key.user_id)
        )
        if found is None or not is_own:
            raise NotFound(
                f"There is no response '{answer_id}' that this API key can come back to.",
                param="previous_response_id",
                code="previous_response_not_found",
                retryable=False,
            )
        return found

    async def serve(self, method: str, asked: tuple[str, str], arrival: Arrival, api_key: ApiKey, send: Send) -> None:
        """One answer by its id: look at it, at its question, stop it or delete it. `asked` is the id and what of it."""
        answer_id, what = asked
        if method not in _METHODS[what]:
            raise MethodNotAllowed(method, ", ".join(_METHODS[what]))
        require_format(api_key, ApiFormat.OPENAI_RESPONSES)
        if not what and (kept := self.translated.get(answer_id, api_key)) is not None:
            await self._serve_translated(method, answer_id, kept, arrival, api_key, send)
            return
        backend = self._backend(await self.owner(answer_id, api_key), api_key)
        row = FORMATS[ApiFormat.OPENAI_RESPONSES]
        path = (backend.endpoint.custom_path or row.paths[""]) + f"/{answer_id}" + (f"/{what}" if what else "")
        query = f"?{arrival.query.decode('latin-1')}" if arrival.query else ""
        answer = await self._ask(backend, method, path + query, arrival)
        try:
            if answer.status in _KEY_REFUSALS:
                raise CredentialsExhausted(
                    f"Provider {backend.provider.name} refused the gateway's key; the operator must renew it.",
                    retryable=False,
                )
            if method == "DELETE" and 200 <= answer.status < 300:
                # Before the client hears of it: who comes back then finds nothing.
                await self._forget(answer_id)
            await _relay(answer, arrival, send)
        finally:
            await answer.close()

    async def _forget(self, answer_id: str) -> None:
        await self._until_stored(answer_id)
        async with self._db.write() as tx:
            await stored_responses.delete(tx, answer_id)
        self._recent.pop(answer_id, None)

    async def _serve_translated(
        self, method: str, answer_id: str, kept: bytes, arrival: Arrival, api_key: ApiKey, send: Send
    ) -> None:
        if method == "DELETE":
            self.translated.forget(answer_id, api_key)
            kept = msgspec.json.encode({"id": answer_id, "object": "response.deleted", "deleted": True})
        await send_json(send, 200, kept, id_headers(arrival))

    def _backend(self, found: StoredResponse, api_key: ApiKey) -> Backend:
        backend = self._snapshot().backends.get(found.backend_id)
        if backend is None or not backend.is_enabled:
            raise Unavailable(f"The backend that keeps '{found.id}' is not there any more, or disabled.")
        if not may_reach(api_key, backend):
            raise Forbidden(f"This API key may not use the provider that keeps '{found.id}' any more.", retryable=False)
        return backend

    async def _ask(self, backend: Backend, method: str, path: str, arrival: Arrival) -> UpstreamAnswer:
        sent = [pair for pair in arrival.headers if pair[0] in (b"accept", b"openai-beta")]
        try:
            return await self._upstream.send(backend, Outbound(method, path, headers=sent))
        except (ConnectFailed, Broken, KeyUnusable) as error:
            raise UpstreamFailed(f"Provider {backend.provider.name} cannot be reached: {error}.") from error


async def _relay(answer: UpstreamAnswer, arrival: Arrival, send: Send) -> None:
    headers = [*passing.from_upstream(answer.headers), *id_headers(arrival)]
    try:
        if not answer.is_event_stream:
            body = await (answer.read() if answer.status < 400 else answer.read_error())
            length = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, length]})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        while (chunk := await answer.next()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except Broken as error:
        # Before the first byte this becomes an error; after it, the connection is cut, which is no clean end.
        raise UpstreamFailed(f"The provider broke off the answer: {error}.") from error
    await send({"type": "http.response.body", "body": b""})
