"""Places for connections: bounds that hold, turns in order, and nothing lost whoever leaves when."""

from __future__ import annotations

import asyncio
from random import Random

import httpx
import pytest

from gateway.proxy.http1 import Connection
from gateway.proxy.pool import Pool, Stall
from tests.conftest import MakeProvider
from tests.provider import Exchange, answer, hang
from tests.proxy.asking import ask, asked, idle_count, open_count, own, read, until

pytestmark = pytest.mark.anyio


class Wire(asyncio.Transport):
    """A transport that leads nowhere."""

    def abort(self) -> None:
        pass


def opened(connection: Connection) -> Connection:
    connection.connection_made(Wire())
    return connection


def made(most: int = 4, most_per_origin: int = 3) -> tuple[Pool, Stall, Stall]:
    pool = Pool(most, most_per_origin)
    return pool, pool.stall(lambda connection: None), pool.stall(lambda connection: None)


async def test_there_is_room_up_to_the_bound_of_each_and_of_all() -> None:
    pool, one, other = made()
    assert [one.reserved() is not None for _ in range(4)] == [True, True, True, False]
    assert [other.reserved() is not None for _ in range(2)] == [True, False]
    assert pool.count == 4


async def test_the_longest_idle_connection_of_somebody_else_makes_way() -> None:
    pool, one, other = made()
    kept = [opened(one.reserve()) for _ in range(3)]
    other.reserve()
    for connection in kept:
        one.freed(connection)

    assert other.reserved() is not None
    assert [connection.is_lost for connection in kept] == [True, False, False]
    assert pool.count == 4


async def test_ones_own_idle_connections_are_used_newest_first() -> None:
    _, one, _ = made()
    kept = [opened(one.reserve()) for _ in range(3)]
    for connection in kept:
        one.freed(connection)
    assert [one.newest() for _ in range(4)] == [*reversed(kept), None]


async def test_it_is_told_once_when_a_connection_has_answered() -> None:
    told: list[Connection] = []
    stall = Pool(9, 9).stall(told.append)
    connection = opened(stall.reserve())
    for _ in range(3):
        stall.freed(connection)
        stall.newest()
    assert told == [connection]
    connection.abort()


async def waiting(stall: Stall, count: int) -> list[asyncio.Task[Connection]]:
    turns = [asyncio.create_task(stall.turn()) for _ in range(count)]
    await asyncio.sleep(0)
    return turns


async def test_who_waits_has_its_turn_in_order_by_a_free_connection_or_by_a_place() -> None:
    pool, one, _ = made()
    kept = [opened(one.reserve()) for _ in range(3)]
    turns = await waiting(one, 2)
    one.freed(kept[0])
    kept[1].abort()
    first, second = await asyncio.gather(*turns)
    assert first is kept[0]
    assert second.transport is None and second in one.connections
    assert (pool.count, one.idle, pool.crowded) == (3, {}, {})


async def test_a_place_goes_to_another_origin_where_the_bound_of_all_was_in_the_way() -> None:
    pool, one, other = made(most=2)
    kept = [opened(one.reserve()) for _ in range(2)]
    (turn,) = await waiting(other, 1)
    one.freed(kept[0])
    got = await turn
    assert (kept[0].is_lost, got in other.connections, pool.count) == (True, True, 2)


async def test_who_leaves_the_queue_is_passed_over() -> None:
    _, one, _ = made()
    kept = [opened(one.reserve()) for _ in range(3)]
    turns = await waiting(one, 3)
    turns[0].cancel()
    one.freed(kept[0])
    assert await turns[1] is kept[0]
    turns[2].cancel()
    await asyncio.wait({turns[2]})
    one.freed(kept[1])
    assert (list(one.idle), one.queue) == ([kept[1]], {})


@pytest.mark.parametrize("is_open", [True, False])
async def test_what_came_to_somebody_who_left_just_then_is_passed_on(is_open: bool) -> None:
    pool, one, _ = made()
    kept = [opened(one.reserve()) for _ in range(3)]
    turns = await waiting(one, 2)
    if is_open:
        one.freed(kept[0])
    else:
        kept[0].abort()
    turns[0].cancel()
    got = await asyncio.wait_for(turns[1], 1)
    assert (got is kept[0]) is is_open
    assert pool.count == 3


