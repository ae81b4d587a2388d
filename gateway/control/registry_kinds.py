"""What the registry's own kinds of field accept, in JSON's types. Each reader gives the checked value or raises
ValueError; the messages follow a field's name.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from gateway.control import kinds
from gateway.model.registry import RATE_UNIT, ApiFormat, UpstreamAlias

_CAPABILITY = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
_PARAGRAPH = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]*")
_VISIBLE = re.compile(r"[!-~]*")
_LONGEST_PARAGRAPH = 2000
_MOST_CAPABILITIES = 50
_MOST_ALIASES = 100
_HIGHEST_MULTIPLIER = 1000
_MOST_SECRETS = 200
_LAST_PRIORITY = 100_000
_FORMATS = tuple(api_format.value for api_format in ApiFormat)


def paragraph(given: object) -> str:
    """Text of several lines, at most 2000 characters."""
    text = _string(given).replace("\r\n", "\n").strip()
    if not _PARAGRAPH.fullmatch(text):
        raise ValueError("must be text without control characters")
    if len(text) > _LONGEST_PARAGRAPH:
        raise ValueError(f"must have at most {_LONGEST_PARAGRAPH} characters")
    return text


def secret_lines(given: object) -> tuple[str, ...]:
    """A list of lines that hold secrets, empty ones too, so that each keeps its number."""
    if not isinstance(given, list) or not all(isinstance(line, str) for line in given):
        raise ValueError("must be a list of strings")
    if len(given) > _MOST_SECRETS:
        raise ValueError(f"must have at most {_MOST_SECRETS} lines")
    return tuple(line.strip() for line in given)


def website(given: object) -> str:
    """An address that may be put behind a link, or empty."""
    text = _string(given).strip()
    if text and not _is_web_address(text):
        raise ValueError("must be an address such as https://example.com")
    return text


def proxy(given: object) -> str:
    """`http://[user:password@]host:port`, or empty for none."""
    text = _string(given).strip()
    if not text:
        return ""
    sample = "must be the URL of an HTTP proxy such as http://user:password@proxy.example.com:3128"
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme == "http" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        is_sound = False
    if not is_sound or len(text) > 500 or not _VISIBLE.fullmatch(text) or parts.path.strip("/") or parts.query:
        raise ValueError(sample)
    return text


def formats(given: object) -> tuple[str, ...]:
    found = kinds.strings(given)
    if any(name not in _FORMATS for name in found):
        raise ValueError(f"must name API formats: {', '.join(_FORMATS)}")
    return found


def capabilities(given: object) -> tuple[str, ...]:
    """A set of words, in lower case with underscores, sorted."""
    found = sorted({word.lower().replace("-", "_").replace(" ", "_") for word in kinds.strings(given)})
    if len(found) > _MOST_CAPABILITIES:
        raise ValueError(f"must have at most {_MOST_CAPABILITIES} capabilities")
    if not all(_CAPABILITY.fullmatch(word) for word in found):
        raise ValueError("must be words such as tools, vision or cache_1h")
    return tuple(found)


def capabilities_by_model(given: object) -> dict[str, tuple[str, ...]]:
    """Capabilities by model code, or by `*` for every model."""
    if not isinstance(given, dict) or len(given) > _MOST_CAPABILITIES:
        raise ValueError(f"must be an object of at most {_MOST_CAPABILITIES} models and their capabilities")
    return {name if name == "*" else kinds.model_code(name): capabilities(found) for name, found in given.items()}


def names(given: object) -> tuple[str, ...]:
    """Further names of a model: whole ones, or beginnings with a star at their end."""
    found: list[str] = []
    for name in kinds.strings(given):
        stem = name.removesuffix("*")
        if not stem:
            raise ValueError("must not be a star alone")
        found.append(kinds.model_code(stem) + ("*" if name.endswith("*") else ""))
    if len(found) > _MOST_ALIASES:
        raise ValueError(f"must have at most {_MOST_ALIASES} names")
    return tuple(dict.fromkeys(found))


def upstream_aliases(given: object) -> tuple[UpstreamAlias, ...]:
    """A list of `{"name", "priority", "api_formats"}`; priority 0 and every format where left out."""
    if not isinstance(given, list) or len(given) > _MOST_ALIASES:
        raise ValueError(f"must be a list of at most {_MOST_ALIASES} objects with a name")
    found = tuple(_upstream_alias(item) for item in given)
    if len({alias.name for alias in found}) < len(found):
        raise ValueError("must name each alias once")
    return found


def multiplier(given: object) -> int:
    """A factor such as 0.8, as a JSON number or a string, in millionths, exactly."""
    if isinstance(given, bool) or not isinstance(given, int | float | str) or len(str(given)) > 40:
        raise ValueError("must be a factor such as 0.8")
    try:
        factor = Decimal(str(given).strip())
    except InvalidOperation:
        raise ValueError("must be a factor such as 0.8") from None
    if not factor.is_finite() or not 0 <= factor <= _HIGHEST_MULTIPLIER:
        raise ValueError(f"must be between 0 and {_HIGHEST_MULTIPLIER}")
    millionths = factor * RATE_UNIT
    if millionths != millionths.to_integral_value():
        raise ValueError("must have at most six decimals")
    return int(millionths)


def multipliers(given: object) -> dict[str, int]:
    return {name: multiplier(value) for name, value in _by_format(given).items()}


def priorities(given: object) -> dict[str, int]:
    return {name: kinds.integer(value, 0, _LAST_PRIORITY) for name, value in _by_format(given).items()}


def _by_format(given: object) -> dict[str, object]:
    if not isinstance(given, dict) or any(name not in _FORMATS for name in given):
        raise ValueError(f"must be an object by API format: {', '.join(_FORMATS)}")
    return given


def _upstream_alias(item: object) -> UpstreamAlias:
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, dict) or not item.keys() <= {"name", "priority", "api_formats"}:
        raise ValueError("must hold objects with name, priority and api_formats only")
    return UpstreamAlias(
        name=kinds.line(item.get("name"), 1, 200),
        priority=kinds.integer(item.get("priority", 0), 0, 1000),
        api_formats=formats(item.get("api_formats", [])),
    )


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(_VISIBLE.fullmatch(text))


def _string(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("must be a string")
    return given
