"""Where calls are written: rows are queued without waiting and written in batches, with the runtime state.

A row leaves the queue only when its transaction is committed, so that a failed or cancelled write loses nothing.
What is reserved of limited money is waited for: it is on the disk before its call is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice

import msgspec

from gateway.clock import Clock
from gateway.errors import Unavailable
from gateway.model.calls import CallRecord, Reservation
from gateway.model.captures import Captured
from gateway.proxy.memory import Changed, changed, write_changed
from gateway.routing.state import Dirty, RuntimeState
from gateway.store import calls, captures, pending_sums, reservations, stored_responses
from gateway.store.captures import StoredCapture
from gateway.store.database import Database, Tx
from gateway.store.pending_sums import Sums
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend
from gateway.store.stored_responses import StoredResponse

log = logging.getLogger("gateway.ledger")

_BATCH = 500
_MOST_QUEUED = 20_000
_COMPANY = ((0.02, 1), (0.05, 5), (0.08, 20))
"""Seconds that the oldest row waits for others, where there are so many by then: every batch writes the same pages
anew, so that few large ones cost less than many small ones. What a kill may take is of the last tenth of a second,
writing included."""
_STATE_SECONDS = 0.25
_AVERAGES_SECONDS = 5.0
"""Averages may be a little old after a crash: every call moves one, and of many backends each has its own row. Sums
that were only noted are written to their tables as often."""
_MANY_SUMS = 64
"""A batch that changes more of them notes them in one row. Below, they are near each other anyway."""
_RETRY_SECONDS = 0.5


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A call's row, and with it the sum of its provider and those of its API key's and user's day, written together.

    `was_reserved`: money was reserved for it, or was about to be, in a row that goes with this one's coming.
    `captures` are its headers and bodies, where they are kept; `stored` says whose its answer is, where the provider
    keeps that.
    """

    row: CallRecord
    provider: StoredSpend | None = None
    spends: tuple[DaySpend, ...] = ()
    was_reserved: bool = False
    captures: tuple[Captured, ...] = ()
    stored: StoredResponse | None = None


Seal = Callable[[str, int, Captured], StoredCapture]
"""Makes of a call's id, its time (Unix ms) and a part what is stored of it; runs in a thread."""


