"""Fields of a multipart body, found while it passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats.multipart import FieldScanner, Span, boundary_of

WANTED = frozenset({"model", "stream"})
BOUNDARY = b"x7Kq"


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--x7Kq\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


FILE = part(
    "file", b'\x00\xffRIFF\r\n--x7K almost \r\n\r\nname="model"' * 50, '; filename="a.wav"\r\nContent-Type: audio/wav'
)
END = b"--x7Kq--\r\n"


def scanned(body: bytes, *cuts: int) -> FieldScanner:
    scanner = FieldScanner(BOUNDARY, WANTED)
    ends = sorted(cut % (len(body) + 1) for cut in cuts)
    for start, end in zip([0, *ends], [*ends, len(body)], strict=True):
        scanner.feed(body[start:end])
    return scanner


@pytest.mark.parametrize(
    "body",
    [
        part("model", b"whisper-1") + FILE + END,
        FILE + part("model", b"whisper-1") + END,
        part("a", b"") + FILE + part("model", b"whisper-1") + part("model", b"another") + END,
        b"a preamble\r\n" + part("model", b"whisper-1") + END,
    ],
)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_a_field_is_found_wherever_it_stands_and_however_the_body_is_cut(body: bytes, cuts: list[int]) -> None:
    found = scanned(body, *cuts).found["model"]
    assert found.text == "whisper-1"
    assert body[found.start : found.end] == b"whisper-1"


def test_several_fields_are_found() -> None:
    scanner = scanned(part("stream", b"true") + FILE + part("model", "wé".encode()) + END)
    assert {name: span.text for name, span in scanner.found.items()} == {"stream": "true", "model": "wé"}
    assert scanner.is_over


def test_an_empty_value_is_a_value() -> None:
    body = part("model", b"") + END
    found = scanned(body).found["model"]
    assert found.text == ""
    assert found.start == found.end


def test_a_file_of_the_same_name_as_a_field_of_another_is_no_matter() -> None:
    assert scanned(part("models", b"x") + part("xmodel", b"y") + END).found == {}


def test_a_value_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadInput, match="too long"):
        scanned(part("model", b"m" * 5000) + END)


def test_headers_without_an_end_are_refused() -> None:
    with pytest.raises(BadInput, match="too long"):
        scanned(b"--x7Kq\r\n" + b"x" * 10_000)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_no_body_raises_anything_but_a_bad_input(body: bytes, cuts: list[int]) -> None:
    try:
        found = scanned(b"--x7Kq\r\n" + body, *cuts).found
    except BadInput:
        return
    assert all(isinstance(span, Span) for span in found.values())


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk; x=y", b"----WebKitFormBoundary7MA4YWxk"),
    ],
)
def test_the_boundary_is_read_from_the_content_type(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


def test_a_content_type_without_a_boundary_is_refused() -> None:
    with pytest.raises(BadInput, match="boundary"):
        boundary_of("multipart/form-data")
