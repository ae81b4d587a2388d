"""Where the files that are not Python are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_BASE = _PACKAGE if (_PACKAGE / "schema.sql").is_file() else _PACKAGE.parent

SCHEMA = _BASE / "schema.sql"
TEMPLATES = _BASE / "templates"
STATIC = _BASE / "static"
MIGRATIONS = _PACKAGE / "store" / "migrations"
PRICES = _PACKAGE / "prices.json"
"""The catalogue of list prices that this release brings; `make prices` makes it."""
