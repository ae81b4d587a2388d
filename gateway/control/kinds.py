"""What each kind of field accepts, in JSON's types. Each reader gives the checked value or raises ValueError.

The messages follow a field's name: "rpm_limit must be a whole number".
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal

from gateway import money
from gateway.model.origin import parse_base_url
from gateway.model.registry import BUILTIN_PATHS

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,62}")
_MODEL_CODE = re.compile(r"[a-z0-9][a-z0-9._:/@+-]{0,199}")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]*")
_VISIBLE = re.compile(r"[!-~]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,2000}")
_MOST_ITEMS = 2000
_MOST_OBJECT_BYTES = 16_384
_DEEPEST_OBJECT = 20
_LAST_YEAR_MS = 253_402_300_800_000

NEVER_SENT_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "proxy-authenticate", "x-api-key", "api-key", "x-goog-api-key"),
        *("cookie", "set-cookie", "host", "content-length", "content-type", "content-encoding", "accept-encoding"),
        *("connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"),
    }
)
"""Credentials go out only from a provider key, and framing belongs to the connection."""


def integer(given: object, least: float | None, most: float | None) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError("must be a whole number")
    _require_within(given, least, most)
    return given


def number(given: object, least: float | None, most: float | None) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError("must be a number")
    _require_within(given, least, most)
    if not math.isfinite(given):
        raise ValueError("must be a finite number")
    return float(given)


def line(given: object, least: float | None, most: float | None) -> str:
    """One line of text, without spaces at its ends and no longer than `most` characters."""
    text = _string(given).strip()
    if not _LINE.fullmatch(text):
        raise ValueError("must be one line without control characters")
    if len(text) > (most or 200):
        raise ValueError(f"must have at most {int(most or 200)} characters")
    if len(text) < (least or 0):
        raise ValueError("must not be empty")
    return text


def slug(given: object) -> str:
    text = _string(given).strip().lower()
    if not _SLUG.fullmatch(text):
        raise ValueError("must be 1 to 63 letters, digits, dots, dashes or underscores, without spaces")
    return text


def label(given: object) -> str:
    text = _string(given).strip()
    if not _LABEL.fullmatch(text):
        raise ValueError("must be 1 to 63 letters, digits, spaces, dots or dashes")
    return text


def model_code(given: object) -> str:
    text = _string(given).strip().lower()
    if not _MODEL_CODE.fullmatch(text):
        raise ValueError("must be 1 to 200 letters, digits or . _ : / @ + - without spaces")
    return text


def boolean(given: object) -> bool:
    if not isinstance(given, bool):
        raise ValueError("must be true or false")
    return given


def choice(given: object, choices: tuple[str, ...]) -> str:
    if given not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return str(given)


def url(given: object) -> str:
    """A base URL in its one spelling. Whether it may be used is decided where it is stored."""
    text = _string(given).strip()
    return text if text in BUILTIN_PATHS else parse_base_url(text).text


def dollars(given: object) -> int:
    """Dollars as a string or a JSON number, exactly, in nano-dollars."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ValueError("must be an amount in dollars, such as 0.15")
    if isinstance(given, str) and len(given) > 40:
        raise ValueError("must be an amount in dollars, such as 0.15")
    if isinstance(given, float):
        return money.parse_dollars(f"{Decimal(repr(given)):f}" if math.isfinite(given) else "nan")
    if isinstance(given, int) and given > 1_000_000:
        raise ValueError("must be between 0 and 1000000 dollars")
    return money.parse_dollars(str(given))


def time(given: object) -> int:
    """Unix milliseconds, or an ISO 8601 date or time (UTC where it names no zone), in Unix milliseconds."""
    if isinstance(given, int) and not isinstance(given, bool):
        moment = given
    else:
        try:
            parsed = datetime.fromisoformat(_string(given).strip())
        except ValueError:
            raise ValueError("must be a date such as 2030-01-31, an ISO 8601 time or Unix milliseconds") from None
        moment = round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    if not 0 < moment < _LAST_YEAR_MS:
        raise ValueError("must be between the years 1970 and 9999")
    return moment


def secret(given: object) -> str:
    """A provider's secret, `env:NAME`, or empty for a server that asks for none."""
    text = _string(given).strip()
    if text and (len(text) > 4096 or not _VISIBLE.fullmatch(text)):
        raise ValueError("must be visible ASCII characters without spaces")
    return text


def strings(given: object) -> tuple[str, ...]:
    """A list of lines; repeated ones are kept once."""
    if not isinstance(given, list | tuple):
        raise ValueError("must be a list of strings")
    if len(given) > _MOST_ITEMS:
        raise ValueError(f"must have at most {_MOST_ITEMS} items")
    return tuple(dict.fromkeys(line(item, 1, 200) for item in given))


def model_codes(given: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(model_code(item) for item in strings(given)))


def models(given: object) -> dict[str, str]:
    """Public names and the provider's own: a list where they are the same, or a map of one to the other."""
    pairs = given.items() if isinstance(given, dict) else [(name, name) for name in strings(given)]
    found: dict[str, str] = {}
    for public, upstream in pairs:
        code = model_code(public)
        if code in found:
            raise ValueError(f"must name {code} once")
        found[code] = line(upstream, 1, 200)
    if len(found) > _MOST_ITEMS:
        raise ValueError(f"must have at most {_MOST_ITEMS} models")
    return found


def headers(given: object) -> dict[str, str]:
    """Extra request headers; names in lower case."""
    if not isinstance(given, dict) or len(given) > 50:
        raise ValueError("must be an object of at most 50 header names and values")
    found: dict[str, str] = {}
    for name, value in given.items():
        lower = _string(name).strip().lower()
        if not _HEADER_NAME.fullmatch(lower):
            raise ValueError(f"must not hold the header name {_quoted(name)}")
        if lower in NEVER_SENT_HEADERS:
            raise ValueError(f"must not set {lower}")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"must give {lower} one line of visible ASCII characters")
        found[lower] = value.strip()
    return found


def json_object(given: object) -> dict[str, object]:
    if not isinstance(given, dict):
        raise ValueError("must be an object")
    _require_shallow(given, _DEEPEST_OBJECT)
    try:
        size = len(json.dumps(given, allow_nan=False, ensure_ascii=False).encode())
    except ValueError:
        raise ValueError("must be plain JSON") from None
    if size > _MOST_OBJECT_BYTES:
        raise ValueError(f"must be at most {_MOST_OBJECT_BYTES} bytes of JSON")
    return given


def _require_shallow(value: object, left: int) -> None:
    if left == 0:
        raise ValueError(f"must be at most {_DEEPEST_OBJECT} levels deep")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _require_shallow(inner, left - 1)


def _string(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("must be a string")
    return given


def _require_within(given: float, least: float | None, most: float | None) -> None:
    # Written so that NaN, which compares false with everything, is refused too.
    if least is not None and not given >= least:
        raise ValueError(f"must be {least:g} or more")
    if most is not None and not given <= most:
        raise ValueError(f"must be {most:.15g} or less")


def _quoted(name: object) -> str:
    return json.dumps(str(name)[:100])
