"""Open the vault of a data directory: make the master key at the first start, and never a second one."""

from __future__ import annotations

from pathlib import Path

from gateway.clock import Clock
from gateway.errors import ConfigurationFault
from gateway.ids import new_id
from gateway.model.registry import Pool
from gateway.settings import Settings
from gateway.store import instance, pools
from gateway.store.database import Database
from gateway.vault import Vault, create_master_key, read_master_key

_FROM_ENVIRONMENT = "GATEWAY_MASTER_KEY"


async def open_vault(db: Database, settings: Settings, clock: Clock) -> Vault:
    """The vault that belongs to the database; an empty database gets its master key and its two pools.

    Raises ConfigurationFault naming the file where the master key is missing or another one.
    """
    async with db.read() as tx:
        verifier = await instance.key_verifier(tx)
    if verifier is None:
        return await _begin(db, settings, clock)
    place, vault = _existing(settings)
    if not vault.fits(verifier):
        raise ConfigurationFault(
            [f"master key {place}: is not the one that {settings.database} was sealed with; put that back"]
        )
    return vault


async def _begin(db: Database, settings: Settings, clock: Clock) -> Vault:
    """Settle an empty database. A key file that is there already is used: a start may have been cut short."""
    own = _own_file(settings)
    if settings.master_key is None and settings.master_key_file is None and not own.exists():
        vault = Vault(create_master_key(own))
    else:
        _, vault = _existing(settings)
    now = clock.wall_ms()
    async with db.write() as tx:
        await instance.begin(tx, vault.verifier(), now)
        await pools.insert(tx, _pool("primary", 0, now))
        await pools.insert(tx, _pool("fallback", 1, now))
    return vault


def _existing(settings: Settings) -> tuple[str, Vault]:
    """Where the master key comes from, and its vault."""
    if settings.master_key is not None:
        return _FROM_ENVIRONMENT, Vault(settings.master_key)
    path = settings.master_key_file or _own_file(settings)
    if not path.exists():
        raise ConfigurationFault(
            [f"master key {path}: is missing; put it back, {settings.database} opens with no other"]
        )
    return str(path), Vault(read_master_key(path))


def _own_file(settings: Settings) -> Path:
    return settings.data_dir / "master.key"


def _pool(name: str, tier: int, now: int) -> Pool:
    return Pool(
        id=new_id(),
        name=name,
        tier=tier,
        cooldown_base_seconds=5.0,
        cooldown_factor=2.0,
        cooldown_cap_seconds=300.0,
        cooldown_jitter=0.2,
        max_attempts=4,
        wait_seconds=10.0,
        created_at=now,
        updated_at=now,
    )
