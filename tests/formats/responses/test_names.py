"""Tools in a group have one name for formats that know no groups, and get their group back in answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.responses.names import flat, split

NAMES = st.text("abcxyz0189_", min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_a_group_and_a_name_come_back(namespace: str, name: str) -> None:
    assert split(flat(namespace, name)) == (namespace, name)


@given(st.text("abc_-", max_size=10).filter(lambda name: "_-_" not in name))
def test_a_name_without_a_group_stays(name: str) -> None:
    assert flat("", name) == name
    assert split(name) == ("", name)


@pytest.mark.parametrize("name", ["_-_", "_-_x", "x_-_"])
def test_a_mark_alone_is_no_group(name: str) -> None:
    assert split(name) == ("", name)


def test_the_name_of_codex_s_own_servers_fits() -> None:
    assert split(flat("mcp__files__", "read")) == ("mcp__files__", "read")
