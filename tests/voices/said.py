"""What is asked and what is said, in words of no format: each voice and each caller puts it into those of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

WORDS = {0: "none", 1024: "minimal", 2048: "low", 8192: "medium", 24576: "high"}
"""Budgets of thoughts, in words."""


@dataclass(frozen=True, slots=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """By `url`, or as `data` in base64."""

    url: str = ""
    data: str = ""
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class Called:
    """`arguments` are JSON as they stand on the wire."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Result:
    """Of a call. Formats tell it by the id or by the name; a test does not have to know which."""

    id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    text: str
    signature: str = ""


Part = Words | Picture | Called | Result | Thought


@dataclass(frozen=True, slots=True)
class Turn:
    """`native` is an answer as the caller's own SDK returned it, to be sent back as it is."""

    is_model: bool
    parts: tuple[Part, ...] = ()
    native: Any = None


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """`choice` is auto, none, required or the name of a tool; empty and None are what was not said."""

    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    choice: str = ""
    parallel: bool | None = None
    stop: tuple[str, ...] = ()
    most: int | None = None
    effort: str = ""
    schema: dict[str, Any] | None = None
    is_stream: bool = False


class End(StrEnum):
    DONE = "done"
    LENGTH = "length"
    CALLS = "calls"
    STOP = "stop"
    FILTER = "filter"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Used:
    """`input` includes what was read from a cache, `output` what was thought."""

    input: int = 100
    cached: int = 40
    output: int = 30
    thought: int = 20


@dataclass(frozen=True, slots=True)
class Said:
    """An answer; in a stream, its texts and arguments come in `pieces`."""

    text: str = ""
    thought: Thought | None = None
    calls: tuple[Called, ...] = ()
    end: End = End.DONE
    used: Used | None = field(default_factory=Used)
    pieces: int = 3

    def cut(self, text: str) -> list[str]:
        size = max(1, -(-len(text) // self.pieces))
        return [text[start : start + size] for start in range(0, len(text), size)]


def interleaved(rows: Sequence[Sequence[Any]]) -> list[tuple[int, Any]]:
    """The first of each, then the second of each …; with the number of the row that each is of."""
    longest = max(map(len, rows), default=0)
    return [(number, row[place]) for place in range(longest) for number, row in enumerate(rows) if place < len(row)]


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def event(payload: Any, name: str = "") -> bytes:
    body = payload.encode() if isinstance(payload, str) else encoded(payload)
    return (f"event: {name}\n" if name else "").encode() + b"data: " + body + b"\n\n"


def raw(arguments: str) -> msgspec.Raw:
    return msgspec.Raw(arguments.encode())


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def exact(body: bytes | str) -> Any:
    """JSON whose numbers are as they are written, so that two are equal only to the digit."""
    return json.loads(body, parse_int=_number, parse_float=_number)


def _number(text: str) -> str:
    return f"#{text}"


def one_by_one(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Neighbouring turns of one side made one, and neighbouring texts of a model, for whether they come as one or
    several is each format's own affair.
    """
    found: list[Turn] = []
    for turn in turns:
        if found and found[-1].is_model == turn.is_model:
            found[-1] = Turn(turn.is_model, (*found[-1].parts, *turn.parts))
        elif turn.parts:
            found.append(turn)
    return tuple(Turn(True, _joined(turn.parts)) if turn.is_model else turn for turn in found)


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Words) and isinstance(last, Words):
            found[-1] = Words(last.text + part.text)
        elif part != Words(""):
            found.append(part)
    return tuple(found)
