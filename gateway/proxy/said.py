"""What the headers of a request say besides who calls and how long its body is.

A client says the same with each of its requests: it is worked out once for all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.formats.passage import Passage
from gateway.hiding import hiding
from gateway.model.calls import Attribution
from gateway.model.registry import ApiFormat
from gateway.proxy import headers as passing
from gateway.routing.purposes import Purpose
from gateway.routing.requirements import HEADER as REQUIRE

Header = tuple[bytes, bytes]

CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
SECRETS = CREDENTIALS | {b"proxy-authorization", b"cookie", b"set-cookie"}
"""Headers that let somebody in somewhere: never kept, never shown."""
_OF_ONE_REQUEST = SECRETS | {b"content-length"}
_REQUIRE = REQUIRE.encode()
_MOST_KEPT = 256


class Said(msgspec.Struct, frozen=True):
    """`first` are the headers, of each name the first one. `session` is what the client calls its conversation,
    `required` what `x-gateway-require` asks for, `shown_id` the client's own id of the request where it is harmless.

    `is_plain_json`: the body is JSON as it is. `_passed` are the headers for providers, by what they depend on.
    """

    first: Mapping[bytes, bytes]
    headers: tuple[Header, ...]
    purpose: Purpose
    session: str
    required: str
    attribution: Attribution
    shown_id: bytes
    is_plain_json: bool
    is_dry_run: bool
    asks_cost: bool
    _passed: dict[tuple[ApiFormat, bool, bool], tuple[Header, ...]] = msgspec.field(default_factory=dict)

    __repr__ = hiding("first", "headers", "_passed")

    def passed_on(self, passage: Passage, api_format: ApiFormat, *, is_demo: bool) -> tuple[Header, ...]:
        """Those that a provider of this format may see, as `headers.to_upstream` says."""
        case = api_format, passage.told is not None, is_demo
        found = self._passed.get(case)
        if found is None:
            found = self._passed[case] = tuple(passing.to_upstream(self.headers, passage, is_demo=is_demo))
        return found


def said_by(headers: Iterable[Header]) -> Said:
    """`headers` have names in lower case."""
    said = []
    for header in headers:
        if header[0] not in _OF_ONE_REQUEST:
            said.append(header)  # noqa: PERF401  # a comprehension is a function of its own, and this one is called a lot
    return _said(tuple(said))


@functools.lru_cache(_MOST_KEPT)
def _said(headers: tuple[Header, ...]) -> Said:
    first = dict(reversed(headers))
    own_id = passing.safe_request_id(_text(first, b"x-request-id")) if b"x-request-id" in first else None
    return Said(
        first=first,
        headers=headers,
        purpose=passing.purpose_of(first),
        session=passing.session_of(first),
        required=passing.joined(headers, _REQUIRE),
        attribution=passing.attribution_of(first),
        shown_id=b"" if own_id is None else own_id.encode(),
        is_plain_json=media_of(headers) == "application/json" and encoding_of(headers) == "identity",
        is_dry_run=first.get(b"x-gateway-dry-run") == b"1",
        asks_cost=first.get(b"x-gateway-include-cost") == b"1",
    )


def media_of(headers: Sequence[Header]) -> str:
    """The media type of the body without its parameters; empty where nobody says."""
    return _text(dict(reversed(headers)), b"content-type").partition(";")[0].strip().lower()


def encoding_of(headers: Sequence[Header]) -> str:
    return _text(dict(reversed(headers)), b"content-encoding").lower() or "identity"


def _text(first: Mapping[bytes, bytes], name: bytes) -> str:
    return first.get(name, b"").decode("latin-1")


SAYS_NOTHING = said_by(())
