"""Log lines on standard output, as text or JSON. One event is one line, and no credential gets through."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import re
import sys
import traceback
from collections.abc import Callable, Generator
from datetime import UTC, datetime

import msgspec

from gateway.cli.output import Output, writing
from gateway.model.calls import CallRecord

LONGEST_FIELD = 1024
_CREDENTIAL = re.compile(r"\b(sk-|gwm-|gw-)[A-Za-z0-9_-]{8,}")
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

    def whole(self, record: logging.LogRecord) -> bytes:
        """Never raises: who says something is not to blame for how it is written."""
        try:
            return self.format(record).encode("utf-8", "backslashreplace")
        except Exception as error:  # noqa: BLE001  # reason: another line says so
            return self.instead(error)

    def call(self, row: CallRecord) -> bytes:
        """Of a call that has ended. Not by way of `format`, which takes longer than all the rest of a call's end."""
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
        return _as_json(line) if self._is_json else _as_text(line).encode("utf-8", "backslashreplace")

    def instead(self, error: Exception) -> bytes:
        """For a line that could not be made: where that failed, and nothing of what it was made from."""
        *_, (frame, number) = traceback.walk_tb(error.__traceback__)
        where = f"{frame.f_code.co_qualname}:{number}"
        return self.told("a line could not be written", error=type(error).__name__, where=where)

    def told(self, message: str, **fields: object) -> bytes:
        """A warning of the log's own."""
        of_us = {"name": "gateway.logs", "levelno": logging.WARNING, "levelname": "WARNING"}
        return self.format(logging.makeLogRecord({**of_us, "msg": message, "fields": fields})).encode()


class Batches(logging.Handler):
    """Lines of calls wait a moment and are written together; a warning or worse takes all of them out at once.

    Nothing waits where no event loop runs. `write` gets whole lines, and how many they are.
    """

    SECONDS = 0.05

    def __init__(self, write: Callable[[bytes, int], None], lines: Lines) -> None:
        super().__init__()
        self._write = write
        self._lines = lines
        self._waiting: list[bytes | CallRecord] = []

    def tell(self, row: CallRecord) -> None:
        """Of a call that has just ended; its line is made when it is written, in half the time."""
        self._waiting.append(row)
        if len(self._waiting) == 1:  # any other goes with the one before it
            self._flush_soon()

    def emit(self, record: logging.LogRecord) -> None:
        self._waiting.append(self._lines.whole(record))
        if record.levelno >= logging.WARNING:
            self.flush()
        else:
            self._flush_soon()

    def _flush_soon(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            loop.call_later(self.SECONDS, self.flush)

    def flush(self) -> None:
        with self.lock or contextlib.nullcontext():
            waiting = self._waiting.copy()
            del self._waiting[: len(waiting)]  # not those that another thread adds meanwhile
            lines = []
            for line in waiting:
                try:
                    lines.append(line if isinstance(line, bytes) else self._lines.call(line))
                except Exception as error:  # noqa: BLE001  # reason: whatever is wrong with it, the others are written
                    lines.append(self._lines.instead(error))
            if lines:
                lines.append(b"")
                self._write(b"\n".join(lines), len(waiting))


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


_as_json: Callable[[_Call], bytes] = msgspec.json.Encoder().encode


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


def _names(key: str, model: str, backend: str) -> tuple[str, str, str]:
    """What others named, cleaned. Nearly always nothing is to be done, which one look at all of it tells."""
    together = f"{key} {model} {backend}"
    if len(together) <= LONGEST_FIELD and _is_clean(together):
        return key, model, backend
    return _clean(key), _clean(model), _clean(backend)


class Log(msgspec.Struct, frozen=True):
    """`tell` writes the line of a call; `output` takes what is no line of the log, such as the first words."""

    tell: Callable[[CallRecord], None]
    output: Output


@contextlib.contextmanager
def configured(log_format: str) -> Generator[Log]:
    """While open, every logger's lines go to standard output, and nobody waits for its reader.

    Libraries that log headers or each request are kept quiet.
    """
    # Nobody is shown where in the source a line was written, nor by which thread: they need not be looked up.
    logging._srcfile = None  # as the documentation of logging advises
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    lines = Lines(log_format == "json")

    def loss(lost: int) -> bytes:
        return lines.told("standard output was not read: lines were dropped", lines=lost)

    with writing(sys.stdout, loss) as output:
        handler = Batches(output.put, lines)
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        for name in ("httpx", "httpcore", "aiosqlite", "asyncio"):
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        try:
            yield Log(handler.tell, output)
        finally:
            handler.flush()
            root.removeHandler(handler)


def _clean(text: str, keep: int = LONGEST_FIELD) -> str:
    """One line, without terminal escapes and without credentials."""
    if len(text) <= keep and _is_clean(text):
        return text  # nearly every one
    visible = _CONTROL.sub(lambda found: repr(found[0])[1:-1], text[: keep * 2])
    return _CREDENTIAL.sub(r"\1…", visible)[:keep]


def _is_clean(text: str) -> bool:
    return text.isprintable() and not ("sk-" in text or "gwm-" in text or "gw-" in text)
