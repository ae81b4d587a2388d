"""Which calls a filter finds: the newest first, and never further than a bounded number of calls is looked at.

A filter is answered from the index that leaves the fewest calls to look at. Where even those are many and few of them
are wanted, the search stops early and says where to go on.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from gateway.model.calls import CallStatus
from gateway.store import call_ways as ways
from gateway.store.database import Tx
from gateway.store.search_terms import AFTER_EVERY_ID, bounds, known_ids

# What is looked at takes about 15 ms: entries of one index that has all columns, or rows found by another.
_MOST_TROUBLED = 40_000
_MOST_ROWS = 6_000
_MOST_IN_ORDER = 20_000
_FIRST_ROWS = 1_000
_OF_SESSIONS = ("status", "code", "code_class", "since", "until")
"""What the index of sessions has of a call."""


class CallFilter(msgspec.Struct, frozen=True):
    """Which calls; None means any. `since` (inclusive) and `until` (exclusive) are Unix milliseconds.

    `api_key`, `user`, `provider` and `backend` match an id or a name, `model` the asked or the served one,
    `code_class` 4 every 4xx, `text` anything inside the error, `session` what a coding agent calls its session.
    `known` names those that are ids.
    """

    api_key: str | None = None
    user: str | None = None
    model: str | None = None
    provider: str | None = None
    backend: str | None = None
    status: CallStatus | None = None
    code: int | None = None
    code_class: int | None = None
    since: int | None = None
    until: int | None = None
    text: str | None = None
    session: str | None = None
    known: frozenset[str] = frozenset()

    @property
    def is_of_trouble(self) -> bool:
        """Whether only calls that did not complete can match."""
        has_bad_code = (self.code or 0) >= 400 or (self.code_class or 0) >= 4  # noqa: PLR2004  # HTTP's own
        return self.text is not None or has_bad_code or self.status not in (None, CallStatus.COMPLETED)


class Found(msgspec.Struct, frozen=True):
    """Ids, newest first. `next_before` goes on after them; None where there is nothing more to look at."""

    ids: tuple[str, ...]
    next_before: str | None


async def search(tx: Tx, wanted: CallFilter, before: str | None, most: int) -> Found:
    """At most `most` calls that are older than the one with the id `before`; fewer where the search stops early."""
    wanted = await _with_ids(tx, wanted)
    asked: dict[str, object] = asdict(wanted)
    asked |= await bounds(tx, wanted.since, wanted.until, before or AFTER_EVERY_ID)
    asked |= {"text": None if wanted.text is None else f"%{_literally(wanted.text)}%", "most": most}
    driver, asked["subject"] = _driver(wanted)
    asked["driver"] = driver
    asked |= _also(wanted, driver)
    if _is_alone(wanted, driver):
        all_of = {"": ways.in_order, "session": ways.in_session}.get(driver, ways.all_indexed)
        return Found(await all_of(tx, {**asked, "looked_at": -1}), None)
    # What a session comes to is little beside all trouble, and the index of that does not name it.
    if driver == "session":
        lowest_of, ids_of, all_rows = ways.lowest_in_session, ways.in_session, _MOST_ROWS
    elif wanted.is_of_trouble:
        lowest_of, ids_of, all_rows = ways.lowest_troubled, ways.troubled, _MOST_TROUBLED
    elif driver:
        lowest_of, ids_of, all_rows = ways.lowest_indexed, ways.indexed, _MOST_ROWS
    else:
        lowest_of, ids_of, all_rows = ways.lowest_in_order, ways.in_order, _MOST_IN_ORDER
    ids: tuple[str, ...] = ()
    lowest: str | None = None
    for looked_at in _steps(most, all_rows):
        piece = {**asked, "before": lowest or asked["before"], "most": most - len(ids)}
        piece |= {"looked_at": looked_at, "skipped": looked_at - 1}
        ids += await ids_of(tx, piece)
        if len(ids) == most:
            return Found(ids, None)
        lowest = await lowest_of(tx, piece)
        if lowest is None:
            break
    return Found(ids, lowest)


def _steps(most: int, all_rows: int) -> tuple[int, ...]:
    """How many to look at, and how many after them. Most often a page is filled by the first few."""
    few = max(_FIRST_ROWS, 2 * most)
    return (few, all_rows - few) if few < all_rows else (all_rows,)


def _driver(wanted: CallFilter) -> tuple[str, str | None]:
    """The column whose index is gone through, and what is looked up there; empty where it is none."""
    for name in ("session", "api_key", "user", "backend", "model", "provider"):
        subject = getattr(wanted, name)
        if subject is not None and (name in ("session", "model") or name in wanted.known):
            return name, subject
    return "", None


def _is_alone(wanted: CallFilter, driver: str) -> bool:
    """Whether every call that is gone through is found: there is nothing to stop early for."""
    if not driver:
        return wanted == CallFilter(since=wanted.since, until=wanted.until)
    return wanted == replace(CallFilter(known=wanted.known), **{driver: getattr(wanted, driver)})


def _also(wanted: CallFilter, driver: str) -> dict[str, object]:
    """What else than by the driver can be looked up in an index, None where it cannot; and whether that is all."""
    found: dict[str, object] = {}
    for name in ("user", "backend", "model", "provider"):
        is_indexed = name != driver and (name == "model" or name in wanted.known)
        found[f"also_{name}"] = getattr(wanted, name) if is_indexed else None
    of_driver = _OF_SESSIONS if driver == "session" else ()
    indexed = [name.removeprefix("also_") for name, subject in found.items() if subject is not None]
    there = {driver, *of_driver, *indexed}
    others = {name for name, value in asdict(wanted).items() if value is not None and name not in (*there, "known")}
    return {**found, "is_in_indexes": not others}


async def _with_ids(tx: Tx, wanted: CallFilter) -> CallFilter:
    """Names that one id alone is known by are that id."""
    if wanted.api_key is None and wanted.user is None and wanted.provider is None and wanted.backend is None:
        return wanted
    one: dict[str, Any] = await known_ids(tx, asdict(wanted))
    return replace(wanted, **one, known=frozenset(one))


def _literally(text: str) -> str:
    """`text` for LIKE ... ESCAPE '\\': its own % and _ stand for themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
