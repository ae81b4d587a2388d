"""List prices of a dated catalogue: facts that others keep, for where an operator set no price."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.model.registry import Price, PriceTier


class Listing(msgspec.Struct, frozen=True):
    """What a provider lists for `model`. `names` are patterns of the names that it is asked for by, any of which fits.

    A pattern is a shell's glob in lower case; of several words, parted by spaces, each must fit, and none of those
    that begin with an exclamation mark.
    """

    model: str
    names: tuple[str, ...]
    price: Price
    tiers: tuple[PriceTier, ...] = ()


class Catalogue(msgspec.Struct, frozen=True):
    """`date` (ISO) is when it was taken from `version` of its source. `listings` go by provider, first match first."""

    date: str = ""
    version: str = ""
    source: str = ""
    licence: str = ""
    listings: Mapping[str, tuple[Listing, ...]] = msgspec.field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"catalogue {self.date}"


def is_newer(version: str, than: str) -> bool:
    """Whether a version such as 0.10.2 comes after another one; anything comes after none."""
    return _numbers(version) > _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
