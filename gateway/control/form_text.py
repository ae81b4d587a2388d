"""A form's strings in JSON's types. Strings come stripped and not empty; ValueError says what is wrong."""

from __future__ import annotations

import json
import re

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})")


def integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be a whole number")
    return int(text)


def number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be a number")
    return float(text)


def moment(text: str) -> object:
    """A long number is Unix milliseconds; the rest is a date or time."""
    return int(text) if re.fullmatch(r"[0-9]{10,15}", text) else text


def checkbox(text: str) -> bool:
    return text.lower() not in ("off", "false", "0", "no")


def nothing_or(text: str) -> str:
    """The word none stands for nothing, where an empty field leaves things as they are."""
    return "" if text.lower() == "none" else text


def items(text: str) -> list[str]:
    """One per line, or separated by commas."""
    return [item.strip() for item in re.split(r"[\n,]", text) if item.strip()]


def pairs(text: str) -> dict[str, str]:
    """`name` or `public = upstream`, one per line or separated by commas."""
    found: dict[str, str] = {}
    for item in items(text):
        public, equals, upstream = item.partition("=")
        if public.strip() in found:
            raise ValueError(f"must name {public.strip()} once")
        found[public.strip()] = (upstream if equals else public).strip()
    return found


def integer_pairs(text: str) -> dict[str, int]:
    """`name = number`, one per line or separated by commas."""
    return {name: integer(number) for name, number in pairs(text).items()}


def lists(text: str) -> dict[str, list[str]]:
    """`name = item, item`, one per line."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.strip():
            name, equals, rest = line.partition("=")
            if not equals:
                raise ValueError("must be one name = item, item per line")
            found[name.strip()] = items(rest)
    return found


def upstream_aliases(text: str) -> list[dict[str, object]]:
    """`name`, `name priority` or `name priority format format`, one per line."""
    found: list[dict[str, object]] = []
    for line in text.splitlines():
        words = line.split()
        if words:
            priority = integer(words[1]) if len(words) > 1 else 0
            found.append({"name": words[0], "priority": priority, "api_formats": words[2:]})
    return found


def headers(text: str) -> dict[str, str]:
    """`Name: value`, one per line."""
    found: dict[str, str] = {}
    for item in text.splitlines():
        if item.strip():
            name, colon, value = item.partition(":")
            if not colon:
                raise ValueError("must be one Name: value per line")
            found[name.strip()] = value.strip()
    return found


def json_object(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON object") from None
