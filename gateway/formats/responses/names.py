"""Names of tools that are in a group (a `namespace`), for formats whose tools have nothing but a name.

The group stands before the name behind a mark, and an answer that calls such a tool is told the group again.
"""

from __future__ import annotations

_MARK = "_-_"


def flat(namespace: str, name: str) -> str:
    """One name out of both; made of what every format allows in a name."""
    return f"{namespace}{_MARK}{name}" if namespace else name


def split(name: str) -> tuple[str, str]:
    """The group, empty for a tool in none, and the name in it."""
    namespace, found, rest = name.partition(_MARK)
    return (namespace, rest) if found and namespace and rest else ("", name)
