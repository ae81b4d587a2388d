"""`backup FILE` and `restore FILE`: a copy of the database, and the database as it was in one."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.cli import lock
from gateway.ops.backup import back_up, put_back
from gateway.settings import Settings


def back_up_to(arguments: argparse.Namespace, settings: Settings) -> int:
    """While it is served or not. Raises ConfigurationFault."""
    size = back_up(settings.database, Path(arguments.file))
    print(f"Wrote {arguments.file} ({size / 1e6:.1f} MB). The master key is not in it: keep that elsewhere.")
    return 0


def restore_from(arguments: argparse.Namespace, settings: Settings) -> int:
    """Raises ConfigurationFault, and DataDirectoryInUse while it is served."""
    with lock.hold(settings.data_dir):
        aside = put_back(Path(arguments.file), settings.database)
    print(f"{settings.database} is as it was in {arguments.file}.")
    if aside is not None:
        print(f"What was there is now {aside}; remove it when you are sure.")
    return 0
