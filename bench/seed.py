"""A data directory with a long ledger, to measure pages against: twenty users, forty API keys, sixty days.

    python -m bench.seed DIRECTORY --rows 1000000

Sign in as `admin` with the password that is printed. The same seed gives the same calls; ids of people, keys and
providers are new each time. Nothing may serve the directory meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.seeded_calls import DAY_MS, DAYS, MODELS, UNPRICED, Cast, write_calls
from bench.seeded_rest import write_rest
from gateway.cli import lock
from gateway.cli.offline import offline_desk
from gateway.cli.serve import harden
from gateway.control import first_start
from gateway.control.desk import Desk
from gateway.ids import new_id
from gateway.model.origin import origin_of
from gateway.model.people import Actor, ApiKey, User
from gateway.model.registry import (
    ApiFormat,
    Endpoint,
    Model,
    ModelMapping,
    ModelStatus,
    Price,
    Provider,
    ProviderKey,
)
from gateway.ops.rollups import sum_day, sum_stale
from gateway.routing.spends import by_owner
from gateway.settings import Settings
from gateway.store import (
    api_keys,
    endpoints,
    ledger_sums,
    mappings,
    models,
    pools,
    provider_keys,
    providers,
    rollups,
    spends,
    users,
)
from gateway.store.spends import DaySpend
from gateway.vault import hash_password, mask, provider_key_binding

PASSWORD = "weir-bench-pages"  # noqa: S105  # of a directory of made-up figures
USERS, API_KEYS = 20, 40
IDLE_KEY = "app-idle"
PROVIDERS = ("openai", "anthropic", "groq", "mistral", "together", "local")
_ACTOR = Actor("cli", "seed", "seed")


async def _add_up(settings: Settings) -> None:
    """What everybody spent, as the gateway would have written it with the calls."""
    async with offline_desk(settings) as desk, desk.db.write() as tx:
        told = by_owner(await ledger_sums.by_day(tx))
        await spends.save_many(tx, [DaySpend(*key, nano) for key, nano in told.items()])
    async with offline_desk(settings) as desk:
        await _sum(desk)


async def _sum(desk: Desk) -> None:
    """The sums of hours and days, without the rests that leave the processor to calls."""
    now = desk.clock.wall_ms()
    async with desk.db.read() as tx:
        hours, days = (
            await rollups.stale_hours(tx, now + DAY_MS, 10_000),
            await rollups.stale_days(tx, now + DAY_MS, 1000),
        )
    for hour in hours:
        await sum_stale(desk.db, hour, now)
        await desk.db.checkpoint_if_large()
    for day in days:
        await sum_day(desk.db, day.since)
        await desk.db.checkpoint_if_large()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    harden()
    began = time.perf_counter()
    settings = Settings(data_dir=arguments.directory.absolute())
    with lock.hold(settings.data_dir):
        cast = asyncio.run(_people_and_providers(settings))
        now = time.time_ns() // 1_000_000
        write_calls(settings.database, cast, arguments.rows, Random(arguments.seed), now)
        write_rest(settings.database, cast, arguments.rows, now)
        asyncio.run(_add_up(settings))
    size = settings.database.stat().st_size / 2**20
    print(f"{arguments.rows:,} calls, {size:,.0f} MiB, {time.perf_counter() - began:.1f} s")
    print(f"Sign in as admin with the password {PASSWORD}")


async def _people_and_providers(settings: Settings) -> Cast:
    async with offline_desk(settings) as desk:
        if await first_start.is_due(desk):
            await first_start.fill(desk, ())
        owners = await _people(desk)
        callers = await _api_keys(desk, owners)
        return Cast(callers, await _providers(desk))


async def _people(desk: Desk) -> list[User]:
    found = [_user("admin", "admin", hash_password(PASSWORD), desk.clock.wall_ms())]
    found += [_user(f"user{number:02d}", "user", "!", desk.clock.wall_ms()) for number in range(1, USERS)]
    async with desk.change(_ACTOR) as change:
        for user in found:
            await users.insert(change.tx, user)
    return found


def _user(name: str, role: str, password_hash: str, now: int) -> User:
    return User(new_id(), name, password_hash, role, True, "auto", now - DAYS * DAY_MS, None, updated_at=now)  # noqa: FBT003


async def _api_keys(desk: Desk, owners: Sequence[User]) -> tuple[tuple[str, str, str | None, str], ...]:
    """Every tenth stands alone, the others go round among the users. One never calls."""
    now, callers = desk.clock.wall_ms(), []
    async with desk.change(_ACTOR) as change:
        for number in range(API_KEYS + 1):
            owner = None if number % 10 == 9 else owners[number % USERS]
            key = ApiKey(
                id=new_id(),
                name=f"app-{number:02d}" if number < API_KEYS else IDLE_KEY,
                key_hash=number.to_bytes(32),
                prefix="sk-gw-seed",
                tail=f"{number:04d}",
                allowed_models=None,
                rpm_limit=None,
                is_active=True,
                expires_at=None,
                created_at=now - DAYS * DAY_MS,
                updated_at=now,
                user_id=owner.id if owner else None,
            )
            await api_keys.insert(change.tx, key)
            if number < API_KEYS:
                callers.append((key.id, key.name, key.user_id, owner.username if owner else ""))
    return tuple(callers)


async def _providers(desk: Desk) -> tuple[tuple[str, str, str, str, str], ...]:
    """Each with one endpoint and two keys, and all models."""
    now, found = desk.clock.wall_ms(), []
    async with desk.change(_ACTOR) as change:
        in_order = sorted(await pools.every(change.tx), key=lambda pool: pool.tier)
        made = [_model(code, now) for code in MODELS]
        for model in made:
            await models.insert(change.tx, model)
        for number, name in enumerate(PROVIDERS):
            provider = Provider(new_id(), name, "", "custom", 50, True, {}, now, now)  # noqa: FBT003
            endpoint = _endpoint(provider.id, name, now)
            await providers.insert(change.tx, provider)
            await endpoints.insert(change.tx, endpoint)
            for model in made:
                mapping = ModelMapping(new_id(), provider.id, model.id, model.code, True, now, now)  # noqa: FBT003
                await mappings.insert(change.tx, mapping)
            for key_name in ("main", "spare"):
                key = _key(desk, endpoint, in_order[number // 3].id, key_name)
                await provider_keys.insert(change.tx, key)
                found.append((endpoint.id, key.id, provider.id, name, key_name))
    return tuple(found)


def _model(code: str, now: int) -> Model:
    price = None if code == UNPRICED else Price(1_250_000_000, 10_000_000_000, 125_000_000, 1_560_000_000, 0)
    return Model(new_id(), code, "", ModelStatus.ENABLED, price, now, now)


def _endpoint(provider_id: str, name: str, now: int) -> Endpoint:
    return Endpoint(
        id=new_id(),
        provider_id=provider_id,
        api_format=ApiFormat.OPENAI_CHAT,
        base_url=f"https://{name}.example.com/v1",
        headers={},
        timeout_seconds=600,
        first_byte_seconds=60,
        idle_seconds=60,
        local_upstream=None,
        injects_usage=True,
        is_active=True,
        created_at=now,
        updated_at=now,
    )


def _key(desk: Desk, endpoint: Endpoint, pool_id: str, name: str) -> ProviderKey:
    key_id, origin, secret = new_id(), origin_of(endpoint.base_url), f"sk-seed-{new_id()}"
    return ProviderKey(
        id=key_id,
        provider_id=endpoint.provider_id,
        pool_id=pool_id,
        name=name,
        api_formats=(ApiFormat.OPENAI_CHAT.value,),
        sealed=desk.vault.seal(secret, provider_key_binding(key_id, origin)),
        env_name=None,
        bound_origin=origin,
        masked=mask(secret),
        fingerprint="",
        internal_priority=50,
        weight=1,
        rpm_limit=None,
        is_active=True,
        created_at=endpoint.created_at,
        updated_at=endpoint.created_at,
    )


if __name__ == "__main__":
    main()
