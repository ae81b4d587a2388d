"""What a management token may do."""

from __future__ import annotations

import pytest

from gateway.model.scopes import SCOPES, is_within


@pytest.mark.parametrize(
    ("scopes", "needed", "is_enough"),
    [
        (None, "models:write", True),
        ((), "models:read", False),
        ((), "", True),
        (("read",), "models:read", True),
        (("read",), "models:write", False),
        (("write",), "models:write", True),
        (("write",), "models:read", True),
        (("models:read",), "models:read", True),
        (("models:read",), "models:write", False),
        (("models:read",), "pools:read", False),
        (("models:write",), "models:read", True),
        (("models:write",), "models:write", True),
        (("models:write",), "pools:write", False),
        (("pools:read", "models:write"), "models:write", True),
        (("read",), "something-new:read", True),
        (("models:write",), "something-new:read", False),
    ],
)
def test_writing_includes_reading_and_a_noun_is_no_other(
    scopes: tuple[str, ...] | None, needed: str, is_enough: bool
) -> None:
    assert is_within(scopes, needed) == is_enough


def test_scopes_are_two_for_all_and_two_for_each_noun() -> None:
    assert SCOPES[:2] == ("read", "write")
    assert len(SCOPES) == len(set(SCOPES)) and len(SCOPES) % 2 == 0
