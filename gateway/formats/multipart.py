"""Finding small fields in a multipart/form-data body while it passes: nothing of its files is kept or changed."""

from __future__ import annotations

import re

import msgspec

from gateway.errors import BadInput

_LONGEST_HEADERS = 8 * 1024
_LONGEST_VALUE = 1024
_NAME = re.compile(rb'content-disposition:\s*form-data;(?:[^\r\n]*;)?\s*name="([^"\r\n]*)"', re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)


class Span(msgspec.Struct, frozen=True):
    """A field's text, and from where to where in the body it stands."""

    text: str
    start: int
    end: int


def boundary_of(content_type: str) -> bytes:
    """Raises BadInput where a multipart content type names none."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadInput("The content-type multipart/form-data needs a boundary.", code="invalid_multipart")
    return (found.group(1) or found.group(2)).encode("latin-1", "replace")


class FieldScanner:
    """Takes a body in pieces and notes the fields of certain names; the first of each name counts."""

    def __init__(self, boundary: bytes, names: frozenset[str]) -> None:
        self.found: dict[str, Span] = {}
        self.is_over = False
        self._delimiter = b"\r\n--" + boundary
        self._names = names
        # A body begins with a delimiter whose line break is not there.
        self._buffer = bytearray(b"\r\n")
        self._offset = -2
        self._read = self._to_delimiter
        self._name = ""

    def feed(self, piece: bytes) -> None:
        """Raises BadInput where a part's headers or a wanted value are longer than such things are."""
        self._buffer += piece
        while not self.is_over and self._read():
            pass

    def _to_delimiter(self) -> bool:
        """Skip to what follows the next delimiter; False where more is needed."""
        at = self._buffer.find(self._delimiter)
        if at < 0:
            self._drop(max(0, len(self._buffer) - len(self._delimiter)))
            return False
        return self._begin_part(at)

    def _begin_part(self, at: int) -> bool:
        after = at + len(self._delimiter)
        if len(self._buffer) < after + 2:
            return False
        self.is_over = self._buffer[after : after + 2] == b"--"
        self._drop(after)
        self._read = self._to_value
        return True

    def _to_value(self) -> bool:
        at = self._buffer.find(b"\r\n\r\n")
        if at < 0:
            if len(self._buffer) > _LONGEST_HEADERS:
                raise BadInput("The headers of a part of the body are too long.", code="invalid_multipart")
            return False
        named = _NAME.search(bytes(self._buffer[:at]))
        self._name = named.group(1).decode("utf-8", "replace") if named else ""
        # The line break stays: where the value is empty, it is the delimiter's.
        self._drop(at + 2)
        self._read = self._to_end if self._name in self._names else self._to_delimiter
        return True

    def _to_end(self) -> bool:
        at = self._buffer.find(self._delimiter)
        if (at if at >= 0 else len(self._buffer)) > _LONGEST_VALUE + len(self._delimiter):
            raise BadInput(f"The field '{self._name}' is too long.", param=self._name)
        if at < 0:
            return False
        if len(self._buffer) < at + len(self._delimiter) + 2:
            return False
        start = min(2, at)
        text = bytes(self._buffer[start:at]).decode("utf-8", "replace")
        self.found.setdefault(self._name, Span(text, self._offset + start, self._offset + max(start, at)))
        return self._begin_part(at)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._offset += size
