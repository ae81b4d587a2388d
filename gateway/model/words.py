"""Words that stand for one of a few things, as they are written down."""

from __future__ import annotations

from enum import StrEnum


class Word(StrEnum):
    """Looked at by every call, so without the functions of Python's that an enumeration asks for its hash and value.

    It is hashed as the text that it is; `text` is that text itself.
    """

    text: str

    def __init__(self, word: str) -> None:
        self.text = word

    __hash__ = str.__hash__
