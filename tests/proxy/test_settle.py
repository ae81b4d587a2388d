"""A call's end settles what it took, once, and says what it cost."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict, replace

from gateway.errors import Unavailable
from gateway.formats.chat.surface import read_request
from gateway.formats.request import Asked
from gateway.model.calls import Attempt, Attribution, CallSource, CallStatus, Considered, Skip, Usage, UsageSource
from gateway.model.people import ApiKey, User
from gateway.model.registry import Price, PriceTable
from gateway.proxy.attempt import WholeAnswer
from gateway.proxy.call import Arrival, Call, Trail
from gateway.proxy.journey import Reply, already_finished
from gateway.proxy.ledger import Entry
from gateway.proxy.settle import Outcome, Settler, client_left, outcome_of
from gateway.routing import bounds, limits
from gateway.routing.candidates import Plan
from gateway.routing.quota import Spend
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Lane, Registry, build_snapshot
from gateway.routing.spends import Hold
from gateway.routing.state import RuntimeState
from gateway.routing.world import World
from gateway.store.provider_spend import StoredSpend
from gateway.store.stored_responses import StoredResponse
from tests.desks import START_MS, FakeClock
from tests.routing.build import ANYONE, ask, backend, provider, snapshot, world

LIMITED: ApiKey = replace(ANYONE, rpm_limit=5, tpm_limit=100, max_concurrent=2)
REQUEST = read_request(Asked(b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'))


def arrived(api_key: ApiKey) -> Call:
    return Call(Arrival("req_1", 999.0, START_MS, "/v1/chat/completions", (), "192.0.2.1"), api_key, REQUEST)


class Book:
    """Settles calls of one API key and keeps what was written."""

    def __init__(self) -> None:
        self.state, self.clock = RuntimeState(), FakeClock()
        self.entries: list[Entry] = []
        self.kept: list[StoredResponse] = []
        self.settler = Settler(self.entries.append, self.state, self.clock, snapshot, self.kept.append)

    @property
    def world(self) -> World:
        return world(self.clock.mono(), self.state)

    def settle(self, outcome: Outcome, *, sent: bool = True) -> None:
        trail = Trail(
            sent_at=1000.0 if sent else None, admitted=limits.admit(bounds.of_caller(LIMITED, None), 30, self.world)
        )
        assert self.state.places == {"api_key:k": 1}
        self.settler.settle(arrived(LIMITED), trail, None, outcome)

    @property
    def levels(self) -> dict[str, float]:
        return {name.rpartition(":")[2]: bucket.level for name, bucket in self.state.buckets.items()}


USED = Usage(10, 20, 3, 4, 5, UsageSource.REPORTED)


@pytest.mark.parametrize(
    ("outcome", "sent", "levels"),
    [
        (Outcome(CallStatus.COMPLETED, 200, usage=USED), True, {"rpm": 4, "tpm": 100 - 37}),
        (Outcome(CallStatus.FAILED, 502, "upstream_error"), True, {"rpm": 4, "tpm": 100}),
        (client_left(), True, {"rpm": 4, "tpm": 100}),
        (outcome_of(Unavailable("nothing can be used")), False, {"rpm": 5, "tpm": 100}),
        (client_left(), False, {"rpm": 5, "tpm": 100}),
    ],
)
def test_a_call_keeps_what_it_used_and_one_that_was_never_sent_nothing(
    outcome: Outcome, sent: bool, levels: dict[str, float]
) -> None:
    book = Book()
    book.settle(outcome, sent=sent)
    assert (book.levels, book.state.places) == (levels, {})
    (entry,) = book.entries
    assert (entry.row.code, entry.row.rate_multiplier, entry.provider, entry.spends) == (outcome.code, None, None, ())


def test_a_request_that_was_refused_at_the_door_holds_nothing() -> None:
    book = Book()
    book.settler.refuse(arrived(LIMITED).arrival, LIMITED, Unavailable("stopping"))
    assert (book.state.buckets, book.state.places, len(book.entries)) == ({}, {}, 1)


@pytest.mark.parametrize(("nano", "stored"), [(900, StoredSpend("a", 1000, START_MS - 5)), (0, None), (None, None)])
def test_what_a_provider_takes_is_added_up_and_written_with_the_call(
    nano: int | None, stored: StoredSpend | None
) -> None:
    book = Book()
    book.state.spent["a"] = Spend(100, START_MS - 5)
    assert book.settler._spend(provider("a"), nano, START_MS) == stored
    assert book.state.spent["a"].used_nano == (1000 if stored else 100)


def test_a_row_says_in_each_field_what_it_is_named_after() -> None:
    ann = User("u", "ann", "", "user", True, "auto", 0, None)
    there = backend("a", name="prod", rate_multiplier=500_000)
    price = Price(1_000_000, 2_000_000, 3_000_000, 4_000_000, 5)
    lane = Lane(there, "upstream-m", PriceTable(price, (), "model v7"))
    answer = WholeAnswer(200, (), b"{}", USED, 0, dropped=("logprobs",))
    attempt = Attempt(1, there.id, there.name, "primary", "upstream-m", 2, 3, 4, 5, "ok", 200, "", None)
    skip = Skip("e-b:k-b", "b/main", "primary", "cooling", "It rests.", 1.5)
    trail = Trail(
        attempts=[attempt],
        skips={skip.backend_id: skip},
        target=Target("m", (lane,), 9, "AGENT:coder"),
        plan=Plan(ask(seed=77), (lane,), (), ("warm",)),
        sent_at=999.25,
        hold=Hold((), 4321, START_MS + 3),
        was_reserved=True,
    )
    headers = ((b"x-claude-code-session-id", b"s1"),)
    call = Call(
        Arrival("req_9", 999.0, START_MS, "/v1/chat/completions", headers, "192.0.2.7"),
        replace(ANYONE, user_id="u"),
        replace(REQUEST, model="asked-m", is_stream=True),
        source=CallSource.TEST,
    )
    entries: list[Entry] = []
    configured = build_snapshot(Registry(9, (), (), (), (), (), (), (), users=(ann,)))
    settler = Settler(entries.append, RuntimeState(), FakeClock(), lambda: configured, lambda _: None)
    outcome = Outcome(CallStatus.FAILED, 502, "stream_broken", "x" * 1001, USED, first_byte_at=999.5)
    settler.settle(call, trail, Reply(trail.target or Target("", (), 0), lane, answer, already_finished), outcome)
    (entry,) = entries
    cost = 10 + 40 + 9 + 16 + 5
    assert asdict(entry.row) == {
        "id": "req_9",
        "started_at": START_MS,
        "api_key_id": "k",
        "api_key_name": "anyone",
        "api_format": "openai_chat",
        "path": "/v1/chat/completions",
        "asked_model": "asked-m",
        "served_model": "m",
        "provider_id": "a",
        "provider": "a",
        "backend_id": there.id,
        "backend": "a/prod",
        "pool": "primary",
        "is_stream": True,
        "status": CallStatus.FAILED,
        "code": 502,
        "error_code": "stream_broken",
        "error": "x" * 1000,
        "usage": USED,
        "price": price,
        "cost_nano": cost,
        "total_ms": 1000,
        "first_byte_ms": 500,
        "overhead_us": 250_000,
        "config_version": 9,
        "client_ip": "192.0.2.7",
        "attempts": (attempt,),
        "skips": (skip,),
        "source": CallSource.TEST,
        "route": "AGENT:coder",
        "seed": 77,
        "considered": (Considered(there.id, "a/prod", "primary", "upstream-m", "warm", "openai_chat"),),
        "rate_multiplier": 500_000,
        "actual_nano": cost // 2,
        "user_id": "u",
        "user_name": "ann",
        "upstream_format": "openai_chat",
        "charged_at": START_MS + 3,
        "reserved_nano": 4321,
        "price_origin": "model v7",
        "dropped": ("logprobs",),
        "attribution": call.arrival.said.attribution,
    }
    assert call.arrival.said.attribution != Attribution()
