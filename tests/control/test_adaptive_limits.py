"""What an operator can make of a learned limit."""

from __future__ import annotations

import pytest

from gateway.control import adaptive_limits, endpoints, provider_keys, providers
from gateway.errors import Conflict, NotFound
from gateway.routing.bounds import key_requests
from tests.desks import ANN, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


@pytest.fixture
async def key_id(office: Office) -> str:
    await providers.create(office.desk, ANN, {"name": "acme"})
    await endpoints.create(office.desk, ANN, {"provider_id": "acme", "base_url": "https://a.example/v1"})
    return (await provider_keys.create(office.desk, ANN, {"provider_id": "acme"})).id


def refuse(office: Office, key_id: str, named: int = 100, sent: int = 30) -> None:
    """Two refusals that name a limit, with requests sent just before."""
    learned = office.desk.state.learned_of(key_id)
    learned.sent(office.clock.mono(), sent)
    for _ in range(2):
        learned.refused(named, office.clock.mono(), office.clock.wall_ms())


async def test_a_key_that_was_never_refused_has_no_limit_and_looking_makes_none(office: Office, key_id: str) -> None:
    found = await adaptive_limits.of_key(office.desk, key_id)

    assert (found.fixed, found.learned.limit, found.learned.enforced) == (None, None, False)
    assert office.desk.state.learned == {}


async def test_what_was_learned_is_shown_with_its_reason(office: Office, key_id: str) -> None:
    refuse(office, key_id)
    learned = (await adaptive_limits.of_key(office.desk, key_id)).learned

    assert (learned.limit, learned.boundary, learned.enforced, learned.requests_last_minute) == (95, 100, True, 30)
    assert [(made.before, made.after) for made in learned.adjustments] == [(None, 95)]
    assert "named a limit of 100" in learned.adjustments[0].reason


async def test_it_is_forgotten_at_an_operators_word_which_is_written_down(office: Office, key_id: str) -> None:
    refuse(office, key_id)
    await adaptive_limits.reset(office.desk, ANN, key_id)

    learned = (await adaptive_limits.of_key(office.desk, key_id)).learned
    assert (learned.limit, learned.confidence, learned.observations) == (None, 0.0, ())
    assert key_id in office.desk.state.dirty.learned
    last = (await audit_rows(office.desk))[-1]
    assert (last.action, last.object_id, last.actor_name) == ("reset_learned", key_id, "ann")
    assert '"learned":95' in str(last.before)


async def test_it_becomes_the_operators_own_without_another_burst(office: Office, key_id: str) -> None:
    refuse(office, key_id)
    after = await adaptive_limits.fix(office.desk, ANN, key_id)

    assert (after.rpm_limit, after.version) == (95, 2)
    assert (await provider_keys.get(office.desk, key_id)) == after
    assert office.desk.state.buckets[key_requests(after)].level == 95 - 30
    assert (await audit_rows(office.desk))[-1].action == "fix_learned"


async def test_nothing_and_what_is_fixed_already_cannot_be_fixed(office: Office, key_id: str) -> None:
    with pytest.raises(Conflict, match="Nothing was learned"):
        await adaptive_limits.fix(office.desk, ANN, key_id)
    await provider_keys.update(office.desk, ANN, key_id, {"rpm_limit": 7})
    with pytest.raises(Conflict, match="fixed limit of 7"):
        await adaptive_limits.fix(office.desk, ANN, key_id)


async def test_a_key_that_is_not_there_has_nothing_to_tell(office: Office) -> None:
    for act in (adaptive_limits.reset, adaptive_limits.fix):
        with pytest.raises(NotFound):
            await act(office.desk, ANN, "nowhere")
    with pytest.raises(NotFound):
        await adaptive_limits.of_key(office.desk, "nowhere")
