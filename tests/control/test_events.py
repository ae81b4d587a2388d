"""What is published, kept and told to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.control.events import EVERY_TOPIC, MOST_KEPT, MOST_LISTENERS, MOST_WAITING, Event, Events, Listener, Topic
from gateway.errors import Unavailable

pytestmark = pytest.mark.anyio

BEGAN = 1_800_000_000_000
REGISTRY = frozenset({Topic.REGISTRY})
HEALTH = frozenset({Topic.HEALTH})


@pytest.fixture
def events() -> Events:
    return Events(BEGAN)


def change(events: Events, *versions: int) -> None:
    for version in versions:
        events.publish(Topic.REGISTRY, "update", "model", (f"m{version}",), version, BEGAN + version)


def falter(events: Events, *backends: str) -> None:
    events.publish(Topic.HEALTH, "update", "backend", backends, 7, BEGAN)


def versions(listener: Listener) -> tuple[bool, list[int]]:
    is_behind, found = listener.take()
    return is_behind, [event.config_version for event in found]


def ids(found: Sequence[Event]) -> list[int]:
    return [event.id for event in found]


def test_an_event_says_what_happened_to_what(events: Events) -> None:
    with events.listen(EVERY_TOPIC) as listener:
        change(events, 3)
        falter(events, "b1", "b2")
        falter(events, "b1", "b2")

    changed, limping, again = listener.take()[1]
    assert changed == Event(
        BEGAN + 1, Topic.REGISTRY, "update", "model", ("m3",), 3, BEGAN + 3, "registry:3:model:m3:update"
    )
    assert (limping.topic, limping.ids) == (Topic.HEALTH, ("b1", "b2"))
    assert ids([changed, limping, again]) == [BEGAN + 1, BEGAN + 2, BEGAN + 3]
    assert limping.dedupe_key != again.dedupe_key, "the same backends may falter twice"


def test_a_listener_hears_its_topics_and_from_now_on(events: Events) -> None:
    change(events, 1)
    with events.listen(REGISTRY) as registry, events.listen(HEALTH) as health:
        change(events, 2)
        falter(events, "b")

        assert versions(registry) == (False, [2])
        assert [event.topic for event in health.take()[1]] == [Topic.HEALTH]
        assert versions(registry) == (False, []), "each is taken once"


def test_who_comes_back_is_told_what_was_missed_and_nothing_twice(events: Events) -> None:
    change(events, 1, 2)
    falter(events, "b")
    change(events, 3)

    with events.listen(EVERY_TOPIC, after=BEGAN + 1) as listener:
        change(events, 4)

        assert versions(listener) == (False, [2, 3, 4]), "how backends did is not kept"
        assert listener.since == BEGAN + 1


@pytest.mark.parametrize("after", [BEGAN + 3, BEGAN])
def test_the_newest_and_the_first_id_are_good_to_resume_from(events: Events, after: int) -> None:
    change(events, 1, 2, 3)

    with events.listen(REGISTRY, after) as listener:
        assert versions(listener) == (False, list(range(after - BEGAN + 1, 4)))


@pytest.mark.parametrize("after", [BEGAN - 1, 0, -1, BEGAN + 4, 10**17])
def test_an_id_from_another_time_means_that_anything_may_have_been_missed(events: Events, after: int) -> None:
    """From before this start, or never given: the clock may have been set back between two starts."""
    change(events, 1, 2, 3)

    with events.listen(REGISTRY, after) as listener:
        assert versions(listener) == (True, [])
        change(events, 4)
        assert versions(listener) == (False, [4])


def test_only_so_many_changes_are_kept(events: Events) -> None:
    change(events, *range(1, MOST_KEPT + 3))

    with events.listen(REGISTRY, BEGAN + 1) as too_late, events.listen(REGISTRY, BEGAN + 2) as in_time:
        assert versions(too_late) == (True, [])
        assert versions(in_time) == (False, list(range(3, MOST_KEPT + 3)))


def test_health_does_not_push_changes_out(events: Events) -> None:
    change(events, 1)
    for _ in range(2 * MOST_KEPT):
        falter(events, "b")

    with events.listen(REGISTRY, BEGAN) as listener:
        assert versions(listener) == (False, [1])


def test_a_slow_reader_is_told_so_and_fills_no_memory(events: Events) -> None:
    with events.listen(REGISTRY) as listener:
        change(events, *range(1, MOST_WAITING + 1))
        assert versions(listener) == (False, list(range(1, MOST_WAITING + 1)))

        change(events, *range(1, 2 * MOST_WAITING))
        is_behind, found = versions(listener)

    assert is_behind
    assert found == list(range(MOST_WAITING + 2, 2 * MOST_WAITING)), "those after the gap"


def test_only_so_many_may_listen_and_a_place_becomes_free(events: Events) -> None:
    opened = [events.listen(REGISTRY) for _ in range(MOST_LISTENERS)]
    for one in opened:
        one.__enter__()

    with pytest.raises(Unavailable) as refused:
        events.listen(REGISTRY).__enter__()
    assert (refused.value.code, refused.value.retry_after) == ("too_many_streams", 10)

    opened.pop().__exit__(None, None, None)
    with events.listen(REGISTRY):
        pass
    for one in opened:
        one.__exit__(None, None, None)


def test_who_left_hears_nothing_more(events: Events) -> None:
    with events.listen(REGISTRY) as listener:
        assert events.has_listener(Topic.REGISTRY)
        assert not events.has_listener(Topic.HEALTH)
    change(events, 1)

    assert not events.has_listener(Topic.REGISTRY)
    assert listener.is_over
    assert listener.take() == (False, [])


async def test_the_end_wakes_everybody_and_lets_nobody_in(events: Events) -> None:
    with events.listen(REGISTRY) as first, events.listen(HEALTH) as second:
        waiting = asyncio.gather(first.wait(60), second.wait(60))
        await asyncio.sleep(0)
        events.end()
        async with asyncio.timeout(1):
            await waiting
        assert first.is_over
        assert second.is_over

    with pytest.raises(Unavailable, match="stopping"):
        events.require_room()


async def test_waiting_ends_with_an_event_or_with_its_time(events: Events) -> None:
    with events.listen(REGISTRY) as listener:
        async with asyncio.timeout(1):
            await listener.wait(0.01)
            asyncio.get_running_loop().call_later(0.01, change, events, 1)
            await listener.wait(60)
        assert versions(listener) == (False, [1])


async def test_somebody_who_watches_for_listeners_sleeps_until_one_comes(events: Events) -> None:
    watch = asyncio.create_task(events.until_listener(Topic.HEALTH))
    with events.listen(REGISTRY):
        await asyncio.sleep(0.01)
        assert not watch.done()
        with events.listen(HEALTH):
            async with asyncio.timeout(1):
                await watch
