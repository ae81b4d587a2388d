"""Limits of money over real sockets: as many calls as there is money for, however many come at once (REL-20)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.model.calls import CallStatus
from gateway.model.people import Period
from gateway.routing.spends import DAY_MS, Sum, key_owner
from gateway.store import reservations, spends
from tests.conftest import MakeProvider
from tests.harness import HELLO, RunningGateway, running_gateway
from tests.place import Json
from tests.provider import Exchange, answer, hang, refused
from tests.soak.rig import rounds

pytestmark = pytest.mark.anyio

DOLLAR = 10**9
ROUNDS = rounds(4, 100)


@dataclass(slots=True)
class ShiftedClock(SystemClock):
    """The real clock, so many milliseconds ahead of the time of day."""

    ahead_ms: int = 0

    def wall_ms(self) -> int:
        return SystemClock.wall_ms(self) + self.ahead_ms


@dataclass(slots=True)
class Till:
    """A gateway whose model `m` costs exactly one dollar a call."""

    gateway: RunningGateway
    clock: ShiftedClock
    keys: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, **body: Any) -> Json:
        credential = {"authorization": f"Bearer {self.gateway.management_token}"}
        got = await self.gateway.client.request(method, f"/api/admin{path}", headers=credential, json=body)
        assert got.status_code < 300, got.text
        found: Json = got.json() if got.content else {}
        return found

    async def key(self, **fields: Any) -> str:
        """The id of a new API key."""
        made = await self.send("POST", "/api-keys", name=f"key {len(self.keys)}", **fields)
        self.keys[made["id"]] = made["key"]
        return str(made["id"])

    async def call(self, key_id: str, **body: Any) -> tuple[int, Json]:
        got = await self.gateway.client.post(
            "/v1/chat/completions",
            headers={"authorization": f"Bearer {self.keys[key_id]}"},
            json={"model": "m", "messages": HELLO, **body},
        )
        return got.status_code, got.json()

    async def at_once(self, key_id: str, many: int) -> Counter[int]:
        return Counter(status for status, _ in await asyncio.gather(*(self.call(key_id) for _ in range(many))))

    def sum_of(self, key_id: str, period: Period = Period.NONE) -> Sum:
        return self.gateway.desk.state.spends.of(key_owner(key_id), period, self.clock.wall_ms())

    async def written(self, key_id: str) -> tuple[int, int]:
        """What the ledger's rows of this key come to, and what is stored as their sum."""
        rows = [row for row in await self.gateway.rows() if row.api_key_id == key_id]
        async with self.gateway.desk.db.read() as tx:
            stored = sum(one.nano for one in await spends.every(tx) if one.owner == key_owner(key_id))
        return sum(row.cost_nano or 0 for row in rows), stored


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    clock = ShiftedClock()
    async with running_gateway(tmp_path, clock) as gateway:
        yield Till(gateway, clock)


async def priced(till: Till, *scenes: Any, provider: MakeProvider, **fields: Any) -> Any:
    heard = await provider(*scenes)
    made = await till.gateway.backend(heard, **fields)
    await till.send("PATCH", f"/models/{made.models[0].id}", input_price="0", output_price="0", request_price="1")
    return heard


async def test_a_budget_for_ten_calls_admits_ten_of_two_hundred_at_once(till: Till, provider: MakeProvider) -> None:
    heard = await priced(till, answer(), provider=provider)
    for number in range(1, ROUNDS + 1):
        key = await till.key(budget="10")

        assert await till.at_once(key, 200) == {200: 10, 402: 190}

        assert len(heard.heard) == 10 * number
        found = till.sum_of(key)
        assert (found.spent, found.reserved) == (10 * DOLLAR, 0)
        assert await till.written(key) == (10 * DOLLAR, 10 * DOLLAR)


async def hundred_of_which_ninety_are_refused(till: Till, key: str) -> list[asyncio.Task[tuple[int, Json]]]:
    """The ten that are under way are not over yet."""
    calls = [asyncio.create_task(till.call(key)) for _ in range(100)]
    async with asyncio.timeout(20):
        while sum(call.done() for call in calls) < 90:
            await asyncio.sleep(0.01)
    return calls


