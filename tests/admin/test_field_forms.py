"""Forms that are made from a noun's table of fields."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from msgspec.structs import replace

from gateway.admin.field_forms import FormPlan, text_of
from gateway.control import endpoints, provider_keys, providers
from gateway.control.fields import Field, Kind, read
from tests.store.rows import ENDPOINT, KEY, PROVIDER

PLAN = FormPlan(
    providers.FIELDS,
    MappingProxyType({"What": ("name", "billing_type"), "How much": ("rpm_limit", "is_active", "metadata")}),
    MappingProxyType({"rpm_limit": "Requests per minute"}),
    MappingProxyType({"is_active": "A switch."}),
)


def test_a_form_has_the_fields_it_names_under_their_headings() -> None:
    groups = PLAN.looks({"billing_type": (("free_tier", "Free"),)})

    assert [(group.legend, [look.name for look in group.fields]) for group in groups] == [
        ("What", ["name", "billing_type"]),
        ("How much", ["rpm_limit", "is_active", "metadata"]),
    ]
    name, billing = groups[0].fields
    assert (name.kind, name.attrs, name.words) == ("text", {"autocomplete": "off", "required": ""}, "Name")
    assert (billing.kind, billing.options) == ("choice", (("free_tier", "Free"),))
    rpm, active, metadata = groups[1].fields
    assert (rpm.words, rpm.attrs["inputmode"], rpm.about.startswith("Requests")) == (
        "Requests per minute",
        "numeric",
        True,
    )
    assert (active.kind, active.about, metadata.kind) == ("check", "A switch.", "area")


def test_only_fields_of_the_form_are_taken_from_what_was_posted() -> None:
    assert PLAN.given({"name": "x", "version": "3", "csrf": "y", "priority": "1"}) == {"name": "x", "version": "3"}


def test_what_is_stored_is_read_back_as_the_same() -> None:
    """Every field of every table, as the form shows it and as it would be sent."""
    key = replace(KEY, allowed_models=("gpt", "other"), expires_at=1_900_000_000_000)
    provider = replace(PROVIDER, quota_expires_at=1_900_000_000_000)
    for table, row in ((providers.FIELDS, provider), (endpoints.FIELDS, ENDPOINT), (provider_keys.FIELDS, key)):
        fields = [
            field for field in table if hasattr(row, field.name) and field.kind is not Kind.SECRET and not field.fixed
        ]
        sent = {field.name: text_of(field, getattr(row, field.name)) for field in fields}

        found = read(fields, sent, partial=True, text=True)

        for field in fields:
            stored = getattr(row, field.name)
            assert found[field.name] == (bool(stored) if field.kind is Kind.BOOL else stored), field.name


def test_a_secret_and_a_proxy_are_never_filled_in() -> None:
    plan = FormPlan(
        endpoints.FIELDS, MappingProxyType({"All": ("base_url", "proxy", "rpm_limit")}), MappingProxyType({})
    )
    assert plan.values(ENDPOINT) == {"base_url": ENDPOINT.base_url, "proxy": "", "rpm_limit": "0", "version": "4"}


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.INT, None, ""),
        (Kind.INT, 0, "0"),
        (Kind.NUMBER, 5.0, "5"),
        (Kind.NUMBER, 0.25, "0.25"),
        (Kind.DOLLARS, 12_500_000_000, "12.5"),
        (Kind.TIME, 1_900_000_000_000, "2030-03-17T17:46:40Z"),
        (Kind.TIME, 1_900_000_000_001, "2030-03-17T17:46:40.001Z"),
        (Kind.BOOL, True, "on"),
        (Kind.BOOL, False, ""),
        (Kind.OBJECT, {}, ""),
        (Kind.HEADERS, {"x-a": "1", "x-b": "2"}, "x-a: 1\nx-b: 2"),
        (Kind.MULTIPLIER, 800_000, "0.8"),
        (Kind.MULTIPLIERS, {"openai_chat": 500_000}, "openai_chat = 0.5"),
        (Kind.CAPABILITIES, ("a", "b"), "a, b"),
    ],
)
def test_values_are_written_as_people_type_them(kind: Kind, value: object, text: str) -> None:
    assert text_of(Field("x", kind, "X."), value) == text
