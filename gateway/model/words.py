"""Words that stand for one of a few things, as they are written down."""

from __future__ import annotations

from enum import StrEnum


class Word(StrEnum):
    """Hashed as the text that it is: an enumeration's own hash is a function of Python's, asked at every look-up."""

    __hash__ = str.__hash__
