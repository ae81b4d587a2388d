"""The paths that clients call: from HTTP to a Call, and from whatever happened to an answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import msgspec

from gateway.edge.offers import Offers, of_scope
from gateway.errors import GatewayError, MethodNotAllowed, NotFound, Unavailable, Unexpected
from gateway.formats.request import Asked
from gateway.formats.table import FORMATS
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.proxy import counting, model_lists
from gateway.proxy.answer_headers import AnswerHeaders
from gateway.proxy.aside import LARGE, aside
from gateway.proxy.body import ClientLeft, Receive
from gateway.proxy.call import Arrival, Call, Trail
from gateway.proxy.entrance import Entrance, Scope
from gateway.proxy.framing import framed
from gateway.proxy.ledger import Ledger
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.sending import Send, id_headers, send_error, send_json
from gateway.proxy.settle import Settler, client_left, outcome_of
from gateway.proxy.stored import StoredAnswers
from gateway.proxy.surfaces import SERVED, SURFACES, Surface, listed_model, stored_response, surface_of
from gateway.proxy.uploads import Upload, is_upload, request_of

log = logging.getLogger("gateway.proxy")

_RESPONSES = ApiFormat.OPENAI_RESPONSES


class Client(msgspec.Struct, frozen=True):
    """The other end of one request, as ASGI has it, and what the server tells of it besides."""

    receive: Receive
    send: Send
    offers: Offers


class ClientSurface:
    """`/v1/…` and `/v1beta/…` as plain ASGI. Every path asks for an API key first."""

    def __init__(
        self,
        pipeline: Pipeline,
        settler: Settler,
        ledger: Ledger,
        entrance: Entrance,
        stored: StoredAnswers,
        headers: AnswerHeaders,
    ) -> None:
        self._pipeline = pipeline
        self._settler = settler
        self._ledger = ledger
        self._entrance = entrance
        self._stored = stored
        self._headers = headers
        self.is_draining = False

    async def end(self) -> None:
        """Settle what is still waited for; nothing is served any more."""
        await self._stored.background.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = self._entrance.arrive(scope)
        api_key: ApiKey | None = None
        try:
            api_key = self._entrance.authenticate(arrival)
            client = Client(receive, send, of_scope(scope))
            surface = SURFACES.get(arrival.path) or surface_of(arrival.path)
            if surface is None:
                await self._serve_other(scope["method"], arrival, api_key, client)
                return
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], "POST")
            await self._call(surface, arrival, api_key, client)
        except GatewayError as error:
            # Strangers may not fill the memory while the database cannot be written.
            if api_key is not None or not self._ledger.is_full:
                self._settler.refuse(arrival, api_key, error)
            await send_error(send, arrival, error)
        except ClientLeft:
            return

    async def _serve_other(self, method: str, arrival: Arrival, api_key: ApiKey, client: Client) -> None:
        if (kept := stored_response(arrival.path)) is not None:
            await self._stored.serve(method, kept, arrival, api_key, client.send)
            return
        if (wanted := listed_model(arrival.path)) is not None:
            _only(method, "GET", "HEAD")
            found = model_lists.answer(self._entrance.snapshot(), api_key, arrival.family, wanted, arrival.query)
            await send_json(client.send, 200, found, id_headers(arrival))
            return
        raise NotFound(f"There is no {arrival.path[:100]} here. {SERVED}")

    async def _call(self, surface: Surface, arrival: Arrival, api_key: ApiKey, client: Client) -> None:
        if self.is_draining:
            raise Unavailable("The gateway is stopping; try again.", retry_after=2)
        if self._ledger.is_full:
            raise Unavailable("The gateway cannot write its ledger.", code="storage_unavailable", retry_after=5)
        if surface.takes_upload and is_upload(arrival):
            await self._call_with_upload(surface, arrival, api_key, client)
            return
        body = self._entrance.bodies.at_hand(arrival, client.offers.whole_body)
        if body is None:
            body = await self._entrance.bodies.read_json(arrival, client.receive)
        row = FORMATS[surface.api_format]
        asked = Asked(body, surface.action, surface.model, surface.is_stream)
        request = row.read_request(asked) if len(body) < LARGE else await aside(row.read_request, asked)
        pinned = ""
        if surface.api_format is _RESPONSES:
            request = self._stored.translated.filled(request, api_key)
            if answer_id := row.continues(request):
                pinned = (await self._stored.owner(answer_id, api_key)).backend_id
        await self._go(Call(arrival, api_key, request, pinned=pinned, size=len(body)), client)

    async def _call_with_upload(self, surface: Surface, arrival: Arrival, api_key: ApiKey, client: Client) -> None:
        """The call goes on its way as soon as its model is known, while the rest of the body still comes."""
        with contextlib.closing(Upload(arrival, self._entrance.bodies.largest)) as upload:
            filling = asyncio.create_task(_filled(upload, client.receive))
            try:
                request = request_of(surface.api_format, surface.action, await upload.fields())
                await self._go(Call(arrival, api_key, request, upload=upload), client)
            finally:
                filling.cancel()
                await asyncio.wait({filling})

    async def _go(self, call: Call, client: Client) -> None:
        """Answer the call while its client is there, or say where it would go."""
        if call.arrival.said.is_dry_run:
            plan = self._pipeline.explain(call)
            await send_json(client.send, 200, msgspec.json.encode(plan), id_headers(call.arrival))
            return
        client.offers.follow_client(is_following=True)
        try:
            await self._answer(call, client)
        finally:
            client.offers.follow_client(is_following=False)

    async def _answer(self, call: Call, client: Client) -> None:
        """Serve and relay. Whatever ends it, exactly one ledger row is written."""
        trail, send = Trail(), framed(call, client.send)
        try:
            relay = await self._pipeline.serve(call, trail)
        except asyncio.CancelledError:
            self._settler.settle(call, trail, None, client_left())
            raise
        except GatewayError as error:
            counted = counting.instead_of(call, error)
            if counted is not None:
                self._settler.settle(call, trail, None, counting.COUNTED)
                await send_json(send, 200, counted, [*id_headers(call.arrival), *self._headers.of_limits(call)])
                return
            self._settler.settle(call, trail, None, outcome_of(error))
            await send_error(send, call.arrival, error, self._headers.of_limits(call))
            return
        except Exception:  # noqa: BLE001  # reason: the one place where a fault of ours becomes an answer
            log.exception("request %s failed", call.id)
            unexpected = Unexpected()
            self._settler.settle(call, trail, None, outcome_of(unexpected))
            await send_error(send, call.arrival, unexpected)
            return
        relay = self._stored.background.follow(counting.in_place_of(relay) if relay.reply.is_refusal else relay)
        now = self._entrance.clock.mono()
        headers = self._headers.of_answer(relay, trail, now)
        listening = self._stored.translated.listening(call, relay.reply, send)
        is_plain = listening is client.send
        if is_plain and relay.responds(client.offers.respond, headers, now):
            return
        begin = client.offers.begin if is_plain else None
        await relay.send_to(listening, headers, now, lambda: self.is_draining, begin)


async def _filled(upload: Upload, receive: Receive) -> None:
    """Take the upload in. A fault in it is told to whoever sends it on."""
    with contextlib.suppress(GatewayError, ClientLeft, OSError):
        await upload.fill(receive)


def _only(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise MethodNotAllowed(method, allowed[0])
