"""What routing reads of a chat completion besides its model: abilities it needs, and the conversation it belongs to.

The bytes are looked at as they are; messages are decoded no further than the first one of a user.
"""

from __future__ import annotations

from gateway.formats import body as bodies
from gateway.formats import conversation_facts as shared
from gateway.formats.body import Fields
from gateway.formats.chat.surface import MOST_ANSWERS, MOST_TOKENS
from gateway.formats.request import Facts, Request
from gateway.model.capabilities import CACHE_1H, JSON_SCHEMA, TOOLS, VISION

_PICTURE = b'"image_url"'
_TOOLS = ("tools", "functions")
_MAY_BE_CACHED = ("messages", *_TOOLS)
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
_NAMES_OF_SESSIONS = frozenset({"prompt_cache_key", "metadata"})
_NOTHING: frozenset[str] = frozenset()


def facts(request: Request, default_output: int, session_header: str | None) -> Facts:
    """Raises BadInput for limits that are none. `default_output` tokens are reserved where the call sets no limit."""
    most_input, most_output = most_tokens(request, default_output)
    return Facts(
        capabilities=capabilities_of(request),
        tokens=shared.tokens_of(len(request.fields["messages"])),
        most_input=most_input,
        most_output=most_output,
        session="" if session_header is None else session_of(request, session_header),
    )


def capabilities_of(request: Request) -> frozenset[str]:
    """Tools, a schema for the answer, pictures, a cache of one hour: what the body shows that it needs."""
    fields, found = request.fields, []
    if ("tools" in fields or "functions" in fields) and any(shared.is_given(fields, name) for name in _TOOLS):
        found.append(TOOLS)
    if "response_format" in fields and b'"json_schema"' in bytes(fields["response_format"]):
        found.append(JSON_SCHEMA)
    if request.holds("messages", _PICTURE):
        found.append(VISION)
    if not request.lacks(shared.CACHED) and any(_keeps_an_hour(request, name) for name in _MAY_BE_CACHED):
        found.append(CACHE_1H)
    return frozenset(found) if found else _NOTHING


def _keeps_an_hour(request: Request, name: str) -> bool:
    return request.holds(name, shared.CACHED) and shared.asks_for_an_hour_of_cache(request.fields[name])


def most_tokens(request: Request, default_output: int) -> tuple[int, int]:
    """The most input and output tokens that the call can come to: the larger of its limits on the answer,
    `default_output` where it sets none, for each answer that it asks for.
    """
    fields = request.fields
    given = [] if _LIMITS.isdisjoint(fields) else _limits(fields)
    answers = (bodies.integer_field(fields, "n", 1, MOST_ANSWERS) or 1) if "n" in fields else 1
    return shared.most_tokens_of(shared.size_of(fields)), answers * (max(given) if given else default_output)


def _limits(fields: Fields) -> list[int]:
    found = [bodies.integer_field(fields, name, 0, MOST_TOKENS) for name in _LIMITS]
    return [number for number in found if number is not None]


def session_of(request: Request, header: str) -> str:
    """`prompt_cache_key`, else `metadata.user_id`, else `header`, else what the conversation began with."""
    fields = request.fields
    if header or not _NAMES_OF_SESSIONS.isdisjoint(fields):
        named = (shared.text_of(fields.get("prompt_cache_key")), shared.user_of(fields), header)
        if any(named):
            return shared.session_name(named, ())
    tools = [fields[name] for name in _TOOLS if name in fields]
    return shared.session_name((), shared.beginning_of(request.model, tools, fields["messages"]))
