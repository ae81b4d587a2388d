"""What a call is for: the words by which route rules choose its model when it asks for `auto`."""

from __future__ import annotations

import msgspec

from gateway.model.people import ApiKey
from gateway.model.registry import GLOBAL_ROUTE_KEY, RouteType

AUTO = "auto"
"""The name that stands for whichever model the route rules choose."""


class Purpose(msgspec.Struct, frozen=True):
    """Empty words are unnamed."""

    agent: str = ""
    business: str = ""
    capability: str = ""

    def word(self, route_type: RouteType) -> str:
        """What this purpose says to rules of a type."""
        words = {
            RouteType.AGENT: self.agent,
            RouteType.BUSINESS: self.business,
            RouteType.CAPABILITY: self.capability,
            RouteType.GLOBAL: GLOBAL_ROUTE_KEY,
        }
        return words[route_type]

    def shown(self, route_type: RouteType) -> str:
        """`AGENT:coder`; GLOBAL goes by nothing."""
        return route_type.value if route_type is RouteType.GLOBAL else f"{route_type.value}:{self.word(route_type)}"


def purpose_of(api_key: ApiKey, named: Purpose) -> Purpose:
    """What the call names; for each word that it does not name, the API key's default."""
    return Purpose(
        agent=named.agent or api_key.default_agent,
        business=named.business or api_key.default_business,
        capability=named.capability or api_key.default_capability,
    )


def chain_of(purpose: Purpose) -> tuple[tuple[RouteType, str], ...]:
    """Which rules are asked, in order: the most specific first, GLOBAL last."""
    return tuple((route_type, word) for route_type in RouteType if (word := purpose.word(route_type)))
