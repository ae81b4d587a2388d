"""The end of a call: price it, make its ledger row, hand it over. Nothing here is awaited, so nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.formats.table import FORMATS
from gateway.model.calls import CallRecord, CallSource, CallStatus, Usage
from gateway.model.captures import Captured
from gateway.model.people import ApiKey
from gateway.model.registry import Provider
from gateway.proxy.call import Arrival, Call, Header, Trail, estimate, stored_by
from gateway.proxy.captures import captured, is_kept
from gateway.proxy.journey import Reply
from gateway.proxy.ledger import Entry
from gateway.proxy.surfaces import surface_of
from gateway.routing import limits, quota
from gateway.routing.cost import at_rate, cost_of, price_for, rate_of
from gateway.routing.snapshot import Lane, Snapshot, Written
from gateway.routing.spends import DAY_MS
from gateway.routing.state import RuntimeState
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend
from gateway.store.stored_responses import StoredResponse

CLIENT_LEFT = 499
_NOWHERE = Written()


class Outcome(msgspec.Struct, frozen=True):
    """How a call ended. `code` is the HTTP status the client got, or 499 where it left.

    `answer_id` is what the provider calls the answer, where it keeps it.
    """

    status: CallStatus
    code: int
    error_code: str = ""
    error: str = ""
    usage: Usage = Usage()
    first_byte_at: float | None = None
    answer_id: str = ""


class Settler:
    """Makes ledger rows out of endings, and settles what calls took. `record` takes each row without waiting."""

    def __init__(
        self,
        record: Callable[[Entry], None],
        state: RuntimeState,
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        remember: Callable[[StoredResponse], None],
    ) -> None:
        self._record = record
        self._remember = remember
        self._state = state
        self._clock = clock
        self._snapshot = snapshot

    def settle(self, call: Call, trail: Trail, reply: Reply | None, outcome: Outcome) -> None:
        """Write down a call that was understood, and end what it holds, exactly once.

        One that was left while a provider worked on it is charged what it asked: the provider charges that too.
        """
        lane = reply.lane if reply is not None else None
        if lane is None and trail.asking is not None:
            lane = trail.asking
            outcome = replace(outcome, usage=estimate(call, answered=0))
        self._release(trail, outcome.usage)
        answered = () if reply is None else reply.answer.headers
        request = call.request
        dropped = () if reply is None else reply.answer.dropped
        known = _Known(
            call.arrival, call.api_key, request.model, request.is_stream, call.source, call, answered, dropped
        )
        self._write(known, outcome, trail, lane)

    def refuse(self, arrival: Arrival, api_key: ApiKey | None, error: GatewayError) -> None:
        """Write down a request that was refused before it became a call."""
        self._write(_Known(arrival, api_key, model="", is_stream=False), outcome_of(error), Trail(), None)

    def _write(self, known: _Known, outcome: Outcome, trail: Trail, lane: Lane | None) -> None:
        arrival, now, wall_ms = known.arrival, self._clock.mono(), self._clock.wall_ms()
        target, plan, hold = trail.target, trail.plan, trail.hold
        table = lane.price if lane is not None else None
        price = price_for(table, outcome.usage)
        backend = lane.backend if lane is not None else None
        there = _NOWHERE if backend is None else backend.written
        cost = cost_of(outcome.usage, price)
        rate = None if backend is None else rate_of(backend)
        actual = cost if rate is None or cost is None else at_rate(cost, rate)
        charged_at = self._state.spends.moment(wall_ms) if hold is None else hold.charged_at
        api_key = known.api_key
        user = self._snapshot().users.get(api_key.user_id) if api_key and api_key.user_id else None
        # By position, in the order of its fields: of so many names Python would make a dictionary first, which takes as
        # long as twenty functions. `test_a_row_says_in_each_field_what_it_is_named_after` looks at each of them.
        # fmt: off
        record = CallRecord(
            arrival.id, arrival.started_at,
            api_key.id if api_key else None, api_key.name if api_key else "",
            known.api_format, arrival.path, known.model, target.model if target and backend else "",
            there.provider_id, there.provider, there.backend_id, there.backend, there.pool,
            known.is_stream, outcome.status, outcome.code, outcome.error_code, outcome.error[:1000], outcome.usage,
            price, cost,
            _ms(now - arrival.received),
            None if outcome.first_byte_at is None else _ms(outcome.first_byte_at - arrival.received),
            round(((trail.sent_at or now) - arrival.received) * 1_000_000),
            target.config_version if target else self._snapshot().version, arrival.client_ip,
            tuple(trail.attempts), tuple(trail.skips.values()),
            known.source, target.route if target else "",
            plan.ask.seed if plan else None, plan.considered() if plan else (),
            rate, actual, user.id if user else None, user.username if user else "",
            there.upstream_format, charged_at, hold.reserved if hold and trail.was_reserved else None,
            table.origin if table else "", known.dropped, arrival.said.attribution,
        )
        # fmt: on
        sums = () if hold is None else self._state.spends.settle(hold, cost or 0)
        self._record(
            Entry(
                record,
                None if backend is None else self._spend(backend.provider, actual, charged_at),
                tuple(DaySpend(one.owner, one.since // DAY_MS, one.spent) for one in sums) if sums else (),
                trail.was_reserved,
                self._captures(known, trail, record),
                self._stored(known, record, outcome.answer_id) if outcome.answer_id else None,
            )
        )

    def _stored(self, known: _Known, record: CallRecord, answer_id: str) -> StoredResponse | None:
        """Who may come back to the answer, and where; None where the provider does not keep it."""
        call = known.call
        if call is None or record.backend_id is None:
            return None
        if not FORMATS[call.request.api_format].keeps(call.request):
            return None
        found = stored_by(call, answer_id, record.backend_id, record.served_model)
        self._remember(found)
        return found

    def _captures(self, known: _Known, trail: Trail, record: CallRecord) -> tuple[Captured, ...]:
        settings = self._snapshot().settings
        if known.call is None or not is_kept(settings, record):
            return ()
        return captured(known.call, known.answered, trail.kept, settings.capture_bytes)

    def _release(self, trail: Trail, usage: Usage) -> None:
        used = usage.all_input + usage.output
        if trail.answering is not None:
            limits.settle(trail.answering, used, self._state)
        if trail.admitted is not None:
            if trail.sent_at is None:
                limits.give_back(trail.admitted, self._state)  # refused before anything was sent
            limits.leave(trail.admitted, self._state)
            limits.settle(trail.admitted, used, self._state)

    def _spend(self, provider: Provider, nano: int | None, charged_at: int) -> StoredSpend | None:
        """What was spent at the provider with this call; None where that is as it was."""
        if not nano:
            return None
        spent = self._state.spent
        spend = spent[provider.id] = quota.added(spent.get(provider.id), provider, nano, charged_at)
        return StoredSpend(provider.id, spend.used_nano, spend.since)


class _Known(msgspec.Struct, frozen=True):
    arrival: Arrival
    api_key: ApiKey | None
    model: str
    is_stream: bool
    source: CallSource = CallSource.API
    call: Call | None = None
    answered: tuple[Header, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def api_format(self) -> str:
        """Of a request that was refused, that of the path it came to; empty where there is none."""
        if self.call is not None:
            return self.call.request.api_format.text
        surface = surface_of(self.arrival.path)
        return surface.api_format.text if surface else ""


def outcome_of(error: GatewayError) -> Outcome:
    return Outcome(CallStatus.FAILED, error.status, error.code or error.type, error.message)


def client_left() -> Outcome:
    return Outcome(CallStatus.CANCELLED, CLIENT_LEFT, "client_left", "The client left before an answer came.")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
