"""`version`: what runs here."""

from __future__ import annotations

import argparse
import platform
import sqlite3
from importlib.metadata import version

import msgspec

from gateway import __version__


def run(arguments: argparse.Namespace) -> int:
    versions = {
        "version": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "starlette": version("starlette"),
        "uvicorn": version("uvicorn"),
        "httpx": version("httpx"),
    }
    if arguments.json:
        print(msgspec.json.encode(versions).decode())
    else:
        print("weir " + "  ".join(f"{name} {text}" for name, text in versions.items()).removeprefix("version "))
    return 0
