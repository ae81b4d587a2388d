"""A value's `repr`, which goes into logs."""

from __future__ import annotations

import msgspec

from gateway.hiding import hiding


class Letter(msgspec.Struct, frozen=True):
    to: str
    text: str
    pages: int = 1

    __repr__ = hiding("text")


def test_what_is_hidden_is_not_shown_and_all_else_is() -> None:
    assert repr(Letter("you", "a secret")) == "Letter(to='you', pages=1)"


def test_a_value_within_a_value_hides_the_same() -> None:
    class Envelope(msgspec.Struct):
        letter: Letter

    assert "a secret" not in repr(Envelope(Letter("you", "a secret")))


def test_hiding_changes_nothing_else() -> None:
    assert Letter("you", "one") != Letter("you", "two")
    assert msgspec.structs.replace(Letter("you", "one"), text="two") == Letter("you", "two")
