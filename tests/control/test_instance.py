"""The master key of a data directory."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.control.instance import open_vault
from gateway.errors import ConfigurationFault
from gateway.settings import Settings
from gateway.store import instance, pools
from gateway.store.database import open_database
from gateway.store.migrate import migrate
from gateway.vault import Vault

pytestmark = pytest.mark.anyio
KEY = bytes(range(32))


async def opened(settings: Settings) -> Vault:
    migrate(settings.database)
    async with open_database(settings.database) as db:
        return await open_vault(db, settings, SystemClock())


def key_file(path: Path, key: bytes = KEY, mode: int = 0o600) -> Path:
    path.write_text(key.hex())
    path.chmod(mode)
    return path


async def faults(settings: Settings) -> list[str]:
    with pytest.raises(ConfigurationFault) as refusal:
        await opened(settings)
    return refusal.value.faults


def files_with(directory: Path, secret: bytes) -> list[Path]:
    return [file for file in directory.iterdir() if secret in file.read_bytes()]


async def test_the_first_start_makes_a_private_key_and_two_pools(tmp_path: Path) -> None:
    settings = Settings(tmp_path)

    vault = await opened(settings)

    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600
    async with open_database(settings.database) as db, db.read() as tx:
        verifier = await instance.key_verifier(tx)
        assert verifier is not None and vault.fits(verifier)
        assert [(pool.name, pool.tier) for pool in await pools.every(tx)] == [("primary", 0), ("fallback", 1)]


async def test_the_same_key_opens_it_again(tmp_path: Path) -> None:
    first = await opened(Settings(tmp_path))
    again = await opened(Settings(tmp_path))

    assert again.unseal(first.seal("secret", "row"), "row").reveal() == "secret"


async def test_a_missing_key_is_named_and_not_replaced(tmp_path: Path) -> None:
    await opened(Settings(tmp_path))
    (tmp_path / "master.key").unlink()

    (fault,) = await faults(Settings(tmp_path))

    assert str(tmp_path / "master.key") in fault and "missing" in fault
    assert not (tmp_path / "master.key").exists()


async def test_another_key_is_named_and_refused(tmp_path: Path) -> None:
    await opened(Settings(tmp_path))
    key_file(tmp_path / "master.key")

    (fault,) = await faults(Settings(tmp_path))

    assert str(tmp_path / "master.key") in fault
    assert (tmp_path / "master.key").read_text() == KEY.hex()


async def test_a_given_key_file_must_be_there_and_private(tmp_path: Path) -> None:
    given = tmp_path / "given.key"
    settings = Settings(tmp_path, master_key_file=given)
    assert "missing" in (await faults(settings))[0]

    key_file(given, mode=0o644)
    assert "chmod 600" in (await faults(settings))[0]
    given.chmod(0o600)
    await opened(settings)

    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 31, "00" * 33])
async def test_a_short_or_malformed_key_is_refused(tmp_path: Path, text: str) -> None:
    given = tmp_path / "given.key"
    given.write_text(text)
    given.chmod(0o600)

    assert "64 hexadecimal digits" in (await faults(Settings(tmp_path, master_key_file=given)))[0]


async def test_a_key_from_the_environment_is_written_nowhere(tmp_path: Path) -> None:
    await opened(Settings(tmp_path, master_key=KEY))

    assert not files_with(tmp_path, KEY) + files_with(tmp_path, KEY.hex().encode())
    assert "GATEWAY_MASTER_KEY" in (await faults(Settings(tmp_path, master_key=KEY[::-1])))[0]
    await opened(Settings(tmp_path, master_key=KEY))


async def test_a_start_that_was_cut_short_uses_the_key_it_made(tmp_path: Path) -> None:
    key_file(tmp_path / "master.key")

    vault = await opened(Settings(tmp_path))

    assert Vault(KEY).fits(vault.verifier())
