"""`audit verify`: whether the audit log is as it was written. Reads only, so the gateway may go on serving."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys

import msgspec

from gateway.control import audit_log
from gateway.control.audit_log import Verdict
from gateway.errors import ConfigurationFault
from gateway.model.audit import Head
from gateway.settings import Settings
from gateway.store.database import open_reader


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 where every row fits, 1 where one does not. Raises ConfigurationFault where there is no log to read."""
    noted = _head(arguments.head) if arguments.head else None
    verdict = asyncio.run(_verified(settings, noted))
    if arguments.json:
        found = {"rows": verdict.rows, "head": str(verdict.head), "fault": verdict.fault or None}
        print(msgspec.json.encode(found).decode())
    elif verdict.fault:
        print(f"The audit log was tampered with: {verdict.fault}. The {verdict.rows} before it fit.", file=sys.stderr)
    else:
        print(f"The audit log is whole: {verdict.rows} rows, ending at {verdict.head}.")
    return 1 if verdict.fault else 0


async def _verified(settings: Settings, noted: Head | None) -> Verdict:
    try:
        async with open_reader(settings.database) as tx:
            return await audit_log.verify(tx, noted)
    except sqlite3.DatabaseError as error:
        raise ConfigurationFault([f"{settings.database}: {error}"]) from None


def _head(text: str) -> Head:
    seq, _, digest = text.partition(":")
    try:
        return Head(int(seq), bytes.fromhex(digest))
    except ValueError:
        raise ConfigurationFault(["--head: must be as the log says it, a number, a colon and 64 digits"]) from None
