"""Values whose `repr` leaves out what must not get into a log, or is too long for one."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


def hiding(*names: str) -> Callable[[msgspec.Struct], str]:
    """A `__repr__` without these fields."""

    def shown(value: msgspec.Struct) -> str:
        fields = ", ".join(f"{name}={getattr(value, name)!r}" for name in value.__struct_fields__ if name not in names)
        return f"{type(value).__name__}({fields})"

    return shown
