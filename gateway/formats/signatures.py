"""Signatures of thoughts on their way through a client that speaks another format than the provider that made them.

Where a format has a place for a signature of its own, that of another format is put there behind a mark which says
whose it is. When the client sends it back, it goes to a provider of that format, and to no other.
"""

from __future__ import annotations

from gateway.model.registry import ApiFormat

_MARK = "gw1."
_BY_NAME = {api_format.value: api_format for api_format in ApiFormat}


def marked(signature: str, origin: ApiFormat | None, place: ApiFormat) -> str:
    """The signature as it stands in an answer in the format `place`."""
    return signature if origin in (None, place) else f"{_MARK}{origin}.{signature}"


def unmarked(found: str, place: ApiFormat) -> tuple[str, ApiFormat]:
    """The signature that a client sent in a request in the format `place`, and the format it belongs to."""
    if found.startswith(_MARK):
        name, _, signature = found.removeprefix(_MARK).partition(".")
        if name in _BY_NAME:
            return signature, _BY_NAME[name]
    return found, place
