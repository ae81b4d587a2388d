"""Providers in numbers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.control import api_keys, backends, endpoints, models, provider_keys, provider_summary, providers
from gateway.control.backends import BackendMade
from gateway.control.bucket_view import not_full
from gateway.control.desk import Desk
from gateway.control.provider_summary import Count
from gateway.errors import NotFound
from gateway.routing.quota import Spend
from gateway.store import pending_sums, provider_spend
from gateway.store.pending_sums import Sums
from gateway.store.provider_spend import StoredSpend
from tests.desks import ANN, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

DAY_MS = 24 * 3600 * 1000
DOLLAR = 1_000_000_000


@pytest.fixture
async def made(desk: Desk) -> BackendMade:
    form = {"name": "acme", "base_url": "https://a.example/v1", "models": ["a", "b"], "api_key": "env:OPENAI_API_KEY"}
    return await backends.create(desk, ANN, form)


async def test_totals_and_what_is_active_are_counted_apart(desk: Desk, made: BackendMade) -> None:
    second = await provider_keys.create(desk, ANN, {"provider_id": "acme", "is_active": False})
    await models.update(desk, ANN, made.models[0].id, {"status": "DISABLED"})
    await endpoints.update(desk, ANN, made.endpoint.id, {"is_active": False})
    await providers.create(desk, ANN, {"name": "bare", "priority": 1})

    bare, acme = provider_summary.listing(desk)

    assert second.provider_id == acme.id
    assert (acme.endpoints, acme.keys, acme.models) == (Count(1, 0), Count(2, 1), Count(2, 1))
    assert acme.api_formats == ("openai_chat",)
    assert (bare.endpoints, bare.keys, bare.models, bare.api_formats) == (Count(0, 0), Count(0, 0), Count(0, 0), ())
    assert provider_summary.get(desk, acme.id) == acme


async def test_unknown_health_is_unknown_and_a_true_zero_is_zero(desk: Desk, made: BackendMade) -> None:
    unknown = provider_summary.get(desk, made.provider.id)
    assert (unknown.health, unknown.unhealthy_endpoints, unknown.endpoint_health[0].score) == (None, 0, None)

    desk.state.of(made.backend_id).score = 0.0
    dead = provider_summary.get(desk, made.provider.id)

    assert (dead.health, dead.unhealthy_endpoints) == (0.0, 1)
    assert dead.endpoint_health[0].is_unhealthy


async def test_keys_without_a_score_do_not_pull_the_mean(desk: Desk, made: BackendMade) -> None:
    await backends.create(desk, ANN, {"name": "acme", "label": "quiet"})
    other = await backends.create(desk, ANN, {"name": "acme", "label": "busy"})
    desk.state.of(made.backend_id).score = 0.4
    desk.state.of(other.backend_id).score = 0.6

    found = provider_summary.get(desk, made.provider.id)

    assert found.health == pytest.approx(0.5)
    assert found.unhealthy_endpoints == 0


async def test_looking_makes_no_state(desk: Desk, made: BackendMade) -> None:
    await providers.update(desk, ANN, made.provider.id, {"rpm_limit": 5})

    found = provider_summary.get(desk, made.provider.id)

    assert (found.rpm.limit, found.rpm.left, found.rpm.in_flight) == (5, 5, 0)
    assert (desk.state.backends, desk.state.buckets, desk.state.places) == ({}, {}, {})


async def test_what_is_left_of_a_provider_s_requests_refills(office: Office, made: BackendMade) -> None:
    desk, now = office.desk, office.clock.mono()
    await providers.update(desk, ANN, made.provider.id, {"rpm_limit": 60})
    bucket = desk.state.bucket(f"provider:{made.provider.id}:rpm", 60, now)
    assert bucket is not None and bucket.take(now, 60)

    assert provider_summary.get(desk, made.provider.id).rpm.left == 0
    office.clock.advance(10)
    assert provider_summary.get(desk, made.provider.id).rpm.left == 10


async def test_a_quota_says_what_is_used_and_when_it_begins_anew(office: Office, made: BackendMade) -> None:
    desk, wall = office.desk, office.clock.wall_ms()
    change = {"monthly_quota": "2.5", "quota_reset_days": 7, "quota_expires_at": wall + DAY_MS}
    await providers.update(desk, ANN, made.provider.id, change)
    untouched = provider_summary.get(desk, made.provider.id).quota
    assert (untouched.used, untouched.since, untouched.resets_at) == (0, None, None)

    desk.state.spent[made.provider.id] = Spend(3 * DOLLAR, wall - DAY_MS)
    used = provider_summary.get(desk, made.provider.id).quota
    assert (used.used, used.limit, used.is_exhausted, used.is_expired) == (3 * DOLLAR, 2_500_000_000, True, False)
    assert (used.since, used.resets_at) == (wall - DAY_MS, wall + 6 * DAY_MS)

    office.clock.advance(7 * 24 * 3600)
    later = provider_summary.get(desk, made.provider.id).quota
    assert (later.used, later.is_exhausted, later.is_expired) == (0, False, True)


async def test_a_quota_of_zero_is_used_up_from_the_start(desk: Desk, made: BackendMade) -> None:
    await providers.update(desk, ANN, made.provider.id, {"monthly_quota": 0})
    assert provider_summary.get(desk, made.provider.id).quota.is_exhausted


async def test_a_reset_counts_from_zero_and_is_written_down(office: Office, made: BackendMade) -> None:
    desk, wall = office.desk, office.clock.wall_ms()
    late = StoredSpend(made.provider.id, 2 * DOLLAR, wall - DAY_MS)
    desk.state.spent[made.provider.id] = Spend(late.used_nano, late.since)

    await provider_summary.reset_quota(desk, ANN, made.provider.id)
    async with desk.db.write() as tx:
        await provider_spend.save_many(tx, [late])  # what the ledger still had to write of the period that is over

    async with desk.db.read() as tx:
        assert await provider_spend.every(tx) == (StoredSpend(made.provider.id, 0, wall),)
    assert desk.state.spent[made.provider.id] == Spend(0, wall)
    last = (await audit_rows(desk))[-1]
    assert (last.action, last.object_id) == ("reset_quota", made.provider.id)
    assert str(2 * DOLLAR) in str(last.before)


async def test_what_was_noted_before_a_reset_stays_reset(office: Office, made: BackendMade) -> None:
    """Also where the clock was set back since."""
    desk, wall = office.desk, office.clock.wall_ms()
    noted = Sums()
    noted.note((), StoredSpend(made.provider.id, 2 * DOLLAR, wall + DAY_MS))
    async with desk.db.write() as tx:
        await pending_sums.note(tx, noted)

    await provider_summary.reset_quota(desk, ANN, made.provider.id)
    async with desk.db.write() as tx:
        await pending_sums.settle(tx)
        assert await provider_spend.every(tx) == (StoredSpend(made.provider.id, 0, wall),)


async def test_what_comes_after_a_reset_is_written_again(office: Office, made: BackendMade) -> None:
    desk = office.desk
    await provider_summary.reset_quota(desk, ANN, made.provider.id)
    after = StoredSpend(made.provider.id, 5, office.clock.wall_ms())
    async with desk.db.write() as tx:
        await provider_spend.save_many(tx, [after])
    async with desk.db.read() as tx:
        assert await provider_spend.every(tx) == (after,)


async def test_there_is_no_summary_and_no_reset_of_what_is_not_there(desk: Desk) -> None:
    with pytest.raises(NotFound):
        provider_summary.get(desk, "nowhere")
    with pytest.raises(NotFound):
        await provider_summary.reset_quota(desk, ANN, "nowhere")


async def test_a_rest_of_the_whole_endpoint_is_told(office: Office, made: BackendMade) -> None:
    office.desk.state.endpoint_rest(made.endpoint.base_url).rest(office.clock.mono() + 30, "all limited")
    assert provider_summary.get(office.desk, made.provider.id).endpoint_health[0].resting_seconds == 30


async def test_buckets_that_miss_something_name_their_owner(office: Office, made: BackendMade) -> None:
    desk, now = office.desk, office.clock.mono()
    key = f"key:{made.key.id}"
    _, client = await api_keys.create(desk, ANN, {"name": "laptop", "tpm_limit": 1000})
    for name, limit, amount, period in (
        (f"{key}:rpm", 60, 30, 60),
        (f"{key}:daily", 100, 10, 86_400),
        (f"api_key:{client.id}:tpm", 1000, 250, 60),
        (f"provider:{made.provider.id}:rpm", 10, 0, 60),
        ("key:gone:rpm", 10, 5, 60),
    ):
        bucket = desk.state.bucket(name, limit, now, period)
        assert bucket is not None
        bucket.level -= amount
    desk.state.kept_levels[f"endpoint:{made.endpoint.id}:rpm"] = (0.0, now)

    found = not_full(desk.snapshot(), desk.state, now)

    assert [(one.owner, one.words, one.limit, one.left, one.seconds_left) for one in found] == [
        ("API key laptop", "tokens per minute", 1000, 750, 15),
        ("Provider key acme/main", "requests a day", 100, 90, 8640),
        ("Provider key acme/main", "requests per minute", 60, 30, 30),
    ]

    await endpoints.update(desk, ANN, made.endpoint.id, {"rpm_limit": 6})
    kept = not_full(desk.snapshot(), desk.state, now + 10)[1]
    assert (kept.owner, kept.left, kept.seconds_left) == ("Endpoint acme/openai_chat", 1, 50)
    assert replace(kept, seconds_left=0).name == f"endpoint:{made.endpoint.id}:rpm"
