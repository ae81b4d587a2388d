"""Backends that begin or end a rest, a fault or a trial are told of, and nothing is looked at for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.control import backends
from gateway.control.desk import Desk
from gateway.control.events import Listener, Topic
from gateway.control.health_events import publish_changes, signs, watching
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio

HEALTH = frozenset({Topic.HEALTH})


@pytest.fixture
async def backend_ids(desk: Desk) -> list[str]:
    made = [
        await backends.create(
            desk,
            ANN,
            {"name": name, "base_url": f"https://{name}.example/v1", "api_key": "sk-0123456789", "models": ["m"]},
        )
        for name in ("one", "two")
    ]
    return [one.backend_id for one in made]


@pytest.fixture
async def listener(desk: Desk, backend_ids: list[str]) -> AsyncIterator[Listener]:
    with desk.events.listen(HEALTH) as opened:
        yield opened


def told(listener: Listener) -> list[set[str]]:
    return [set(event.ids) for event in listener.take()[1]]


async def test_what_stays_as_it_is_is_no_event(desk: Desk, listener: Listener) -> None:
    before = signs(desk)

    assert publish_changes(desk, before) == before
    assert told(listener) == []


async def test_a_rest_is_told_when_it_begins_and_when_it_is_over(
    office: Office, listener: Listener, backend_ids: list[str]
) -> None:
    desk, first = office.desk, backend_ids[0]
    before = signs(desk)

    desk.state.of(first).rest(office.clock.seconds + 30, "limited")
    resting = publish_changes(desk, before)
    assert told(listener) == [{first}]

    office.clock.advance(10)
    assert publish_changes(desk, resting) == resting, "counting down is no change"
    office.clock.advance(21)
    publish_changes(desk, resting)
    assert told(listener) == [{first}]


async def test_backends_that_change_together_are_one_event(
    desk: Desk, listener: Listener, backend_ids: list[str]
) -> None:
    before = signs(desk)
    for number, backend_id in enumerate(backend_ids):
        state = desk.state.of(backend_id)
        state.fault, state.fault_at_ms, state.failures = "HTTP 500", number, 1

    publish_changes(desk, before)

    [event] = listener.take()[1]
    assert (set(event.ids), event.topic, event.noun) == (set(backend_ids), Topic.HEALTH, "backend")
    assert (event.at, event.config_version) == (desk.clock.wall_ms(), desk.snapshot().version)


async def test_a_first_success_is_told_and_a_second_is_not(
    desk: Desk, listener: Listener, backend_ids: list[str]
) -> None:
    before = signs(desk)
    desk.state.of(backend_ids[0]).successes = 1
    after = publish_changes(desk, before)
    desk.state.of(backend_ids[0]).successes = 2
    publish_changes(desk, after)

    assert told(listener) == [{backend_ids[0]}]


async def test_a_rest_of_the_whole_endpoint_is_told_too(
    office: Office, listener: Listener, backend_ids: list[str]
) -> None:
    before = signs(office.desk)
    base_url = office.desk.snapshot().backends[backend_ids[1]].endpoint.base_url

    office.desk.state.endpoint_rest(base_url).rest(office.clock.seconds + 5, "most of its keys met a limit")
    publish_changes(office.desk, before)

    assert told(listener) == [{backend_ids[1]}]


async def test_many_changes_in_a_moment_are_few_events(desk: Desk, backend_ids: list[str]) -> None:
    async with watching(desk, every_seconds=0.05):
        with desk.events.listen(HEALTH) as listener:
            await asyncio.sleep(0)
            for number in range(200):
                desk.state.of(backend_ids[number % 2]).streak += 1
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            found = told(listener)

    assert 2 <= len(found) <= 12
    assert set().union(*found) == set(backend_ids)


async def test_nothing_is_looked_at_while_nobody_listens(desk: Desk, backend_ids: list[str]) -> None:
    async with watching(desk, every_seconds=0.01):
        desk.state.of(backend_ids[0]).streak = 1
        await asyncio.sleep(0.05)
        before = desk.events.latest
        with desk.events.listen(HEALTH) as listener:
            await asyncio.sleep(0.05)
            assert told(listener) == [], "what was so before is no change"
        desk.state.of(backend_ids[0]).streak = 2
        await asyncio.sleep(0.05)

    assert desk.events.latest == before


async def test_the_watch_ends_with_its_owner(desk: Desk) -> None:
    async with watching(desk):
        assert [task for task in asyncio.all_tasks() if task.get_name() == "health events"]

    assert not [task for task in asyncio.all_tasks() if task.get_name() == "health events"]
