"""What metering reads of answers, whatever their format: the pieces that every format's own reading is made of."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from gateway.formats import body as bodies
from gateway.model.calls import Usage, UsageSource

_MOST_COUNTED = 10**12
_CHARACTERS_PER_TOKEN = 4


class Tap(Protocol):
    """Reads along a stream of events without changing them.

    `has_output`: something real came (not only a start frame, a ping or a comment). `is_finished`: the answer said
    that it is complete. `error` is the message of an error event. `characters` of text came so far. `usage` is the
    newest that was told, each token counted once. `answer_id` is what the provider calls the answer, where it can be
    asked for it again. `said` is the text that the last event was about, where it was about that alone: no usage, no
    beginning or end, no second text; empty else.
    """

    has_output: bool
    is_finished: bool
    error: str
    characters: int
    said: str

    @property
    def usage(self) -> Usage | None: ...

    @property
    def answer_id(self) -> str: ...

    def read(self, event: bytes) -> bool:
        """Take note of one whole event; True where it only tells the usage that a client need not see."""
        ...


class AnswerFacts(msgspec.Struct, frozen=True):
    """What a whole answer says: `fault` is why it is not one, empty where it is. `characters` of text are in it; where
    its usage is told, they need not have been counted.

    `is_pending`: it is only promised, and there when it is asked for later. `lost` names what translation left out.
    `answer_id` as a Tap's.
    """

    fault: str
    usage: Usage | None
    characters: int
    is_pending: bool = False
    lost: tuple[str, ...] = ()
    answer_id: str = ""


def estimated(asked: int, answered: int) -> Usage:
    """Four characters a token, rounded up: what is written down where the provider gave no usage."""
    return Usage(
        input=-(-asked // _CHARACTERS_PER_TOKEN),
        output=-(-answered // _CHARACTERS_PER_TOKEN),
        source=UsageSource.ESTIMATED,
    )


def covering(usage: Usage, characters: int) -> Usage:
    """`usage` of a stream of which `characters` of text came: an estimate has at least the output that they make."""
    if usage.source is not UsageSource.ESTIMATED:
        return usage
    return replace(usage, output=max(usage.output, estimated(0, characters).output))


def count(value: Any) -> int:
    """A number of tokens as a provider tells it; 0 for anything that cannot be one."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= _MOST_COUNTED else 0


def members(value: Any) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def message_of(body: bytes) -> str:
    """What a provider's error body says, in any format; empty where it says nothing that can be read."""
    found = bodies.decode_any(body)
    if isinstance(found, list) and found:  # Gemini wraps the error of a stream that is an array
        found = found[0]
    return error_message(found.get("error", found)) if isinstance(found, dict) else ""


def error_message(error: Any) -> str:
    """The words of a provider's error, whatever its shape; at most 500 characters."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("error") or error.get("detail") or error.get("code")
        if isinstance(error, dict):
            error = error.get("message")
    return error[:500] if isinstance(error, str) else ""


_NOT_TEXT = frozenset(
    {
        *("image_url", "input_audio", "file", "data", "id", "type", "role", "audio", "encrypted", "file_data"),
        *("signature", "encrypted_content", "inlineData", "inline_data", "thoughtSignature", "source", "tool_use_id"),
        *("call_id", "tool_call_id", "cache_control", "status", "media_type", "mime_type", "mimeType"),
    }
)


def characters(value: Any) -> int:
    """Characters of the text in a message, a delta or a list of them; pictures and sound do not count."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(characters(item) for item in value)
    if isinstance(value, dict):
        return sum(characters(item) for name, item in value.items() if name not in _NOT_TEXT)
    return 0