class Ledger:
    """Made by `open_ledger`. `record` never waits; `is_full` means that no further call may be admitted."""

    def __init__(self, db: Database, state: RuntimeState, clock: Clock, seal: Seal | None = None) -> None:
        self._db = db
        self._seal = seal
        self._state = state
        self._clock = clock
        self._queue: deque[Entry] = deque()
        self._waiting: list[tuple[Reservation, asyncio.Future[None]]] = []
        self._fault = ""
        self._is_behind = False
        """Whether there are sums that are only noted."""
        self._turn = asyncio.Lock()
        self._has_rows = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._states_due_at = self._averages_due_at = 0.0
        self._since = 0.0
        """No row that is queued is older (the loop's time), unless it waits for a write to be tried again."""

    @property
    def is_full(self) -> bool:
        return len(self._queue) >= _MOST_QUEUED

    @property
    def queued(self) -> int:
        """How many rows wait to be written."""
        return len(self._queue)

    @property
    def fault(self) -> str:
        """Why the last write failed; empty while writing works."""
        return self._fault

    def fail(self, fault: str) -> None:
        """Say that nothing is written at present; the next write that works ends it."""
        self._fault = fault
        self._has_rows.set()

    def record(self, entry: Entry) -> None:
        self._queue.append(entry)
        self._has_rows.set()
        if len(self._queue) == _BATCH:
            self._is_urgent.set()

    async def reserve(self, reservation: Reservation) -> None:
        """Until it is on the disk. Raises Unavailable where it cannot be written, and then nothing is kept of it."""
        if self._fault:
            raise _unwritable()
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((reservation, written))
        self._has_rows.set()
        self._is_urgent.set()
        await written

    async def flush(self) -> None:
        """Write everything that is queued. Raises Unavailable where the database cannot be written."""
        async with self._turn:
            while self._has_work or self._state.dirty or self._is_behind:
                await self._write_batch(with_states=True, with_averages=True)

    async def until_stored(self, answer_id: str) -> None:
        """Until nothing is queued that would write down whose this answer is. Raises as `flush` does."""
        while any(entry.stored is not None and entry.stored.id == answer_id for entry in self._queue):
            async with self._turn:
                await self._write_batch(with_states=False)

    @property
    def _has_work(self) -> bool:
        """What waits for the next write, and not for a later one."""
        dirty = self._state.dirty
        can_wait = dirty or self._is_behind
        return bool(self._queue or self._waiting or dirty.is_urgent or (can_wait and self._averages_are_due))

    @contextlib.asynccontextmanager
    async def between_writes(self) -> AsyncIterator[None]:
        """A moment in which no batch is being written."""
        async with self._turn:
            yield

    async def run(self) -> None:
        """Write what comes, for ever. A failed write is tried again; the rows wait at the head of the queue."""
        while True:
            await self._something_to_write()
            if not self._has_work and not self._fault:
                continue
            try:
                async with self._turn:
                    await self._write_batch(with_states=self._states_are_due, with_averages=self._averages_are_due)
                await self._db.checkpoint_if_large()
                self._fault = ""
            except Exception as error:  # noqa: BLE001  # reason: a writer that dies loses every later row
                if not self._fault:
                    log.exception(
                        "the ledger cannot be written; %d rows wait%s", len(self._queue), self._db.who_locks()
                    )
                self._fault = str(error) or type(error).__name__
                await asyncio.sleep(_RETRY_SECONDS)

    async def _something_to_write(self) -> None:
        """Until a row comes, and a moment longer for its company; or until it is time to look at the states.

        Where a call waits to be sent there is no such moment, and none where a whole batch is there already.
        """
        loop = asyncio.get_running_loop()
        if not self._queue and not self._waiting:
            self._has_rows.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STATE_SECONDS):
                    await self._has_rows.wait()
            self._since = loop.time()
        for seconds, least in _COMPANY:
            if self._waiting or not least <= len(self._queue) < _BATCH:
                return
            self._is_urgent.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._since + seconds):
                    await self._is_urgent.wait()

    @property
    def _states_are_due(self) -> bool:
        return not self._queue or asyncio.get_running_loop().time() >= self._states_due_at

    @property
    def _averages_are_due(self) -> bool:
        return asyncio.get_running_loop().time() >= self._averages_due_at

    async def _write_batch(self, *, with_states: bool, with_averages: bool = False) -> None:
        """What is waited for, the oldest rows, what was spent with them, and what changed of the state, together or
        not at all."""
        batch = list(islice(self._queue, _BATCH))
        if len(batch) == len(self._queue):
            self._since = asyncio.get_running_loop().time()
        kept = await self._sealed(batch)
        waiting = [(found, written) for found, written in self._waiting if not written.done()]
        self._waiting = []
        dirty = self._state.dirty.take(with_averages=with_averages) if with_states else Dirty()
        states = changed(self._state, dirty, self._clock) if dirty else Changed()
        was_behind, self._is_behind = self._is_behind, True  # as long as nobody knows

        async def everything(tx: Tx) -> bool:
            if waiting:
                await reservations.insert_many(tx, [found for found, _ in waiting])
            if batch:
                await _write_entries(tx, batch)
            if kept:
                await captures.insert_many(tx, kept)
            await write_changed(tx, states)
            return await _write_sums(tx, batch, is_behind=was_behind, settles=with_averages)

        is_written = False
        try:
            self._is_behind = await self._db.write_at_once(everything, is_durable=bool(waiting))
            is_written = True
        finally:
            if is_written:
                self._forget(len(batch), with_states=with_states, with_averages=with_states and with_averages)
            else:
                self._state.dirty.put_back(dirty)
            _answer(waiting, is_written=is_written)

    def _forget(self, written: int, *, with_states: bool, with_averages: bool) -> None:
        for _ in range(written):
            self._queue.popleft()
        if with_states:
            self._states_due_at = asyncio.get_running_loop().time() + _STATE_SECONDS
        if with_averages:
            self._averages_due_at = asyncio.get_running_loop().time() + _AVERAGES_SECONDS

    async def _sealed(self, batch: Sequence[Entry]) -> list[StoredCapture]:
        parts = [(entry.row, part) for entry in batch for part in entry.captures]
        seal = self._seal
        if seal is None or not parts:
            return []
        return await asyncio.to_thread(lambda: [seal(row.id, row.started_at, part) for row, part in parts])


