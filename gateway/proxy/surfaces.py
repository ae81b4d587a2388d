"""The paths that clients call, and what each is: one table for all API formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote

import msgspec

from gateway.formats.errors import ANTHROPIC, GOOGLE, OPENAI, RESPONSES, Family
from gateway.model.registry import ApiFormat

Header = tuple[bytes, bytes]


class Surface(msgspec.Struct, frozen=True):
    """What is called: an API format, and which of its actions. `takes_upload`: as multipart/form-data, too.

    `model` and `is_stream` are set where the path itself says them.
    """

    api_format: ApiFormat
    action: str = ""
    takes_upload: bool = False
    model: str = ""
    is_stream: bool = False


SURFACES: Mapping[str, Surface] = MappingProxyType(
    {
        "/v1/chat/completions": Surface(ApiFormat.OPENAI_CHAT),
        "/v1/completions": Surface(ApiFormat.OPENAI_COMPLETIONS),
        "/v1/responses": Surface(ApiFormat.OPENAI_RESPONSES),
        "/v1/responses/compact": Surface(ApiFormat.OPENAI_RESPONSES, "compact"),
        "/v1/responses/input_tokens": Surface(ApiFormat.OPENAI_RESPONSES, "input_tokens"),
        "/v1/embeddings": Surface(ApiFormat.OPENAI_EMBEDDINGS),
        "/v1/moderations": Surface(ApiFormat.OPENAI_MODERATIONS),
        "/v1/images/generations": Surface(ApiFormat.OPENAI_IMAGES, "generations"),
        "/v1/images/edits": Surface(ApiFormat.OPENAI_IMAGES, "edits", takes_upload=True),
        "/v1/audio/speech": Surface(ApiFormat.OPENAI_AUDIO, "speech"),
        "/v1/audio/transcriptions": Surface(ApiFormat.OPENAI_AUDIO, "transcriptions", takes_upload=True),
        "/v1/audio/translations": Surface(ApiFormat.OPENAI_AUDIO, "translations", takes_upload=True),
        "/v1/rerank": Surface(ApiFormat.RERANK),
        "/v1/messages": Surface(ApiFormat.ANTHROPIC_MESSAGES),
        "/v1/messages/count_tokens": Surface(ApiFormat.ANTHROPIC_MESSAGES, "count_tokens"),
    }
)
"""All but Gemini's, whose paths have the model in them."""

_GEMINI = re.compile(r"/v1(?:beta|alpha)?/models/([^/:][^:]*):(generateContent|streamGenerateContent|countTokens)")
_MODELS = re.compile(r"/v1(?:beta|alpha)?/models(?:/(.*))?")
_RESPONSE = re.compile(r"/v1/responses/([A-Za-z0-9_.-]{1,200})(?:/(cancel|input_items))?")


def surface_of(path: str) -> Surface | None:
    """None where no call is made at this path."""
    found = SURFACES.get(path)
    if found is not None:
        return found
    named = _GEMINI.fullmatch(path)
    if named is None:
        return None
    model, verb = unquote(named.group(1)), named.group(2)
    if verb == "countTokens":
        return Surface(ApiFormat.GEMINI_GENERATE, verb, model=model)
    return Surface(ApiFormat.GEMINI_GENERATE, model=model, is_stream=verb == "streamGenerateContent")


def listed_model(path: str) -> str | None:
    """The model that is asked after, empty for the whole list, None where the path is another one."""
    found = _MODELS.fullmatch(path)
    return None if found is None else unquote(found.group(1) or "")


def stored_response(path: str) -> tuple[str, str] | None:
    """The id of a response that is kept, and what is asked of it; None where the path is another one."""
    found = _RESPONSE.fullmatch(path)
    return None if found is None else (found.group(1), found.group(2) or "")


def family_of(path: str, headers: Iterable[Header]) -> Family:
    """Whose words a caller of this path understands errors in."""
    if path == "/v1/chat/completions":
        return OPENAI  # most of them
    if path.startswith("/v1/messages"):
        return ANTHROPIC
    if path.startswith("/v1/responses"):
        return RESPONSES
    if path.startswith(("/v1beta/", "/v1alpha/")):
        return GOOGLE
    if path.startswith("/v1/models"):
        if _GEMINI.fullmatch(path):
            return GOOGLE
        # One path for three APIs: a header that only one of them has tells whose client asks.
        names = {name for name, _ in headers}
        return ANTHROPIC if b"anthropic-version" in names else GOOGLE if b"x-goog-api-key" in names else OPENAI
    return OPENAI


def query_value(query: bytes, name: str) -> str:
    """The first value of a name in a query string; empty without one."""
    pairs = parse_qsl(query.decode("latin-1"), max_num_fields=50) if query else []
    return next((value for found, value in pairs if found == name), "")


SERVED = (
    f"This gateway serves POST {', '.join(SURFACES)}, /v1beta/models/…:generateContent, :streamGenerateContent and "
    ":countTokens, and GET /v1/models."
)
