"""`password reset`: a new admin password from the terminal, for who lost the old one or never had one."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys

from gateway.cli import lock
from gateway.cli.offline import offline_desk
from gateway.cli.serve import harden
from gateway.control import setup
from gateway.errors import ConfigurationFault, InvalidFields
from gateway.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask twice, or read a line where standard input is no terminal. Raises DataDirectoryInUse while it is served."""
    harden()
    with lock.hold(settings.data_dir):
        password = _asked(arguments.username)
        try:
            is_new = asyncio.run(_set(settings, arguments.username.strip().lower(), password))
        except InvalidFields as error:
            raise ConfigurationFault([f"password: {error.message}"]) from None
    print(f"{'Made' if is_new else 'Changed the password of'} {arguments.username}. Every session has ended.")
    return 0


async def _set(settings: Settings, username: str, password: str) -> bool:
    async with offline_desk(settings) as desk:
        return await setup.reset_password(desk, username, password)


def _asked(username: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"New password for {username}: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigurationFault(["password: the two are not the same; nothing was changed"])
    return password