async def _write_entries(tx: Tx, batch: Sequence[Entry]) -> None:
    await calls.insert_many(tx, [entry.row for entry in batch])
    if stored := [entry.stored for entry in batch if entry.stored is not None]:
        await stored_responses.insert_many(tx, stored)
    if reserved := [entry.row.id for entry in batch if entry.was_reserved]:
        await reservations.delete_many(tx, reserved)


async def _write_sums(tx: Tx, batch: Sequence[Entry], *, is_behind: bool, settles: bool) -> bool:
    """Whether some are only noted now. Of each the last one counts: later calls have it with the earlier ones."""
    sums = Sums()
    for entry in batch:
        sums.note(entry.spends, entry.provider)
        if entry.row.api_key_id:
            sums.note_use(entry.row.api_key_id, entry.row.started_at)
    if len(sums) > _MANY_SUMS and not settles:
        await pending_sums.note(tx, sums)
        return True
    if is_behind:
        await pending_sums.settle(tx)
    await pending_sums.save(tx, sums)
    return False


def _answer(waiting: Sequence[tuple[Reservation, asyncio.Future[None]]], *, is_written: bool) -> None:
    for _, written in waiting:
        if written.done():
            continue  # its call was cancelled meanwhile; its row takes the reservation away
        if is_written:
            written.set_result(None)
        else:
            written.set_exception(_unwritable())


def _unwritable() -> Unavailable:
    return Unavailable(
        "The gateway cannot write down what this call may cost, so it was not sent; try again.",
        code="storage_unavailable",
        retry_after=1,
    )


async def _keep_writing(ledger: Ledger, writing: asyncio.Task[None]) -> None:
    """Should the writer end all the same, whatever ended it, calls are refused until another one writes."""
    try:
        while True:
            await asyncio.wait({writing})
            ledger.fail("its writer ended")
            log.error("the ledger's writer ended (%s); another one begins", _why(writing))
            await asyncio.sleep(_RETRY_SECONDS)
            writing = asyncio.create_task(ledger.run(), name="ledger")
    finally:
        writing.cancel()
        await asyncio.wait({writing})


def _why(ended: asyncio.Task[None]) -> str:
    return "cancelled" if ended.cancelled() else repr(ended.exception())


@contextlib.asynccontextmanager
async def open_ledger(
    db: Database, state: RuntimeState, clock: Clock, seal: Seal | None = None
) -> AsyncIterator[Ledger]:
    """Writes in the background while open; drained at the end, whatever ended it."""
    ledger = Ledger(db, state, clock, seal)
    writing = asyncio.create_task(ledger.run(), name="ledger")
    watching = asyncio.create_task(_keep_writing(ledger, writing), name="ledger watch")
    try:
        yield ledger
    finally:
        async with ledger.between_writes():
            watching.cancel()
        await asyncio.wait({watching})
        try:
            await ledger.flush()
        except Unavailable as error:
            log.error("the ledger could not be written at the end (%s); %d rows lost", error, len(ledger._queue))
