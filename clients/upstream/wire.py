"""What a stream is made of, in every format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; a string is sent as it is."""

    content: Mapping[str, Any] | str
    name: str = ""

    def encoded(self) -> bytes:
        text = self.content if isinstance(self.content, str) else json.dumps(self.content, ensure_ascii=False)
        return (f"event: {self.name}\n" if self.name else "").encode() + f"data: {text}\n\n".encode()
