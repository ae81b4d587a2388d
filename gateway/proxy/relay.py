"""A reply on its way to the client: bytes as they come, and the settlement at whatever end they have.

It cleans up where it sends, in `send_to`: an async generator's `finally` would not run where a
client leaves before the first byte, and an `await` in it never completes where one leaves later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from gateway.errors import DeadlineExceeded, GatewayError, Unavailable, UpstreamFailed
from gateway.formats.metering import Tap, message_of
from gateway.model.calls import CallStatus
from gateway.proxy.attempt import OpenStream, WholeAnswer
from gateway.proxy.body import ClientLeft
from gateway.proxy.call import Call, estimate
from gateway.proxy.journey import Reply
from gateway.proxy.kept import Kept
from gateway.proxy.sending import Send
from gateway.proxy.settle import CLIENT_LEFT, Outcome
from gateway.proxy.silence import Silence
from gateway.proxy.upstream_answer import Broken
from gateway.routing.health import Ending, Verdict

Header = tuple[bytes, bytes]

_COMPLETED = CallStatus.COMPLETED
_OK = Ending(Verdict.OK)
_LEFT = Ending(Verdict.ABANDONED, "the client left")
_STOPPED = Ending(Verdict.ABANDONED, "the gateway stopped before the answer's end")


def _never() -> bool:
    return False


Respond = Callable[[int, Sequence[Header], bytes], bool]
"""Sends an answer's head and a body, or its beginning, in one write; False where something has to be taken first."""


class _Way(msgspec.Struct, frozen=True):
    """To the client, as long as the gateway runs."""

    send: Send
    is_stopping: Callable[[], bool]
    begin: Respond | None


