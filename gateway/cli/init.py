"""`init`: set up a data directory without questions, for a `serve` that comes later."""

from __future__ import annotations

import argparse
import asyncio

import msgspec

from gateway.cli import client_file, lock
from gateway.cli.offline import offline_desk
from gateway.cli.serve import harden
from gateway.control import first_start, setup, tokens
from gateway.errors import ConfigurationFault
from gateway.model.people import Actor
from gateway.ops.detect import detect
from gateway.settings import Settings

_ACTOR = Actor("cli", "init", "init")


class Made(msgspec.Struct, frozen=True):
    """What `init` prints, this once.

    `admin_url` is a set-up link, good for one use and 15 minutes, unless there is an administrator.
    """

    data_dir: str
    api_key: str
    management_token: str
    admin_url: str


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Raises ConfigurationFault where the directory is set up already, DataDirectoryInUse while it is served."""
    harden()
    with lock.hold(settings.data_dir):
        made = asyncio.run(_set_up(settings))
    if arguments.json:
        print(msgspec.json.encode(made).decode())
    else:
        print(_for_people(made))
    return 0


async def _set_up(settings: Settings) -> Made:
    async with offline_desk(settings) as desk:
        if not await first_start.is_due(desk):
            raise ConfigurationFault(
                [f"{settings.data_dir}: is set up already; serve it, or choose another directory with --data-dir"]
            )
        management_token, _ = await tokens.mint(desk, _ACTOR, "init")
        link = f"/setup/{await setup.new_link(desk)}" if await setup.needs_setup(desk) else ""
        api_key = await first_start.fill(desk, await detect(settings) if settings.detect else [])
    client_file.write(settings.data_dir, client_file.ClientFile(f"{settings.base_url}/v1", api_key))
    return Made(str(settings.data_dir), api_key, management_token, f"{settings.base_url}/admin{link}")


def _for_people(made: Made) -> str:
    return "\n".join(
        [
            "",
            f"  Directory         {made.data_dir}",
            f"  API key           {made.api_key}   (shown once)",
            f"  Management token  {made.management_token}   (shown once)",
            f"  Admin             {made.admin_url}   (once it is served; a set-up link is good for 15 min)",
            "",
        ]
    )
