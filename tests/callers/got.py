"""What a client got, in words of no format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tests.voices.said import Called, Question, Used


@dataclass(frozen=True, slots=True)
class Got:
    """`end` is the format's own word. `native` is the answer as the SDK would have it sent back."""

    text: str
    thought: str
    calls: tuple[Called, ...]
    end: str
    used: Used | None
    headers: Mapping[str, str]
    native: Any


class Caller(Protocol):
    """An official SDK as a client of the gateway."""

    async def ask(self, model: str, question: Question, **more: Any) -> Got:
        """Raises the SDK's own error. `more` are fields that its method takes."""
        ...

    async def close(self) -> None: ...