class Relay(msgspec.Struct, frozen=True):
    """The response of a call. `settle` is called exactly once, and `finish` of the reply with it."""

    call: Call
    reply: Reply
    settle: Callable[[Outcome], None]
    kept: Kept = msgspec.field(default_factory=Kept)

    def responds(self, respond: Respond, headers: Sequence[Header], first_byte_at: float) -> bool:
        """Send and settle a whole answer at once, where that is possible; False where `send_to` has to."""
        answer = self.reply.answer
        if not isinstance(answer, WholeAnswer):
            return False
        try:
            if not respond(answer.status, self._head(answer, headers), answer.body):
                return False
        except BaseException:  # reason: whatever it is, the call is written down
            self._settle_whole(answer, first_byte_at, is_delivered=False)
            raise
        # What is left to do does not keep the client waiting.
        self._settle_whole(answer, first_byte_at, is_delivered=True)
        return True

    def _settle_whole(self, answer: WholeAnswer, first_byte_at: float, *, is_delivered: bool) -> None:
        self.reply.finish(_OK, answer.status)
        self.kept.add(answer.body)
        self.settle(self._whole_outcome(answer, first_byte_at, is_delivered=is_delivered))

    def _head(self, answer: WholeAnswer, headers: Sequence[Header]) -> list[Header]:
        return [*answer.headers, (b"content-length", b"%d" % len(answer.body)), *headers]

    async def send_to(
        self,
        send: Send,
        headers: Sequence[Header],
        first_byte_at: float,
        is_stopping: Callable[[], bool] = _never,
        begin: Respond | None = None,
    ) -> None:
        """Send everything, with our own `headers`. `first_byte_at` is now, in monotonic seconds; `begin` may send the
        head of a stream and what came of it first.

        Cancel this when the client leaves, or at the end of a stop's patience: the provider is told and what came is
        settled. Where it `is_stopping`, a client in the middle of a stream is told so.
        """
        if isinstance(self.reply.answer, WholeAnswer):
            await self._send_whole(send, self.reply.answer, headers, first_byte_at)
        else:
            await self._send_stream(_Way(send, is_stopping, begin), self.reply.answer, headers, first_byte_at)

    async def _send_whole(
        self, send: Send, answer: WholeAnswer, headers: Sequence[Header], first_byte_at: float
    ) -> None:
        is_delivered = False
        # The provider has done with it, however long the client takes.
        self.reply.finish(_OK, answer.status)
        try:
            await _start(send, answer.status, self._head(answer, headers))
            self.kept.add(answer.body)
            await send({"type": "http.response.body", "body": answer.body})
            is_delivered = True
        finally:
            self.settle(self._whole_outcome(answer, first_byte_at, is_delivered=is_delivered))

    def _whole_outcome(self, answer: WholeAnswer, first_byte_at: float, *, is_delivered: bool) -> Outcome:
        if self.reply.is_refusal:
            message = message_of(answer.body) or f"HTTP {answer.status} from the provider"
            return Outcome(CallStatus.FAILED, answer.status, "client_fault", message, first_byte_at=first_byte_at)
        usage = answer.usage or estimate(self.call, answer.characters)
        if not is_delivered:
            return Outcome(CallStatus.CANCELLED, CLIENT_LEFT, "client_left", _LEFT.reason, usage, first_byte_at)
        return Outcome(_COMPLETED, answer.status, usage=usage, first_byte_at=first_byte_at, answer_id=answer.answer_id)

    async def _send_stream(
        self, way: _Way, stream: OpenStream, headers: Sequence[Header], first_byte_at: float
    ) -> None:
        ending, silence = _LEFT, Silence(way.send, stream.side.ping, stream.ping_seconds)
        try:
            await self._begin(way, stream, (*stream.headers, (b"x-accel-buffering", b"no"), *headers))
            ending, error = await self._pass_on(silence, stream)
            await self._end(silence, stream, error)
        except asyncio.CancelledError:
            if silence.is_given_up:
                silence.take_back()
                raise ClientLeft from None
            if way.is_stopping():
                ending = _STOPPED
                await self._end(silence, stream, Unavailable("The gateway is stopping; ask again.", retryable=True))
            raise
        finally:
            silence.end()
            self.reply.finish(ending, stream.status)
            self.settle(self._stream_outcome(stream.tap, stream.status, ending, first_byte_at))
            await stream.answer.close()

    async def _begin(self, way: _Way, stream: OpenStream, headers: Sequence[Header]) -> None:
        """The head, and with it what was held back, where that is possible."""
        first = b"".join(stream.held)
        if first and way.begin is not None and way.begin(stream.status, headers, first):
            stream.held.clear()
            self.kept.add(first)
        else:
            await _start(way.send, stream.status, headers)

    async def _end(self, silence: Silence, stream: OpenStream, error: GatewayError | None) -> None:
        """No fake normal end: an error event, and never [DONE]. In sound there is no place for an error: it is not
        ended at all, and the server cuts the connection.
        """
        if error is not None and not stream.is_events:
            return
        if error is not None:
            await silence.write(self.call.arrival.family.event(error, self.call.id), more=True)
        await silence.write(b"", more=False)

    async def _pass_on(self, silence: Silence, stream: OpenStream) -> tuple[Ending, GatewayError | None]:
        """Relay until the end; how the stream ended, and the error that the client has not been told yet."""
        provider = self.reply.lane.backend.provider.name
        try:
            while (passed := await stream.next()) is not None:
                if passed:
                    self.kept.add(passed)
                    await silence.write(passed, more=True)
            if last := stream.last():
                self.kept.add(last)
                await silence.write(last, more=True)
        except TimeoutError:
            reason = f"fell silent for {stream.idle_seconds:g} s or ran out of time"
            return Ending(Verdict.FAILED, reason), DeadlineExceeded(f"Provider {provider} {reason}.")
        except (Broken, UpstreamFailed) as broken:
            return Ending(Verdict.FAILED, f"stream broken off: {broken}"), UpstreamFailed(
                f"Provider {provider} broke off the answer."
            )
        if stream.tap.error:
            untold = UpstreamFailed(f"Provider {provider} broke off the answer: {stream.tap.error}")
            ending = Ending(Verdict.FAILED, f"error inside the stream: {stream.tap.error}")
            return ending, None if stream.side.tells_errors else untold
        if not stream.tap.is_finished:
            return Ending(Verdict.FAILED, "the stream ended without its end"), UpstreamFailed(
                f"Provider {provider} broke off the answer."
            )
        return Ending(Verdict.OK), None

    def _stream_outcome(self, tap: Tap, status: int, ending: Ending, first_byte_at: float) -> Outcome:
        usage = tap.usage or estimate(self.call, tap.characters)
        outcome = Outcome(CallStatus.FAILED, status, "stream_broken", ending.reason, usage, first_byte_at)
        if ending.verdict is Verdict.OK:
            outcome = Outcome(CallStatus.COMPLETED, status, usage=usage, first_byte_at=first_byte_at)
        elif ending is _LEFT:
            outcome = Outcome(CallStatus.CANCELLED, CLIENT_LEFT, "client_left", ending.reason, usage, first_byte_at)
        return replace(outcome, answer_id=tap.answer_id)


async def _start(send: Send, status: int, headers: Sequence[Header]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
