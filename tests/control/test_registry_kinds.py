"""What the registry's own kinds of field take, from JSON and from a form."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control.fields import Field, Kind, Table, limit, read
from gateway.errors import InvalidFields
from gateway.model.registry import UpstreamAlias

TABLE: Table = (
    Field("paragraph", Kind.PARAGRAPH, ""),
    Field("website", Kind.WEBSITE, ""),
    Field("proxy", Kind.PROXY, "", default=""),
    Field("formats", Kind.FORMATS, "", nullable=True),
    Field("capabilities", Kind.CAPABILITIES, "", nullable=True),
    Field("names", Kind.NAMES, "", default=()),
    Field("aliases", Kind.UPSTREAM_ALIASES, "", default=()),
    Field("multiplier", Kind.MULTIPLIER, "", default=1_000_000),
    Field("multipliers", Kind.MULTIPLIERS, "", default={}),
    Field("priorities", Kind.PRIORITIES, "", default={}),
    limit("rpm_limit", "Requests"),
)


def taken(field: str, sent: object, *, text: bool = False) -> Any:
    return read(TABLE, {field: sent}, partial=True, text=text)[field]


def fault(field: str, sent: object, *, text: bool = False) -> str:
    with pytest.raises(InvalidFields) as refused:
        read(TABLE, {field: sent}, partial=True, text=text)
    assert list(refused.value.fields) == [field]
    return refused.value.fields[field]


GOOD: list[tuple[str, object, object]] = [
    ("paragraph", " two\r\nlines ", "two\nlines"),
    ("website", "https://example.com/prices?x=1", "https://example.com/prices?x=1"),
    ("website", "", ""),
    ("proxy", "http://ann:secret@proxy.example.com:3128", "http://ann:secret@proxy.example.com:3128"),
    ("proxy", "", ""),
    ("formats", ["openai_chat", "openai_chat"], ("openai_chat",)),
    ("formats", [], ()),
    ("formats", None, None),
    ("capabilities", ["Vision", "cache-1h", "json schema", "vision"], ("cache_1h", "json_schema", "vision")),
    ("capabilities", [], ()),
    ("capabilities", None, None),
    ("names", ["GPT-Fast", "gpt-4o-*", "gpt-fast"], ("gpt-fast", "gpt-4o-*")),
    ("aliases", [{"name": "East/Model", "priority": 3}], (UpstreamAlias("East/Model", 3),)),
    ("aliases", ["west"], (UpstreamAlias("west", 0),)),
    ("aliases", [{"name": "x", "api_formats": ["openai_chat"]}], (UpstreamAlias("x", 0, ("openai_chat",)),)),
    ("multiplier", "0.8", 800_000),
    ("multiplier", 0, 0),
    ("multiplier", 1.5, 1_500_000),
    ("multipliers", {"openai_chat": "0.000001"}, {"openai_chat": 1}),
    ("priorities", {"openai_chat": 0}, {"openai_chat": 0}),
    ("rpm_limit", 0, 0),
    ("rpm_limit", None, None),
]


@pytest.mark.parametrize(("field", "sent", "value"), GOOD)
def test_a_good_value_is_taken(field: str, sent: object, value: object) -> None:
    assert taken(field, sent) == value


IN_FORMS: list[tuple[str, str, object]] = [
    ("paragraph", "a\r\nb", "a\nb"),
    ("formats", "openai_chat\n", ("openai_chat",)),
    ("capabilities", "tools, Vision", ("tools", "vision")),
    ("capabilities", "", None),
    ("names", "fast\ngpt-*", ("fast", "gpt-*")),
    ("aliases", "east 3 openai_chat\nwest", (UpstreamAlias("east", 3, ("openai_chat",)), UpstreamAlias("west", 0))),
    ("multiplier", " 0.25 ", 250_000),
    ("multipliers", "openai_chat = 0.5", {"openai_chat": 500_000}),
    ("priorities", "openai_chat = 7", {"openai_chat": 7}),
    ("rpm_limit", "0", 0),
    ("rpm_limit", "", None),
]


@pytest.mark.parametrize(("field", "sent", "value"), IN_FORMS)
def test_a_form_says_the_same_in_words(field: str, sent: str, value: object) -> None:
    assert taken(field, sent, text=True) == value


def test_a_form_that_leaves_the_proxy_empty_keeps_it() -> None:
    assert read(TABLE, {"proxy": ""}, partial=True, text=True) == {}


BAD: list[tuple[str, object, str]] = [
    ("paragraph", "a\x00b", "control characters"),
    ("paragraph", "x" * 2001, "at most 2000"),
    ("paragraph", 5, "must be a string"),
    ("website", "javascript:alert(1)", "must be an address"),
    ("website", "https://", "must be an address"),
    ("website", "https://[x", "must be an address"),
    ("website", "https://a b", "must be an address"),
    ("proxy", "https://proxy.example.com:1", "HTTP proxy"),
    ("proxy", "http://proxy.example.com", "HTTP proxy"),
    ("proxy", "http://proxy.example.com:1/path", "HTTP proxy"),
    ("proxy", "http://proxy.example.com:99999", "HTTP proxy"),
    ("proxy", "socks5://proxy.example.com:1", "HTTP proxy"),
    ("formats", ["carrier_pigeon"], "must name API formats: openai_chat"),
    ("capabilities", ["tö"], "must be words"),
    ("capabilities", [f"c{number}" for number in range(51)], "at most 50"),
    ("names", ["*"], "must not be a star alone"),
    ("names", ["a*b"], "letters, digits"),
    ("names", [f"n{number}" for number in range(101)], "at most 100"),
    ("aliases", {"name": "x"}, "must be a list"),
    ("aliases", [{"nme": "x"}], "name, priority and api_formats only"),
    ("aliases", [{"name": ""}], "must not be empty"),
    ("aliases", [{"name": "x", "priority": -1}], "must be 0 or more"),
    ("aliases", ["x", "x"], "must name each alias once"),
    ("multiplier", "a lot", "must be a factor"),
    ("multiplier", True, "must be a factor"),
    ("multiplier", "nan", "must be between 0 and 1000"),
    ("multiplier", -1, "must be between 0 and 1000"),
    ("multiplier", "0.0000001", "at most six decimals"),
    ("multiplier", "1" * 41, "must be a factor"),
    ("multipliers", {"x": 1}, "must be an object by API format"),
    ("priorities", ["openai_chat"], "must be an object by API format"),
    ("priorities", {"openai_chat": "1"}, "must be a whole number"),
    ("rpm_limit", -1, "must be 0 or more"),
]


@pytest.mark.parametrize(("field", "sent", "words"), BAD)
def test_a_bad_value_is_told_what_it_should_be(field: str, sent: object, words: str) -> None:
    assert words in fault(field, sent)


def test_a_form_says_where_a_number_is_missing() -> None:
    assert fault("aliases", "east soon", text=True) == "must be a whole number"
    assert fault("priorities", "openai_chat = first", text=True) == "must be a whole number"