async def test_each_period_has_its_own_ten_calls_though_those_of_the_last_are_under_way(
    till: Till, provider: MakeProvider
) -> None:
    gate = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        await gate.wait()
        await answer()(exchange)

    heard = await priced(till, waits, provider=provider)
    key = await till.key(budget="10", budget_period="daily")
    today = await hundred_of_which_ninety_are_refused(till, key)
    yesterday = till.sum_of(key, Period.DAILY)
    till.clock.ahead_ms += DAY_MS
    tomorrow = await hundred_of_which_ninety_are_refused(till, key)
    while len(heard.heard) < 20:
        await asyncio.sleep(0.01)
    gate.set()

    for calls in (today, tomorrow):
        assert Counter([(await call)[0] for call in calls]) == {200: 10, 402: 90}
    running = till.sum_of(key, Period.DAILY)
    assert running is not yesterday and running.spent == yesterday.spent == 10 * DOLLAR
    till.clock.ahead_ms -= DAY_MS  # set back: nothing begins anew
    assert (await till.call(key))[0] == 402
    assert await till.written(key) == (20 * DOLLAR, 20 * DOLLAR)


async def test_what_cannot_be_written_down_is_not_sent(till: Till, provider: MakeProvider) -> None:
    heard = await priced(till, answer(), provider=provider)
    key = await till.key(budget="10")
    async with till.gateway.desk.db.write() as tx:
        await tx.execute("ALTER TABLE reservations RENAME TO gone")

    got = await till.at_once(key, 20)

    # Until the first ten are told, they hold all of the budget.
    assert got[503] >= 10 and set(got) <= {503, 402} and heard.heard == []
    assert (till.sum_of(key).spent, till.sum_of(key).reserved) == (0, 0)
    async with till.gateway.desk.db.write() as tx:
        await tx.execute("ALTER TABLE gone RENAME TO reservations")
    async with asyncio.timeout(10):
        while (await till.call(key))[0] != 200:
            await asyncio.sleep(0.1)
    assert await till.at_once(key, 20) == {200: 9, 402: 11}
    await till.gateway.app.ledger.flush()
    async with till.gateway.desk.db.read() as tx:
        assert await reservations.every(tx) == ()


async def test_a_call_is_written_down_before_the_provider_hears_of_it(till: Till, provider: MakeProvider) -> None:
    seen: list[tuple[str, int]] = []

    async def looks(exchange: Exchange) -> None:
        async with till.gateway.desk.db.read() as tx:
            seen.extend((one.api_key_id, one.reserved_nano) for one in await reservations.every(tx))
        await answer()(exchange)

    await priced(till, looks, provider=provider)
    key = await till.key(budget="10")
    free = await till.key()

    await till.call(free)
    assert seen == []
    await till.call(key)
    assert seen == [(key, DOLLAR)]
    rows = {row.api_key_id: row.reserved_nano for row in await till.gateway.rows()}
    assert rows == {free: None, key: DOLLAR}


async def test_what_was_not_served_costs_nothing_and_one_that_left_what_it_asked(
    till: Till, provider: MakeProvider
) -> None:
    left = asyncio.Event()
    heard = await priced(till, refused(500), hang(left), provider=provider)
    key = await till.key(budget="1")
    assert (await till.call(key))[0] == 502
    assert (till.sum_of(key).spent, till.sum_of(key).reserved) == (0, 0)

    leaving = asyncio.create_task(till.call(key))
    while len(heard.heard) < 2:
        await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.wait_for(left.wait(), 5)

    row = (await till.gateway.rows())[-1]
    assert (row.status, row.cost_nano, row.reserved_nano) == (CallStatus.CANCELLED, DOLLAR, DOLLAR)
    assert (await till.call(key))[0] == 402


async def test_the_refusal_says_which_limit_what_was_used_and_when_it_begins_anew(
    till: Till, provider: MakeProvider
) -> None:
    await priced(till, answer(), provider=provider)
    key = await till.key(budget="1.5", budget_period="daily")
    assert (await till.call(key))[0] == 200

    status, got = await till.call(key)

    error = got["error"]
    assert (status, error["code"], error["type"]) == (402, "budget_exceeded", "insufficient_quota")
    assert (error["limit"], error["limit_nano"], error["used_nano"]) == ("api_key_budget", 1_500_000_000, DOLLAR)
    assert error["resets_at"] == (till.clock.wall_ms() // DAY_MS + 1) * DAY_MS
    for word in ("$1.5000 a day", "$1.0000 spent", "may cost $1.0000", "It begins anew at "):
        assert word in error["message"]
    shown = await till.send("GET", f"/api-keys/{key}")
    assert shown["limits"][0] == {
        **{"name": "api_key_budget", "period": "daily", "limit": "1.5", "spent": "1", "reserved": "0", "left": "0.5"},
        "resets_at": error["resets_at"],
    }


async def test_a_longer_answer_reserves_more_and_one_that_is_longer_still_is_charged_in_full(
    till: Till, provider: MakeProvider
) -> None:
    heard = await provider(answer({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3_000_000}}))
    made = await till.gateway.backend(heard)
    await till.send("PATCH", f"/models/{made.models[0].id}", input_price="0", output_price="1")
    key = await till.key(budget="2")

    assert (await till.call(key, max_tokens=2_000_001))[0] == 402
    assert (await till.call(key, max_tokens=1_000_001, n=2))[0] == 402
    assert (await till.call(key, max_tokens=1_000_000))[0] == 200

    assert till.sum_of(key).spent == 3 * DOLLAR
    assert (await till.call(key, max_tokens=1))[0] == 402


