"""A conversation comes back to the backend whose cache is warm."""

from __future__ import annotations

from gateway.routing.affinity import Affinities, conversation_of
from tests.routing.build import FALLBACK, PRIMARY, key, snapshot

WORDS = ("key", "openai_chat", "m", "session")
TALK = conversation_of(*WORDS)
WARM = snapshot(key("a"), key("b"), key("brief", cache_ttl_minutes=1), key("none", cache_ttl_minutes=0))
A, B, BRIEF, NONE = (next(one for one in WARM.backends.values() if one.provider.id == name) for name in
                     ("a", "b", "brief", "none"))  # fmt: skip
SPARE = next(iter(snapshot(key("spare", pool_id="fallback")).backends.values()))


def test_it_lasts_for_the_keys_minutes_after_the_last_answer() -> None:
    kept = Affinities()
    kept.remember(TALK, BRIEF, now=0)
    assert kept.of(TALK, 59.9) == BRIEF.id
    kept.remember(TALK, BRIEF, now=59)
    assert kept.of(TALK, 118.9) == BRIEF.id
    assert kept.of(TALK, 119) is None


def test_a_key_without_minutes_keeps_nothing() -> None:
    kept = Affinities()
    kept.remember(TALK, NONE, now=0)
    assert (kept.of(TALK, 0), len(kept.kept)) == (None, 0)


def test_whoever_stands_in_for_a_busy_one_does_not_take_its_place() -> None:
    kept = Affinities()
    kept.remember(TALK, A, now=0)
    kept.remember(TALK, B, now=10)
    assert kept.of(TALK, 11) == A.id

    kept.remember(TALK, B, now=301)  # the first one's time is over
    assert kept.of(TALK, 302) == B.id


def test_an_earlier_tier_takes_the_place_of_a_later_one() -> None:
    kept = Affinities()
    assert (PRIMARY.tier, FALLBACK.tier) == (A.pool.tier, SPARE.pool.tier)
    kept.remember(TALK, SPARE, now=0)
    kept.remember(TALK, A, now=1)
    assert kept.of(TALK, 2) == A.id


def test_only_its_own_failure_drops_it() -> None:
    kept = Affinities()
    kept.remember(TALK, A, now=0)
    kept.forget(TALK, B.id)
    assert kept.of(TALK, 1) == A.id
    kept.forget(TALK, A.id)
    assert kept.of(TALK, 1) is None
    kept.forget(TALK, A.id)


def test_conversations_are_apart_by_key_format_model_and_session() -> None:
    kept = Affinities()
    kept.remember(TALK, A, now=0)
    for place in range(4):
        other = conversation_of(*("x" if number == place else word for number, word in enumerate(WORDS)))
        assert kept.of(other, 1) is None


def test_those_that_were_quiet_longest_are_forgotten_first() -> None:
    kept = Affinities(most=3)
    talks = [conversation_of("key", "openai_chat", "m", str(number)) for number in range(4)]
    for talk in talks[:3]:
        kept.remember(talk, A, now=0)
    kept.remember(talks[0], A, now=1)
    kept.remember(talks[3], A, now=2)
    assert [kept.of(talk, 3) for talk in talks] == [A.id, None, A.id, A.id]


def test_those_whose_time_is_over_make_room_by_themselves() -> None:
    kept = Affinities()
    for number in range(100):
        kept.remember(conversation_of("key", "openai_chat", "m", str(number)), A, now=0)
    for number in range(50):
        kept.remember(conversation_of("key", "openai_chat", "m", f"later {number}"), A, now=301)
    assert len(kept.kept) == 50
