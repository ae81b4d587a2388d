"""The chain of the audit log: what is covered, and what is told where something was touched."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.model.audit import Chain, Entry, Head, Row, canonical, chained
from gateway.model.people import Actor

ENTRY = Entry(10, Actor("user", "u1", "ann", "192.0.2.7"), "create", "api_key", "k1", None, '{"name":"é"}', 3)


def rows_of(count: int, without_hash: int = 0) -> list[Row]:
    """As the log would hold them; the first ones from before rows had a hash."""
    chain, found = Chain(), []
    for seq in range(1, count + 1):
        digest = chained(chain.hash, seq, ENTRY)
        row = Row(seq, ENTRY, None if seq <= without_hash else digest)
        assert chain.fault_of(row) == ""
        found.append(row)
    return found


def fault_in(rows: list[Row]) -> str:
    chain = Chain()
    return next((fault for row in rows if (fault := chain.fault_of(row))), "")


def test_a_row_has_one_form_only() -> None:
    assert canonical(1, ENTRY) == (
        b'{"action":"create","actor_id":"u1","actor_kind":"user","actor_name":"ann","after":"{\\"name\\":\\"\\u00e9\\"}",'
        b'"at":10,"before":null,"config_version":3,"ip":"192.0.2.7","object_id":"k1","object_kind":"api_key","seq":1}'
    )


def test_a_hash_covers_the_one_before_and_the_row() -> None:
    assert chained(b"before", 1, ENTRY) == hashlib.sha256(b"before" + canonical(1, ENTRY)).digest()


def test_rows_as_they_were_written_fit() -> None:
    assert fault_in(rows_of(5)) == fault_in(rows_of(5, without_hash=3)) == fault_in(rows_of(3, without_hash=3)) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"at": 11},
        {"actor": Actor("user", "u1", "bob", "192.0.2.7")},
        {"actor": Actor("user", "u1", "ann", "192.0.2.8")},
        {"actor": Actor("token", "u1", "ann", "192.0.2.7")},
        {"action": "delete"},
        {"object_kind": "user"},
        {"object_id": "k2"},
        {"before": "{}"},
        {"after": None},
        {"config_version": 4},
    ],
    ids=str,
)
def test_any_column_that_was_changed_is_told_at_its_row(change: dict[str, Any]) -> None:
    rows = rows_of(5)
    rows[2] = replace(rows[2], entry=replace(ENTRY, **change))

    assert fault_in(rows).startswith("row 3 is not what was written")


def test_a_row_that_is_gone_put_elsewhere_or_without_its_hash_is_told() -> None:
    rows = rows_of(5)

    assert fault_in(rows[1:]).startswith("row 2 follows row 0")
    assert fault_in([*rows[:2], *rows[3:]]).startswith("row 4 follows row 2")
    swapped = [rows[0], replace(rows[2], seq=2), replace(rows[1], seq=3), *rows[3:]]
    assert fault_in(swapped).startswith("row 2 is not what was written")
    assert fault_in([*rows[:2], replace(rows[2], hash=None), *rows[3:]]).startswith("row 3 has no hash")


def test_rows_from_before_there_were_hashes_are_covered_by_the_first_one() -> None:
    rows = rows_of(5, without_hash=3)
    rows[1] = replace(rows[1], entry=replace(ENTRY, action="delete"))

    assert fault_in(rows).startswith("row 4 is not what was written, or a row before it")


def test_a_head_is_written_as_its_number_and_hash() -> None:
    assert str(Head(7, b"\xab" * 32)) == "7:" + "ab" * 32
