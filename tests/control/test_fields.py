"""What may be written: every fault named at once, nothing taken that is not in the table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.fields import Field, Kind, Table, read
from gateway.errors import InvalidFields

EVERY_KIND: Table = (
    Field("text", Kind.TEXT, "", default="", most=10),
    Field("slug", Kind.SLUG, "", required=True),
    Field("label", Kind.LABEL, "", default=""),
    Field("code", Kind.MODEL_CODE, "", nullable=True),
    Field("int", Kind.INT, "", default=5, least=0, most=100),
    Field("rpm_limit", Kind.INT, "", nullable=True, least=0, most=100),
    Field("number", Kind.NUMBER, "", default=1.5, least=0.5, most=9),
    Field("bool", Kind.BOOL, "", default=True),
    Field("choice", Kind.CHOICE, "", default="a", choices=("a", "b")),
    Field("url", Kind.URL, "", default=""),
    Field("dollars", Kind.DOLLARS, "", nullable=True),
    Field("time", Kind.TIME, "", nullable=True),
    Field("secret", Kind.SECRET, "", default=""),
    Field("strings", Kind.STRINGS, "", default=()),
    Field("codes", Kind.MODEL_CODES, "", nullable=True),
    Field("models", Kind.MODELS, "", default={}),
    Field("headers", Kind.HEADERS, "", default={}),
    Field("object", Kind.OBJECT, "", default={}),
    Field("owner", Kind.TEXT, "", fixed=True, default=""),
)


def taken(field: str, value: object, *, text: bool = False) -> Any:
    return read(EVERY_KIND, {field: value}, partial=True, text=text)[field]


def fault(field: str, value: object, *, text: bool = False) -> str:
    with pytest.raises(InvalidFields) as refused:
        read(EVERY_KIND, {field: value}, partial=True, text=text)
    assert list(refused.value.fields) == [field]
    return refused.value.fields[field]


def test_left_out_fields_get_their_defaults() -> None:
    values = read(EVERY_KIND, {"slug": "a"}, partial=False, text=False)

    assert set(values) == {field.name for field in EVERY_KIND}
    assert (values["int"], values["bool"], values["rpm_limit"]) == (5, True, None)


def test_a_partial_read_gives_only_what_was_sent() -> None:
    assert read(EVERY_KIND, {"int": 7}, partial=True, text=False) == {"int": 7}


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(InvalidFields) as refused:
        read(
            EVERY_KIND,
            {"int": "5", "bool": 1, "rmp_limit": 5, "sealed": "x", "number": None},
            partial=False,
            text=False,
        )
    assert refused.value.fields == {
        "slug": "is required",
        "int": "must be a whole number",
        "bool": "must be true or false",
        "number": "must not be null",
        "rmp_limit": "is not a field here; did you mean rpm_limit?",
        "sealed": "is not a field here",
    }
    assert refused.value.status == 400


def test_a_fixed_field_is_set_once() -> None:
    assert read(EVERY_KIND, {"slug": "a", "owner": "o"}, partial=False, text=False)["owner"] == "o"
    assert fault("owner", "o") == "cannot be changed"


@pytest.mark.parametrize(
    ("field", "sent", "value"),
    [
        ("text", "  a b ", "a b"),
        ("slug", " OpenAI-2 ", "openai-2"),
        ("label", "Key of Ann", "Key of Ann"),
        ("code", "OpenAI/GPT-5:free", "openai/gpt-5:free"),
        ("code", None, None),
        ("int", 0, 0),
        ("number", 2, 2.0),
        ("choice", "b", "b"),
        ("url", "https://API.example.com/v1/", "https://api.example.com/v1"),
        ("url", "builtin:demo", "builtin:demo"),
        ("dollars", "0.15", 150_000_000),
        ("dollars", 0.1, 100_000_000),
        ("dollars", 1e-07, 100),
        ("dollars", 3, 3_000_000_000),
        ("dollars", None, None),
        ("time", 1_900_000_000_000, 1_900_000_000_000),
        ("time", "2030-01-01", 1_893_456_000_000),
        ("time", "2030-01-01T01:00:00+01:00", 1_893_456_000_000),
        ("time", "2030-01-01T00:00:00Z", 1_893_456_000_000),
        ("secret", " sk-abc ", "sk-abc"),
        ("strings", ["a", "b", "a"], ("a", "b")),
        ("codes", ["GPT", "gpt"], ("gpt",)),
        ("codes", [], ()),
        ("models", ["GPT-4o"], {"gpt-4o": "GPT-4o"}),
        ("models", {"Fast": "Llama-3"}, {"fast": "Llama-3"}),
        ("headers", {"X-Team": " a "}, {"x-team": "a"}),
        ("object", {"a": [1, None, {"b": 1.5}]}, {"a": [1, None, {"b": 1.5}]}),
        ("object", {"a": 2**70}, {"a": 2**70}),
    ],
)
def test_a_good_value_is_taken(field: str, sent: object, value: object) -> None:
    assert taken(field, sent) == value


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("text", 5),
        ("text", "a\nb"),
        ("text", "a\x00"),
        ("text", "\ud800"),
        ("text", "x" * 11),
        ("slug", "a/b"),
        ("slug", "a b"),
        ("slug", ""),
        ("slug", "x" * 64),
        ("label", "a/b"),
        ("code", "a b"),
        ("code", "gpt*"),
        ("int", True),
        ("int", 5.0),
        ("int", "5"),
        ("int", -1),
        ("int", 101),
        ("int", 10**400),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", "2"),
        ("number", False),
        ("number", 0.4),
        ("bool", "true"),
        ("bool", 0),
        ("choice", "c"),
        ("choice", 1),
        ("choice", ["a"]),
        ("url", "https://user@a.example"),
        ("url", 5),
        ("dollars", -1),
        ("dollars", "abc"),
        ("dollars", True),
        ("dollars", float("nan")),
        ("dollars", "0.0000000001"),
        ("dollars", 10**400),
        ("dollars", "1" * 5000),
        ("dollars", "1e999999999"),
        ("time", -5),
        ("time", 10**30),
        ("time", "soon"),
        ("time", True),
        ("time", 1.5),
        ("secret", "a b"),
        ("secret", "ключ"),
        ("secret", "a\r\nb"),
        ("strings", "a"),
        ("strings", [1]),
        ("strings", [""]),
        ("strings", ["a"] * 2001),
        ("models", "a"),
        ("models", {"a": 1}),
        ("models", {"A": "x", "a": "y"}),
        ("models", {"a": ""}),
        ("headers", {"Authorization": "x"}),
        ("headers", {"cookie": "x"}),
        ("headers", {"Host": "x"}),
        ("headers", {"Connection": "x"}),
        ("headers", {"x-api-key": "x"}),
        ("headers", {"a b": "x"}),
        ("headers", {"": "x"}),
        ("headers", {"x": "a\r\nb"}),
        ("headers", {"x": 5}),
        ("headers", ["x"]),
        ("object", []),
        ("object", {"a": float("nan")}),
        ("object", {"a": "\ud800"}),
        ("object", {"a": "x" * 20_000}),
    ],
)
def test_a_bad_value_is_refused(field: str, sent: object) -> None:
    assert fault(field, sent)


def test_an_object_is_not_nested_without_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    assert "levels deep" in fault("object", deep)


@pytest.mark.parametrize(
    ("field", "sent", "value"),
    [
        ("text", "", ""),
        ("int", "7", 7),
        ("int", "", 5),
        ("rpm_limit", "", None),
        ("rpm_limit", "0", 0),
        ("number", "2.5", 2.5),
        ("bool", "on", True),
        ("bool", "", False),
        ("bool", "false", False),
        ("choice", "b", "b"),
        ("dollars", "0.15", 150_000_000),
        ("dollars", "", None),
        ("time", "2030-01-01", 1_893_456_000_000),
        ("time", "1900000000000", 1_900_000_000_000),
        ("strings", "a, b\nc\n", ("a", "b", "c")),
        ("codes", "", None),
        ("models", "gpt\r\nFast = llama-3\n", {"gpt": "gpt", "fast": "llama-3"}),
        ("headers", "X-A: 1\nX-B: a:b", {"x-a": "1", "x-b": "a:b"}),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", "", {}),
    ],
)
def test_a_form_sends_strings(field: str, sent: str, value: object) -> None:
    assert taken(field, sent, text=True) == value


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("int", "5.0"),
        ("int", "x"),
        ("int", "9" * 5000),
        ("number", "nan"),
        ("number", "1e5"),
        ("slug", ""),
        ("headers", "no colon"),
        ("models", "a=x\na=y"),
        ("object", "{"),
        ("object", "[" * 100_000),
        ("dollars", "NaN"),
    ],
)
def test_a_form_with_a_bad_string_is_refused(field: str, sent: str) -> None:
    assert fault(field, sent, text=True)


def test_an_empty_secret_in_an_edit_form_keeps_the_old_one() -> None:
    assert read(EVERY_KIND, {"secret": ""}, partial=True, text=True) == {}
    assert read(EVERY_KIND, {"secret": ""}, partial=True, text=False) == {"secret": ""}


def test_an_empty_required_field_of_a_new_form_is_required() -> None:
    with pytest.raises(InvalidFields) as refused:
        read(EVERY_KIND, {"slug": " "}, partial=False, text=True)
    assert refused.value.fields == {"slug": "is required"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([field.name for field in EVERY_KIND]) | st.text(max_size=10), JSON, max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_sent_is_taken_or_refused_by_field(raw: dict[str, Any], partial: bool, text: bool) -> None:
    try:
        values = read(EVERY_KIND, raw, partial=partial, text=text)
    except InvalidFields as refused:
        assert refused.fields
        return
    assert set(values) <= {field.name for field in EVERY_KIND}
    assert set(raw) <= {field.name for field in EVERY_KIND}
