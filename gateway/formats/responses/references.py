"""What a Responses request refers to instead of saying it: items and whole answers by their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from gateway.formats import body as bodies
from gateway.formats.body import Fields
from gateway.formats.request import Request

ItemOf = Callable[[str], msgspec.Raw | None]

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(Fields)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_REFERENCE = b'"item_reference"'


class _Item(msgspec.Struct):
    id: str = ""
    type: str = ""


class _Answer(msgspec.Struct):
    id: str
    output: list[msgspec.Raw]


_ITEM = msgspec.json.Decoder(_Item)
_ANSWER = msgspec.json.Decoder(_Answer)


def input_items(request: Request) -> list[msgspec.Raw]:
    """The items of the question; a text is one message. Empty where it cannot be read."""
    given = request.fields.get("input")
    if given is None:
        return []
    if bytes(given).startswith(b'"'):
        return [msgspec.Raw(b'{"role":"user","content":' + bytes(given) + b"}")]
    try:
        return _ITEMS.decode(given)
    except _UNREADABLE:
        return []


def with_items(request: Request, item_of: ItemOf) -> Request:
    """The request with every reference that `item_of` knows written out; the others stay as they are."""
    if not request.holds("input", _REFERENCE):
        return request
    items = [_written_out(item, item_of) for item in input_items(request)]
    return request.with_fields({**request.fields, "input": _listed(items)})


def going_on(request: Request, history: Sequence[msgspec.Raw]) -> Request:
    """The request with all that was said before it, in place of the id of the answer that it goes on from."""
    fields = {name: value for name, value in request.fields.items() if name != "previous_response_id"}
    return request.with_fields({**fields, "input": _listed([*history, *input_items(request)])})


def answer_items(answer: bytes) -> tuple[str, dict[str, msgspec.Raw]]:
    """The id of a whole answer, and its items by theirs, in order; an empty id where it cannot be read."""
    try:
        found = _ANSWER.decode(answer)
        return found.id, {_ITEM.decode(item).id: item for item in found.output}
    except _UNREADABLE:
        return "", {}


class _Event(msgspec.Struct):
    response: msgspec.Raw


_EVENT = msgspec.json.Decoder(_Event)


def answer_of_event(payload: bytes) -> bytes:
    """The whole answer that the last event of a stream tells; empty for every other event."""
    if b'"response.completed"' not in payload[:80] and b'"response.incomplete"' not in payload[:80]:
        return b""
    try:
        return bytes(_EVENT.decode(payload).response)
    except _UNREADABLE:
        return b""


def _written_out(item: msgspec.Raw, item_of: ItemOf) -> msgspec.Raw:
    if _REFERENCE not in bytes(item):
        return item
    try:
        found = _ITEM.decode(item)
    except _UNREADABLE:
        return item
    kept = item_of(found.id) if found.type == "item_reference" else None
    return item if kept is None else said_again(kept)


def said_again(item: msgspec.Raw) -> msgspec.Raw:
    """An item of an answer as a client says it again: what only its provider gave it is left out."""
    fields = _FIELDS.decode(item)
    return msgspec.Raw(bodies.encode_object({k: v for k, v in fields.items() if k not in ("id", "status")}))


def _listed(items: Sequence[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(b"[" + b",".join(map(bytes, items)) + b"]")
