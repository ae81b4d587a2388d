"""Log lines on standard output, as text or JSON. One event is one line, and no credential gets through."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from gateway.model.calls import CallRecord

LONGEST_FIELD = 1024
_CREDENTIAL = re.compile(r"\b(sk-|gwm-|gw-)[A-Za-z0-9_-]{8,}")
_LONGEST_NAMES = 300
_BEGINNINGS = ("sk-", "gwm-", "gw-")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Lines(logging.Formatter):
    """`record.fields`, a mapping given as `extra={"fields": ...}`, becomes part of the line."""

    def __init__(self, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        at = _moment(int(record.created * 1000))
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


class Batches(logging.StreamHandler[TextIO]):
    """Lines of calls wait a moment and are written together; a warning or worse takes all of them out at once.

    Nothing waits where no event loop runs, and what waits at the end of the program is written then.
    """

    SECONDS = 0.05

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: list[str | Callable[[], str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  # reason: as every handler, it tells on standard error and goes on
            self.handleError(record)
            return
        self.add(line, is_urgent=record.levelno >= logging.WARNING or _running_loop() is None)

    def add(self, line: str | Callable[[], str], *, is_urgent: bool = False) -> None:
        """A line, or what makes it when it is written: many are made one after the other in half the time."""
        self._waiting.append(line)
        if not is_urgent and len(self._waiting) > 1:
            return  # it goes with the one before it; to ask for the loop is a system call each time
        loop = None if is_urgent else _running_loop()
        if loop is None:
            self.flush()
        else:
            loop.call_later(self.SECONDS, self.flush)

    def flush(self) -> None:
        with self.lock or contextlib.nullcontext():
            waiting, self._waiting = self._waiting, []
            lines = [line if isinstance(line, str) else line() for line in waiting]
            try:
                if lines:
                    self.stream.write("\n".join(lines) + "\n")
                self.stream.flush()
            except (OSError, ValueError):
                pass  # nobody reads standard output any more


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _Call(msgspec.Struct):
    """The line of a call, under the id that the client got; never a body, a query or a key."""

    at: str
    id: str
    key: str
    model: str
    backend: str
    code: int
    tries: int
    ms: int
    error: str
    level: str = "info"
    logger: str = "gateway.access"
    message: str = "call"


class Calls:
    """Writes one line a call. It goes past `logging`, which takes longer than all the rest of a call's end."""

    def __init__(self, output: Batches, *, is_json: bool) -> None:
        self._output = output
        self._is_json = is_json

    def __call__(self, row: CallRecord) -> None:
        """Of a call that has just ended."""
        self._output.add(functools.partial(self._line, row))

    def _line(self, row: CallRecord) -> str:
        key, model, backend = _names(row.api_key_name, row.asked_model, row.backend)
        line = _Call(
            at=_moment(row.started_at + row.total_ms),
            id=row.id,
            key=key,
            model=model,
            backend=backend,
            code=row.code,
            tries=len(row.attempts),
            ms=row.total_ms,
            error=row.error_code,
        )
        return msgspec.json.encode(line).decode() if self._is_json else _as_text(line)


def _as_text(line: _Call) -> str:
    return (
        f"{line.at} {line.level} {line.message} id={line.id} key={line.key} model={line.model} backend={line.backend} "
        f"code={line.code} tries={line.tries} ms={line.ms} error={line.error}"
    )


def _moment(unix_ms: int) -> str:
    return f"{_second(unix_ms // 1000)}.{unix_ms % 1000:03d}Z"


@functools.lru_cache(8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _names(*texts: str) -> tuple[str, ...]:
    """What others named, cleaned; the same few come again and again."""
    return _short_names(texts) if sum(map(len, texts)) <= _LONGEST_NAMES else tuple(map(_clean, texts))


@functools.lru_cache(256)
def _short_names(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_clean, texts))


def configure(log_format: str) -> Calls:
    """Send every logger to standard output; libraries that log headers or each request are kept quiet. What writes
    the lines of calls.
    """
    # Nobody is shown where in the source a line was written, nor by which thread: they need not be looked up.
    logging._srcfile = None  # as the documentation of logging advises
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = Batches(sys.stdout)
    handler.setFormatter(Lines(log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("httpx", "httpcore", "aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return Calls(handler, is_json=log_format == "json")


def _clean(text: str, keep: int = LONGEST_FIELD) -> str:
    """One line, without terminal escapes and without credentials."""
    if len(text) <= keep and text.isprintable() and not any(word in text for word in _BEGINNINGS):
        return text  # nearly every one
    visible = _CONTROL.sub(lambda found: repr(found[0])[1:-1], text[: keep * 2])
    return _CREDENTIAL.sub(r"\1…", visible)[:keep]