class Crowd:
    """Many who take, give back, break and leave at random."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.pool = Pool(6, 4)
        self.stalls = [self.pool.stall(lambda connection: None) for _ in range(3)]
        self.busy: list[tuple[Stall, Connection]] = []
        self.turns: dict[asyncio.Task[Connection], Stall] = {}

    async def come(self) -> None:
        stall = self.rng.choice(self.stalls)

        async def place() -> Connection:
            return stall.newest() or stall.reserved() or await stall.turn()

        self.turns[asyncio.create_task(place())] = stall

    def use(self, stall: Stall, found: Connection) -> None:
        self.busy.append((stall, opened(found) if found.transport is None else found))

    async def give_back(self) -> None:
        if self.busy:
            stall, connection = self.busy.pop(self.rng.randrange(len(self.busy)))
            if not connection.is_lost:
                stall.freed(connection)

    async def break_one(self) -> None:
        if self.busy:
            self.busy.pop(self.rng.randrange(len(self.busy)))[1].abort()

    async def leave(self) -> None:
        if self.turns:
            self.rng.choice(list(self.turns)).cancel()

    async def settle(self) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for turn in [turn for turn in self.turns if turn.done()]:
            stall = self.turns.pop(turn)
            if not turn.cancelled():
                self.use(stall, turn.result())

    def check(self) -> None:
        assert self.pool.count == sum(len(stall.connections) for stall in self.stalls) <= 6
        for stall in self.stalls:
            assert len(stall.connections) <= 4
            assert not (stall.queue and stall.idle)
            assert not (stall.queue and len(stall.connections) < 4 and self.pool.count < 6)


async def test_whatever_happens_in_whatever_order_the_count_is_right_and_nobody_waits_for_nothing() -> None:
    crowd = Crowd(Random(5))
    steps = [crowd.come, crowd.give_back, crowd.break_one, crowd.leave]
    for _ in range(4000):
        await crowd.rng.choices(steps, (45, 25, 15, 15))[0]()
        if crowd.rng.random() < 0.7:
            await crowd.settle()
            crowd.check()
    for turn in crowd.turns:
        turn.cancel()
    await crowd.settle()
    for stall in crowd.stalls:
        for connection in list(stall.connections):
            connection.abort()
    assert (crowd.pool.count, crowd.pool.crowded) == (0, {})


async def test_calls_beyond_the_bound_wait_their_turn_and_no_longer_than_they_may(provider: MakeProvider) -> None:
    gate = asyncio.Event()

    async def gated(exchange: Exchange) -> None:
        await gate.wait()
        await answer(exchange.heard.body)(exchange)

    made = await provider(gated)
    async with own(most_per_origin=2) as transport:
        asking = [asyncio.create_task(asked(transport, made.base_url, b"%d" % number)) for number in range(6)]
        await until(lambda: len(made.heard) == 2)
        with pytest.raises(httpx.PoolTimeout):
            await ask(transport, made.base_url, timeout={"pool": 0.05})
        assert (open_count(transport), len(made.heard)) == (2, 2)
        gate.set()
        assert await asyncio.gather(*asking) == [b"%d" % number for number in range(6)]
        assert (open_count(transport), idle_count(transport)) == (2, 2)
    assert [heard.body for heard in made.heard] == [b"%d" % number for number in range(6)]


async def test_a_place_whose_connection_could_not_be_opened_is_free_again(provider: MakeProvider) -> None:
    made = await provider(hang())
    async with own(most_per_origin=2) as transport:
        for _ in range(5):
            with pytest.raises(httpx.ConnectError):
                await ask(transport, "http://127.0.0.1:1/")
        assert open_count(transport) == 0
        left = asyncio.create_task(ask(transport, made.base_url))
        await until(lambda: made.heard)
        left.cancel()
        await asyncio.wait({left})
        made.always = answer(b"ok")
        assert await read(await ask(transport, made.base_url)) == b"ok"
