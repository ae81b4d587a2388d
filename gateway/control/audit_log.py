"""The audit log as administrators read it, the proof that it is whole, and what was refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping

import msgspec

from gateway.control import trail
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.errors import GatewayError
from gateway.model.audit import Chain, Head, Row
from gateway.model.people import Actor
from gateway.store import audit
from gateway.store.audit import AuditFilter
from gateway.store.database import Tx

log = logging.getLogger("gateway.audit")

MOST_PER_PAGE = 500
HOUR_SECONDS = 3600.0
_AT_ONCE = 1000
_REQUEST = "request"
_REFUSED = frozenset({401, 403, 429})

FILTERS: Table = (
    Field("actor", Kind.TEXT, "Who did it, by id or name.", nullable=True, most=200),
    Field("action", Kind.TEXT, "What was done, such as create or sign_in.", nullable=True, most=100),
    Field("object_kind", Kind.TEXT, "What it was done to, such as api_key.", nullable=True, most=100),
    Field("object_id", Kind.TEXT, "The id of that.", nullable=True, most=200),
    Field("since", Kind.TIME, "Then or later: Unix milliseconds or ISO 8601.", nullable=True),
    Field("until", Kind.TIME, "Before: Unix milliseconds or ISO 8601.", nullable=True),
)


class Page(msgspec.Struct, frozen=True):
    """Newest first. `next_before` asks for the page after, None at the end."""

    items: tuple[Row, ...]
    next_before: int | None


class FieldChange(msgspec.Struct, frozen=True):
    """One field of an object, as JSON; None where there was none."""

    name: str
    before: str | None
    after: str | None


class Verdict(msgspec.Struct, frozen=True):
    """`fault` is what is wrong with the first row that does not fit; empty where all `rows` do."""

    rows: int
    head: Head
    fault: str


def parse_filter(raw: Mapping[str, object]) -> AuditFilter:
    """A query string's values as a filter; raises InvalidFields."""
    return AuditFilter(**read(FILTERS, raw, partial=False, text=True))


async def listing(desk: Desk, wanted: AuditFilter, before: int | None, limit: int) -> Page:
    """Rows older than the one with the number `before`; at most MOST_PER_PAGE."""
    limit = max(1, min(limit, MOST_PER_PAGE))
    found = await desk.db.read_at_once(lambda tx: audit.page(tx, wanted, before, limit + 1))
    shown = found[:limit]
    return Page(shown, shown[-1].seq if len(found) > limit else None)


async def verify(tx: Tx, noted: Head | None = None) -> Verdict:
    """Walk the whole chain. `noted` is a head that was written down elsewhere: it must still be there."""
    chain, is_met = Chain(), noted is None
    while rows := await audit.after(tx, chain.seq, _AT_ONCE):
        for row in rows:
            if fault := chain.fault_of(row):
                return Verdict(chain.rows, chain.head, fault)
            if noted and row.seq == noted.seq:
                if chain.hash != noted.hash:
                    return Verdict(chain.rows, chain.head, f"row {row.seq} has another hash than the one noted")
                is_met = True
        # Other connections and calls go on between two pieces.
        await asyncio.sleep(0)
    fault = "" if noted is None or is_met else f"row {noted.seq} is gone, and whatever came after it"
    return Verdict(chain.rows, chain.head, fault)


def changes(row: Row) -> tuple[FieldChange, ...]:
    """What differs between before and after, by field; for something made or deleted all that it was."""
    before, after = _fields(row.entry.before), _fields(row.entry.after)
    return tuple(
        FieldChange(name, before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    )


def name_of(row: Row) -> str:
    """What the object was called then; its id where it has no name."""
    entry = row.entry
    for text in () if entry.object_kind == _REQUEST else (entry.after, entry.before):
        found = _decoded(text)
        for key in ("name", "username", "code", "title"):
            if isinstance(found.get(key), str):
                return str(found[key])
    return entry.object_id


async def refused(desk: Desk, actor: Actor, asked: str, error: GatewayError) -> None:
    """Write down that `asked` (method and path) was refused, unless too many were lately. Raises nothing of ours."""
    if error.status not in _REFUSED:
        return
    now = desk.clock.wall_ms()
    left_out = desk.refusals.admit(actor.ip, now)
    if left_out is None:
        return
    why = json.dumps({"status": error.status, "code": error.code, "left_out_before": left_out})
    try:
        async with desk.db.write() as tx:
            await trail.note(tx, actor, "refused", (_REQUEST, asked[:200]), now, why)
    except GatewayError as fault:
        log.warning("a refusal of %s could not be written down: %s", asked[:200], fault.message)


@contextlib.asynccontextmanager
async def announcing(desk: Desk, every_seconds: float = HOUR_SECONDS) -> AsyncIterator[None]:
    """Tell the log the head of the chain at once, every hour and at the end: rows cut off later are missed there."""
    task = asyncio.create_task(_announce(desk, every_seconds), name="audit head")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        with contextlib.suppress(GatewayError):
            await _tell(desk)


async def _announce(desk: Desk, every_seconds: float) -> None:
    while True:
        try:
            await _tell(desk)
        except GatewayError as error:
            log.warning("the head of the audit log could not be read: %s", error.message)
        await asyncio.sleep(every_seconds)


async def _tell(desk: Desk) -> None:
    async with desk.db.read() as tx:
        found = await audit.head(tx)
    log.info("the audit log ends at %s", found)


def _decoded(text: str | None) -> Mapping[str, object]:
    found = json.loads(text) if text else None
    return found if isinstance(found, dict) else {}


def _fields(text: str | None) -> dict[str, str]:
    return {name: json.dumps(value, ensure_ascii=False) for name, value in _decoded(text).items()}
