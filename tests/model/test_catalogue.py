from __future__ import annotations

import pytest

from gateway.model.catalogue import Catalogue, is_newer


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [
        ("0.2.3", "", True),
        ("0.10.0", "0.9.9", True),
        ("0.2.3", "0.2.3", False),
        ("0.2.2", "0.2.3", False),
        ("1.0", "0.9", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, than: str, expected: bool) -> None:
    assert is_newer(version, than) is expected


def test_a_price_says_of_which_day_its_catalogue_is() -> None:
    assert Catalogue(date="2026-11-20").origin == "catalogue 2026-11-20"
