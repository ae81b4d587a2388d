"""Where calls are written: rows are queued without waiting and written in batches, with the runtime state.

A row leaves the queue only when its transaction is committed, so that a failed or cancelled write loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice

from gateway.clock import Clock
from gateway.errors import Unavailable
from gateway.model.calls import CallRecord
from gateway.proxy.memory import write_state
from gateway.routing.state import RuntimeState
from gateway.store import calls, provider_spend
from gateway.store.database import Database
from gateway.store.provider_spend import StoredSpend

log = logging.getLogger("gateway.ledger")

_BATCH = 500
_MOST_QUEUED = 20_000
_BATCH_SECONDS = 0.02
_STATE_SECONDS = 0.25
_RETRY_SECONDS = 0.5


class Ledger:
    """Made by `open_ledger`. `record` never waits; `is_full` means that no further call may be admitted."""

    def __init__(self, db: Database, state: RuntimeState, clock: Clock) -> None:
        self._db = db
        self._state = state
        self._clock = clock
        self._queue: deque[tuple[CallRecord, StoredSpend | None]] = deque()
        self._fault = ""
        self._turn = asyncio.Lock()
        self._has_rows = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return len(self._queue) >= _MOST_QUEUED

    @property
    def fault(self) -> str:
        """Why the last write failed; empty while writing works."""
        return self._fault

    def record(self, row: CallRecord, spend: StoredSpend | None = None) -> None:
        """`spend` is the sum at its provider with this call, to be written together with it."""
        self._queue.append((row, spend))
        self._has_rows.set()

    async def flush(self) -> None:
        """Write everything that is queued. Raises Unavailable where the database cannot be written."""
        async with self._turn:
            while self._queue or self._state.dirty:
                await self._write_batch()

    @contextlib.asynccontextmanager
    async def between_writes(self) -> AsyncIterator[None]:
        """A moment in which no batch is being written."""
        async with self._turn:
            yield

    async def run(self) -> None:
        """Write what comes, for ever. A failed write is tried again; the rows wait at the head of the queue."""
        while True:
            await self._something_to_write()
            if not self._queue and not self._state.dirty:
                continue
            try:
                await self.flush()
                await self._db.checkpoint_if_large()
                self._fault = ""
            except Exception as error:  # noqa: BLE001  # reason: a writer that dies loses every later row
                if not self._fault:
                    log.exception("the ledger cannot be written; %d rows wait", len(self._queue))
                self._fault = str(error) or type(error).__name__
                await asyncio.sleep(_RETRY_SECONDS)

    async def _something_to_write(self) -> None:
        """Until a row comes, and a moment longer for its company; or until it is time to look at the states."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STATE_SECONDS):
                await self._has_rows.wait()
                await asyncio.sleep(_BATCH_SECONDS)
        self._has_rows.clear()

    async def _write_batch(self) -> None:
        """The oldest rows, what was spent with them, and what changed of the state, together or not at all."""
        batch = list(islice(self._queue, _BATCH))
        spends = {spend.provider_id: spend for _, spend in batch if spend is not None}
        dirty = self._state.dirty.take()
        is_written = False
        try:
            async with self._db.write() as tx:
                await calls.insert_many(tx, [row for row, _ in batch])
                await provider_spend.save_many(tx, spends.values())
                await write_state(tx, self._state, dirty, self._clock)
            is_written = True
        finally:
            if is_written:
                for _ in batch:
                    self._queue.popleft()
            else:
                self._state.dirty.put_back(dirty)


@contextlib.asynccontextmanager
async def open_ledger(db: Database, state: RuntimeState, clock: Clock) -> AsyncIterator[Ledger]:
    """Writes in the background while open; drained at the end, whatever ended it."""
    ledger = Ledger(db, state, clock)
    writing = asyncio.create_task(ledger.run(), name="ledger")
    try:
        yield ledger
    finally:
        async with ledger.between_writes():
            writing.cancel()
        await asyncio.wait({writing})
        try:
            await ledger.flush()
        except Unavailable as error:
            log.error("the ledger could not be written at the end (%s); %d rows lost", error, len(ledger._queue))
