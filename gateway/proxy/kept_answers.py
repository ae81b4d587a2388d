"""Translated Responses answers, remembered for a while: no provider keeps them, and clients come back to them.

SDKs that leave `store` as it is send ids of what was said in place of it. Only the API key that an answer was given to,
or another key of the same user, finds it here; the memory is bounded, and a restart forgets it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Any

import msgspec

from gateway.formats.request import Request
from gateway.formats.responses import references
from gateway.formats.responses.surface import keeps, previous_response
from gateway.formats.sse import EventSplitter, event_payload
from gateway.hiding import hiding
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.proxy.call import Call
from gateway.proxy.journey import Reply
from gateway.proxy.sending import Send

MOST_BYTES = 64 * 1024 * 1024


class Kept(msgspec.Struct, frozen=True):
    """`history` is all that was said up to the answer's end, `items` the answer's own by their ids."""

    answer: bytes
    history: tuple[msgspec.Raw, ...]
    items: dict[str, msgspec.Raw]

    __repr__ = hiding("answer", "history", "items")

    @property
    def size(self) -> int:
        return len(self.answer) + sum(len(bytes(item)) for item in self.history)


class KeptAnswers:
    """The oldest are forgotten first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._answers: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._items: dict[tuple[str, str], str] = {}

    def filled(self, request: Request, api_key: ApiKey) -> Request:
        """The request with what it refers to written out, as far as that is known here."""
        if request.api_format is not ApiFormat.OPENAI_RESPONSES:
            return request
        whose = _owner(api_key)
        before = self._answers.get((whose, previous_response(request)))
        if before is not None:
            request = references.going_on(request, before.history)
        return references.with_items(request, lambda item_id: self._item(whose, item_id))

    def get(self, answer_id: str, api_key: ApiKey) -> bytes | None:
        """The answer as it was given; None where it is not known, or not this caller's."""
        found = self._answers.get((_owner(api_key), answer_id))
        return None if found is None else found.answer

    def forget(self, answer_id: str, api_key: ApiKey) -> None:
        self._drop((_owner(api_key), answer_id))

    def keep(self, call: Call, answer: bytes) -> None:
        """Remember what was answered to the call."""
        answer_id, items = references.answer_items(answer)
        if not answer_id:
            return
        key = (_owner(call.api_key), answer_id)
        self._drop(key)
        kept = Kept(answer, (*references.input_items(call.request), *map(references.said_again, items.values())), items)
        self._answers[key] = kept
        self._items.update({(key[0], item_id): answer_id for item_id in items})
        self._held += kept.size
        while self._held > self._most and self._answers:
            self._drop(next(iter(self._answers)))

    def _item(self, whose: str, item_id: str) -> msgspec.Raw | None:
        answer_id = self._items.get((whose, item_id))
        return None if answer_id is None else self._answers[whose, answer_id].items.get(item_id)

    def _drop(self, key: tuple[str, str]) -> None:
        kept = self._answers.pop(key, None)
        if kept is None:
            return
        self._held -= kept.size
        for item_id in kept.items:
            if self._items.get((key[0], item_id)) == key[1]:
                del self._items[key[0], item_id]

    def listening(self, call: Call, reply: Reply, send: Send) -> Send:
        """`send`, or what also remembers the answer on its way."""
        if reply.lane.backend.endpoint.api_format is call.request.api_format:
            return send
        is_response = call.request.api_format is ApiFormat.OPENAI_RESPONSES
        if not is_response or reply.is_refusal or not keeps(call.request):
            return send
        return _Listening(self, call, send)


class _Listening:
    """Takes ASGI messages, and keeps the whole answer, or the one that the last event of a stream tells."""

    __slots__ = ("_call", "_kept", "_send", "_splitter")

    def __init__(self, kept: KeptAnswers, call: Call, send: Send) -> None:
        self._kept = kept
        self._call = call
        self._send = send
        self._splitter = EventSplitter()

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        await self._send(message)
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or not body:
            return
        if body.startswith(b"{"):
            self._kept.keep(self._call, body)
            return
        for event in self._splitter.feed(body):
            if answer := references.answer_of_event(event_payload(event)):
                self._kept.keep(self._call, answer)


def _owner(api_key: ApiKey) -> str:
    return f"user:{api_key.user_id}" if api_key.user_id is not None else f"key:{api_key.id}"
