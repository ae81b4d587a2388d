"""`python -m gateway`, and the `gateway` command."""

from __future__ import annotations

import gc
import sys

# Nothing that loading makes is garbage, and looking for it takes a fifth of the time.
gc.disable()

from gateway.cli.main import main as run  # noqa: E402


def main() -> None:
    # Calls leave no cycles behind, connections a few: to look for them as often as Python does by itself costs calls a
    # tenth, and to look more seldom than this keeps a megabyte of them.
    gc.set_threshold(5_000, 20, 50)
    gc.freeze()
    gc.enable()
    sys.exit(run())


if __name__ == "__main__":
    main()
