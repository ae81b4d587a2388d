"""`prices`: what each model costs at each provider, and whose word that is. `prices sync` takes newer list prices."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from gateway.cli import lock, running
from gateway.cli.offline import offline_desk
from gateway.control import catalogue, price_list, snapshots
from gateway.control.catalogue import Taken
from gateway.control.price_list import PriceListed
from gateway.errors import ConfigurationFault, InvalidFields
from gateway.model.catalogue import Catalogue
from gateway.model.people import Actor
from gateway.routing.snapshot import Snapshot
from gateway.settings import Settings
from gateway.store.database import open_reader

_ACTOR = Actor("cli", "prices", "prices")
_PACKAGE = "genai-prices"
_STDIN = "-"


class Failed(Exception):
    """Why nothing was taken, for people."""


class Listed(msgspec.Struct, frozen=True):
    """`catalogue` is the one in force, of which some `prices` may come."""

    catalogue: Catalogue
    prices: tuple[PriceListed, ...]


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the list, or what was taken. 1 where nothing newer could be asked for."""
    if arguments.action == "sync":
        return _sync(arguments, settings)
    found = asyncio.run(_read(settings))
    if arguments.json:
        print(msgspec.json.encode({"catalogue": _head(found.catalogue), "prices": found.prices}).decode())
    else:
        _print(found)
    return 0


def _sync(arguments: argparse.Namespace, settings: Settings) -> int:
    try:
        offered = asyncio.run(_offered())
        who = lock.holder(settings.data_dir)
        if who is not None and who.url:
            taken, before, after = _through(settings, who.url, arguments.token_file, offered)
        else:
            with lock.hold(settings.data_dir):
                taken, before, after = asyncio.run(_offline(settings, offered))
    except (Failed, running.Failed, InvalidFields, OSError, http.client.HTTPException) as error:
        print(f"prices: {error or type(error).__name__}", file=sys.stderr)
        return 1
    changes = _changes(before, after)
    if arguments.json:
        print(msgspec.json.encode({"taken": taken, "changes": changes}).decode())
    else:
        _print_taken(taken, changes)
    return 0


async def _offered() -> bytes:
    """The catalogue of the installed package, made by a process of its own. Raises Failed where there is none."""
    try:
        version(_PACKAGE)
    except PackageNotFoundError:
        raise Failed(
            f"{_PACKAGE} is not installed here. Install it beside the gateway:\n"
            f"    {sys.executable} -m pip install -U 'weir-gateway[prices]'"
        ) from None
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.ops.price_source", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await made.communicate()
    if made.returncode:
        raise Failed(f"{_PACKAGE} {version(_PACKAGE)} could not be read.")
    return output


def _through(
    settings: Settings, url: str, token_file: str | None, offered: bytes
) -> tuple[Taken, Sequence[PriceListed], Sequence[PriceListed]]:
    if token_file is None:
        raise Failed(f"the gateway at {url} runs. Stop it, or name a file that holds a management token: --token-file")
    token = (sys.stdin.read() if token_file == _STDIN else Path(token_file).read_text("utf-8")).strip()
    before = asyncio.run(_read(settings)).prices
    answer = running.post(url, "/api/admin/prices/sync", offered, token)
    return msgspec.json.decode(answer, type=Taken), before, asyncio.run(_read(settings)).prices


async def _offline(settings: Settings, offered: bytes) -> tuple[Taken, Sequence[PriceListed], Sequence[PriceListed]]:
    async with offline_desk(settings) as desk:
        before = _of(desk.snapshot()).prices
        taken = await catalogue.take(desk, _ACTOR, offered)
        return taken, before, _of(desk.snapshot()).prices


async def _read(settings: Settings) -> Listed:
    """Of the database itself, also while it is served. Raises ConfigurationFault where there is none to read."""
    try:
        async with open_reader(settings.database) as tx:
            return _of(snapshots.build(await snapshots.read_registry(tx, "http://127.0.0.1")))
    except sqlite3.DatabaseError as error:
        raise ConfigurationFault([f"{settings.database}: {error}"]) from None


def _of(snapshot: Snapshot) -> Listed:
    found = price_list.effective(snapshot)
    return Listed(snapshot.registry.catalogue, tuple(price_list.listed(one) for one in found))


def _changes(before: Sequence[PriceListed], after: Sequence[PriceListed]) -> list[dict[str, str]]:
    """Which effective prices are others now, by model and provider, in words."""
    were = {one.mapping_id: _words(one) for one in before}
    return [
        {"model": one.model, "provider": one.provider, "before": were.get(one.mapping_id, ""), "after": _words(one)}
        for one in after
        if were.get(one.mapping_id) != _words(one)
    ]


def _head(found: Catalogue) -> dict[str, str]:
    return {"date": found.date, "version": found.version, "source": found.source, "licence": found.licence}


def _print(found: Listed) -> None:
    for one in found.prices:
        print(f"{one.model:<32} {one.provider:<16} {_words(one):<44} {one.origin}".rstrip())
    if found.catalogue.date:
        print(f"Catalogue of {found.catalogue.date}: {found.catalogue.source} {found.catalogue.version}")


def _print_taken(taken: Taken, changes: Sequence[dict[str, str]]) -> None:
    which = f"the catalogue of {taken.date}, {taken.source} {taken.version}"
    if not taken.is_taken:
        print(f"Nothing newer: {which}, is in force already.")
        return
    print(f"Taken: {which}.")
    for one in changes:
        print(f"  {one['model']} at {one['provider']}: {one['before']} → {one['after']}")
    if not changes:
        print("  No price of a model that is served here changed.")


def _words(one: PriceListed) -> str:
    """Dollars per million tokens of each tier."""
    if not one.tiers:
        return "unpriced"
    words = [f"${tier.input} in, ${tier.output} out{_bound(tier.up_to, len(one.tiers))}" for tier in one.tiers]
    return "; ".join(words) + (f", ${one.per_request} a request" if one.per_request != "0" else "")


def _bound(up_to: int | None, tiers: int) -> str:
    if tiers == 1:
        return ""
    return " above" if up_to is None else f" up to {up_to}"
