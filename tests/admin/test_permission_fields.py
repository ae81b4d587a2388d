"""What somebody may use, as a choice of all, some or none."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.admin import permission_fields
from gateway.errors import InvalidFields
from tests.store.rows import API_KEY


def test_a_choice_and_its_list_become_one_value() -> None:
    form = {
        "models": "listed",
        "allowed_models": " a\nb ",
        "providers": "all",
        "allowed_providers": "x",
        "formats": "none",
    }

    assert permission_fields.given(form) == {
        "allowed_models": "a\nb",
        "allowed_providers": None,
        "allowed_formats": [],
    }


def test_what_has_no_choice_is_left_as_it_is() -> None:
    assert permission_fields.given({"allowed_models": "a", "name": "x"}) == {}


def test_a_choice_of_some_needs_some() -> None:
    with pytest.raises(InvalidFields) as caught:
        permission_fields.given({"models": "listed", "formats": "listed", "allowed_formats": "  "})

    assert caught.value.fields == {
        "allowed_models": "must name at least one model",
        "allowed_formats": "must name at least one API format",
    }


def test_null_and_an_empty_list_are_told_apart() -> None:
    row = replace(API_KEY, allowed_models=("a", "b"), allowed_providers=None, allowed_formats=())

    shown = permission_fields.values(row)

    assert (shown["models"], shown["allowed_models"]) == ("listed", "a\nb")
    assert (shown["providers"], shown["allowed_providers"]) == ("all", "")
    assert (shown["formats"], shown["allowed_formats"]) == ("none", "")
    assert permission_fields.given(shown) == {
        "allowed_models": "a\nb",
        "allowed_providers": None,
        "allowed_formats": [],
    }
