"""What came of a tool, in Gemini an object: `output` or `error` hold it where it is text."""

from __future__ import annotations

import msgspec

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.members import is_text, object_at, text_at

_OUTPUTS = ("output", "result")
_ERROR = "error"
_KEYS = frozenset({*_OUTPUTS, _ERROR})


def read_response(response: msgspec.Raw, place: str) -> tuple[str, bool]:
    """The text, and whether it tells an error. An object that holds more than one text is that text itself."""
    fields = object_at(response, place).fields
    if len(fields) == 1:
        ((name, value),) = fields.items()
        if name in _KEYS and is_text(value):
            return text_at(value, f"{place}.{name}"), name == _ERROR
    return bytes(response).decode("utf-8", "replace"), False


def write_response(text: str, *, is_error: bool) -> msgspec.Raw:
    """Text that is an object stays that object, unless it would be taken for one of those around a text."""
    if not is_error and (found := object_text(text)) is not None and not _is_wrapper(found):
        return found
    return bodies.raw({_ERROR if is_error else _OUTPUTS[0]: text})


def object_text(text: str) -> msgspec.Raw | None:
    """The JSON object that the text is, as it came but on one line; None where it is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        body = text.encode()
        bodies.parse_object(body)
    except ValueError:  # half of a surrogate pair
        return None
    except BadInput:
        return None
    # A line end in JSON stands between its tokens only, and would end a line of a stream.
    return msgspec.Raw(body.strip().replace(b"\r", b" ").replace(b"\n", b" "))


def _is_wrapper(found: msgspec.Raw) -> bool:
    fields = object_at(found, "response").fields
    return len(fields) == 1 and all(name in _KEYS and is_text(value) for name, value in fields.items())