async def test_a_model_without_a_price_is_not_served_where_money_is_limited(till: Till, provider: MakeProvider) -> None:
    heard = await provider(answer())
    await till.gateway.backend(heard)
    limited, free = await till.key(budget="2"), await till.key()

    assert (await till.call(free))[0] == 200
    status, got = await till.call(limited)

    assert (status, got["error"]["code"], len(heard.heard)) == (503, "price_unknown", 1)


async def test_a_balance_is_what_was_paid_in_and_not_what_was_spent_before(till: Till, provider: MakeProvider) -> None:
    await priced(till, answer(), provider=provider)
    key = await till.key()
    assert await till.at_once(key, 3) == {200: 3}

    made = await till.send("POST", f"/api-keys/{key}/top-ups", amount="2", note="first")
    assert made["balance"] == "2"
    assert await till.at_once(key, 5) == {200: 2, 402: 3}
    assert (await till.call(key))[1]["error"]["limit"] == "api_key_balance"
    await till.send("POST", f"/api-keys/{key}/top-ups", amount="1")
    assert await till.at_once(key, 5) == {200: 1, 402: 4}

    paid = await till.send("GET", f"/api-keys/{key}/top-ups")
    assert [one["amount"] for one in paid["items"]] == ["1", "2", "3"]
    await till.send("DELETE", f"/api-keys/{key}/balance")
    assert await till.at_once(key, 2) == {200: 2}


async def test_all_keys_of_a_user_spend_one_quota_and_a_key_that_stands_alone_its_own(
    till: Till, provider: MakeProvider
) -> None:
    await priced(till, answer(), provider=provider)
    user = await till.send("POST", "/users", username="bea", password="a-long-and-odd-password", quota="3")
    one, other, alone = await till.key(user_id="bea"), await till.key(user_id="bea"), await till.key()

    got = await asyncio.gather(*(till.call(key) for key in (one, other) * 20))
    assert Counter(status for status, _ in got) == {200: 3, 402: 37}
    assert {body["error"]["limit"] for status, body in got if status == 402} == {"user_quota"}
    assert await till.at_once(alone, 5) == {200: 5}

    await till.send("PATCH", f"/users/{user['id']}", quota="4")
    assert (await till.call(other))[0] == 200
    shown = await till.send("GET", f"/users/{user['id']}")
    assert (shown["spent"]["this_month"], shown["limits"][0]["left"]) == ("4", "0")


async def test_a_providers_quota_is_not_passed_by_calls_at_once(till: Till, provider: MakeProvider) -> None:
    first = await priced(till, answer(), provider=provider)
    spare = await priced(till, answer(), provider=provider, pool="fallback")
    made = till.gateway.desk.snapshot().providers["p1"]
    await till.send("PATCH", f"/providers/{made.id}", monthly_quota="7")

    assert await till.at_once(await till.key(), 40) == {200: 40}

    assert (len(first.heard), len(spare.heard)) == (7, 33)
    state = till.gateway.desk.state
    assert (state.spent[made.id].used_nano, state.promised) == (7 * DOLLAR, {})


async def test_every_answer_says_how_far_the_narrowest_limits_are(till: Till, provider: MakeProvider) -> None:
    await priced(till, answer(), provider=provider)
    await till.send(
        "POST", "/users", username="bea", password="a-long-and-odd-password", quota="3", rpm_limit=50, tpm_limit=900
    )
    key = await till.key(user_id="bea", budget="5", budget_period="none", rpm_limit=60, tpm_limit=100)

    got = await till.gateway.client.post(
        "/v1/chat/completions",
        headers={"authorization": f"Bearer {till.keys[key]}"},
        json={"model": "m", "messages": HELLO},
    )

    found = {name: value for name, value in got.headers.items() if name.startswith(("x-ratelimit", "x-gateway-budget"))}
    assert float(found.pop("x-ratelimit-reset-requests")[:-1]) <= 60 / 50
    assert float(found.pop("x-ratelimit-reset-tokens")[:-1]) <= 60
    assert int(found.pop("x-ratelimit-remaining-tokens")) < 100
    assert int(found.pop("x-gateway-budget-reset")) * 1000 > till.clock.wall_ms()
    assert found == {
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-remaining-requests": "49",
        "x-ratelimit-limit-tokens": "100",
        "x-gateway-budget-limit": "3",
        "x-gateway-budget-remaining": "2",
    }
