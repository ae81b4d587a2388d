"""How Gemini's members may be spelled: Google takes `topP` and `top_p` alike, and an object for a list of one."""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.formats.members import Members, is_object

_BEFORE = re.compile(r"(?<=[a-z0-9])_([a-z])")


@lru_cache(maxsize=512)
def camel(name: str) -> str:
    """The name as it is documented; `_responseJsonSchema` is an older one of `responseJsonSchema`."""
    return _BEFORE.sub(lambda found: found[1].upper(), name).lstrip("_")


def spelled(found: Members) -> Members:
    """The same object with the documented names of its members."""
    return Members({camel(name): value for name, value in found.fields.items()}, found.place)


def one(found: Members, name: str) -> Members:
    return spelled(found.object(name))


def several(found: Members, name: str) -> list[Members]:
    """A list of objects, or one object, which Google's own examples have in place of a list."""
    raw = found.raw(name)
    if raw is not None and is_object(raw):
        return [one(found, name)]
    return [spelled(item) for item in found.objects(name)]
