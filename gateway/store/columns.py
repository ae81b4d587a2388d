"""How lists are kept in a column: as JSON, where NULL is not the same as an empty one."""

from __future__ import annotations

import json
from collections.abc import Sequence


def optional_tuple(column: str | None) -> tuple[str, ...] | None:
    return None if column is None else tuple(json.loads(column))


def optional_json(values: Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(values)
