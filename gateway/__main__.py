"""`python -m gateway`, and the `gateway` command."""

from __future__ import annotations

import sys

from gateway.cli.main import main as run


def main() -> None:
    sys.exit(run())


if __name__ == "__main__":
    main()
