"""The models that a key may use, in the shape that its caller knows: OpenAI's, Anthropic's or Gemini's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from gateway.errors import BadInput, ModelNotFound
from gateway.formats.errors import ANTHROPIC, GOOGLE, Family
from gateway.model.people import ApiKey
from gateway.model.registry import Model
from gateway.proxy.surfaces import query_value
from gateway.routing.permissions import may_reach
from gateway.routing.resolve import models_for
from gateway.routing.snapshot import Snapshot

_MOST_LISTED = 1000
_AGENTS_KNOW = ("claude", "anthropic")
"""Coding agents of Anthropic keep only ids with one of these words, so that aliases of such names are offered too."""


class Listed(msgspec.Struct, frozen=True):
    """One name that the caller may use. `owner` is the first provider that serves it."""

    name: str
    model: Model
    owner: str


def listing(snapshot: Snapshot, api_key: ApiKey, family: Family) -> list[Listed]:
    """By code; where agents ask, those of its aliases that they know too."""
    found = []
    for code in models_for(snapshot, api_key):
        model = snapshot.models[code]
        backends = [lane.backend for lane in snapshot.lanes.get(model.id, ()) if may_reach(api_key, lane.backend)]
        owner = backends[0].provider.name if backends else "gateway"
        names = [code]
        if family is ANTHROPIC:
            names += [name for name in model.aliases if _is_for_agents(name, snapshot, model)]
        found += [Listed(name, model, owner) for name in names]
    return found


def _is_for_agents(alias: str, snapshot: Snapshot, model: Model) -> bool:
    if alias.endswith("*") or not any(word in alias.lower() for word in _AGENTS_KNOW):
        return False
    return snapshot.aliases.get(alias.lower()) is model and alias.lower() not in snapshot.models


def answer(snapshot: Snapshot, api_key: ApiKey, family: Family, wanted: str, query: bytes) -> bytes:
    """The whole list where `wanted` is empty, else that model. Raises ModelNotFound and BadInput."""
    listed = listing(snapshot, api_key, family)
    if wanted:
        name = wanted.removeprefix("models/") if family is GOOGLE else wanted
        found = next((one for one in listed if one.name == name), None)
        if found is None:
            raise ModelNotFound(f"The model '{wanted}' does not exist or this key may not use it.", param="model")
        return msgspec.json.encode(_shown(found, family))
    if family is GOOGLE:
        return _pages(listed, query)
    if family is ANTHROPIC:
        return _anthropic_list(listed, query)
    return msgspec.json.encode({"object": "list", "data": [_shown(one, family) for one in listed]})


def _shown(one: Listed, family: Family) -> dict[str, object]:
    if family is ANTHROPIC:
        return _as_anthropic(one)
    return _as_gemini(one) if family is GOOGLE else _as_openai(one)


def _as_openai(one: Listed) -> dict[str, object]:
    return {"id": one.name, "object": "model", "created": one.model.created_at // 1000, "owned_by": one.owner}


def _as_anthropic(one: Listed) -> dict[str, object]:
    made = datetime.fromtimestamp(one.model.created_at // 1000, UTC)
    return {
        "type": "model",
        "id": one.name,
        "display_name": one.model.display_name or one.name,
        "created_at": made.isoformat().replace("+00:00", "Z"),
    }


def _as_gemini(one: Listed) -> dict[str, object]:
    model = one.model
    limits = {"inputTokenLimit": model.context_limit, "outputTokenLimit": model.output_limit}
    return {
        "name": f"models/{one.name}",
        "version": "1",
        "displayName": model.display_name or one.name,
        "description": model.description,
        **{name: limit for name, limit in limits.items() if limit is not None},
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }


def _anthropic_list(listed: Sequence[Listed], query: bytes) -> bytes:
    """One page of it: `limit` names after `after_id` or before `before_id`."""
    limit = _limit(query, "limit", 20)
    names = [one.name for one in listed]
    after, before = query_value(query, "after_id"), query_value(query, "before_id")
    start = names.index(after) + 1 if after in names else 0
    if before in names:
        end = names.index(before)
        start = max(0, end - limit)
        page, has_more = listed[start:end], start > 0
    else:
        page = listed[start : start + limit]
        has_more = start + limit < len(listed)
    return msgspec.json.encode(
        {
            "data": [_as_anthropic(one) for one in page],
            "has_more": has_more,
            "first_id": page[0].name if page else None,
            "last_id": page[-1].name if page else None,
        }
    )


def _pages(listed: Sequence[Listed], query: bytes) -> bytes:
    size, token = _limit(query, "pageSize", 50), query_value(query, "pageToken")
    start = int(token) if token.isdigit() and len(token) < 9 else 0
    found: dict[str, object] = {"models": [_as_gemini(one) for one in listed[start : start + size]]}
    if start + size < len(listed):
        found["nextPageToken"] = str(start + size)
    return msgspec.json.encode(found)


def _limit(query: bytes, name: str, default: int) -> int:
    text = query_value(query, name)
    if not text:
        return default
    if not text.isdigit() or not 1 <= int(text[:9]) <= _MOST_LISTED:
        raise BadInput(f"'{name}' must be a number from 1 to {_MOST_LISTED}.", param=name)
    return int(text)
