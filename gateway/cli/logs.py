"""Log lines on standard output, as text or JSON. One event is one line, and no credential gets through."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec

LONGEST_FIELD = 1024
_CREDENTIAL = re.compile(r"\b(sk-|gwm-|gw-)[A-Za-z0-9_-]{8,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Lines(logging.Formatter):
    """`record.fields`, a mapping given as `extra={"fields": ...}`, becomes part of the line."""

    def __init__(self, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields: dict[str, object] = {
            str(name): _clean(value) if isinstance(value, str) else value
            for name, value in dict(getattr(record, "fields", {})).items()
        }
        message = _clean(record.getMessage())
        if record.exc_info:
            fields["trace"] = _clean(self.formatException(record.exc_info), keep=8 * LONGEST_FIELD)
        if self._is_json:
            line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": message}
            return msgspec.json.encode(line | fields, enc_hook=str).decode()
        return " ".join([at, record.levelname.lower(), message, *(f"{name}={text}" for name, text in fields.items())])


def configure(log_format: str) -> None:
    """Send every logger to standard output; libraries that log headers or each request are kept quiet."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Lines(log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("httpx", "httpcore", "aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _clean(text: str, keep: int = LONGEST_FIELD) -> str:
    """One line, without terminal escapes and without credentials."""
    visible = _CONTROL.sub(lambda found: repr(found[0])[1:-1], text[: keep * 2])
    return _CREDENTIAL.sub(r"\1…", visible)[:keep]
