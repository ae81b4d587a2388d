"""Answers that a provider has only promised: looked at until they are done, and charged then.

What such a call took of limits and money stays taken meanwhile, as for any call under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from msgspec.structs import replace

from gateway.errors import UpstreamFailed
from gateway.formats.metering import AnswerFacts
from gateway.formats.table import FORMATS
from gateway.model.calls import CallStatus
from gateway.proxy.attempt import WholeAnswer
from gateway.proxy.call import estimate, stored_by
from gateway.proxy.lines import Outbound
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Outcome
from gateway.proxy.upstream import ConnectFailed, KeyUnusable, Upstream
from gateway.proxy.upstream_answer import Broken
from gateway.store.stored_responses import StoredResponse

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
PATIENCE_SECONDS = 2 * 3600.0
"""How long one is waited for; then it is charged by estimate."""


class Background(msgspec.Struct):
    """`keep` remembers whose an answer is, before it is charged. End it at last."""

    upstream: Upstream
    keep: Callable[[StoredResponse], Awaitable[None]]
    first_seconds: float = FIRST_SECONDS
    _tasks: set[asyncio.Task[None]] = msgspec.field(default_factory=set)

    def follow(self, relay: Relay) -> Relay:
        """The same relay; where its answer is only promised, it is settled once that is there."""
        answer = relay.reply.answer
        if not isinstance(answer, WholeAnswer) or not answer.is_pending or not answer.answer_id:
            return relay
        return replace(relay, settle=partial(self._begin, relay))

    def _begin(self, relay: Relay, outcome: Outcome) -> None:
        task = asyncio.get_running_loop().create_task(self._settled(relay, outcome))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settled(self, relay: Relay, outcome: Outcome) -> None:
        """However it ends, the call is settled exactly once."""
        usage = estimate(relay.call, answered=0)
        try:
            reply = relay.reply
            await self.keep(stored_by(relay.call, reply.answer.answer_id, reply.lane.backend.id, reply.target.model))
            async with asyncio.timeout(PATIENCE_SECONDS):
                facts = await self._facts(relay)
            usage = facts.usage or estimate(relay.call, facts.characters)
            if facts.fault:
                outcome = Outcome(CallStatus.FAILED, outcome.code, "background_failed", facts.fault)
        except TimeoutError:
            outcome = Outcome(CallStatus.FAILED, outcome.code, "background_failed", "The answer was never done.")
        finally:
            relay.settle(replace(outcome, usage=usage))

    async def _facts(self, relay: Relay) -> AnswerFacts:
        """What the answer says at last. A provider that cannot be reached is asked again."""
        pause = self.first_seconds
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_SECONDS)
            with contextlib.suppress(ConnectFailed, Broken, KeyUnusable, UpstreamFailed):
                facts = await self._look(relay)
                if facts is not None and not facts.is_pending:
                    return facts

    async def _look(self, relay: Relay) -> AnswerFacts | None:
        """None where the provider does not say now."""
        backend, row = relay.reply.lane.backend, FORMATS[relay.call.request.api_format]
        path = f"{backend.endpoint.custom_path or row.paths['']}/{relay.reply.answer.answer_id}"
        answer = await self.upstream.send(backend, Outbound("GET", path))
        try:
            body = await answer.read()
        finally:
            await answer.close()
        if answer.status == 404:
            return AnswerFacts("the provider does not keep it any more", None, 0)
        return row.read_answer(body) if answer.status == 200 else None

    async def end(self) -> None:
        """Settle all that are still waited for, by estimate."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
