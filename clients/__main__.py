"""Programs that other people wrote, asking the gateway: which of them work with which upstream format.

    make clients                                # a few minutes, and once some more to install them
    make clients ARGS="--only sdks"             # one group

Providers are scripted, but for one small model that really runs; everything is on loopback. The exit code is 1 where
a client did not get what it should.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from clients import agents, installed, real, sdks
from clients.cells import Cell, failures, table
from clients.stage import UPSTREAMS, Stage, set_up

GROUPS: dict[str, Callable[[Stage], Iterator[Cell]]] = {
    "sdks": sdks.of_node,
    "agents": agents.prove,
    "langchain": sdks.of_langchain,
    "real": real.prove,
}


def main() -> int:
    words = argparse.ArgumentParser(prog="clients", description=__doc__.splitlines()[0])
    words.add_argument("--only", choices=GROUPS, action="append", help="this group (may be given more than once)")
    words.add_argument("--table", type=Path, help="also write the table here")
    asked = words.parse_args()
    installed.install()
    began = time.monotonic()
    cells: list[Cell] = []
    with set_up() as stage:
        for name in asked.only or GROUPS:
            for cell in GROUPS[name](stage):
                cells.append(cell)
                print(f"{'✗' if cell.why else '·'} {cell.client} → {cell.upstream}, {cell.case}", flush=True)
    shown = table(cells, [*UPSTREAMS, real.OWN])
    print(f"\n{shown}\n")
    if asked.table:
        asked.table.write_text(shown + "\n", "utf-8")
    failed = failures(cells)
    print("\n".join(failed))
    print(f"{len(cells) - len(failed)} held, {len(failed)} failed, in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
