"""Room for large bytes, and the copying and searching of them, by the C library and without Python's lock.

Whatever Python itself does with twenty megabytes keeps all other threads waiting for some milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterator

import msgspec

_MAPPED = 4 * 1024 * 1024
"""Bytes from which memory is a mapping of its own; cli/memory.py sees to that."""


class _Held(ctypes.Structure):
    """Py_buffer of Python's stable ABI: where an object has its bytes."""

    _fields_ = (
        ("start", ctypes.c_void_p),
        ("owner", ctypes.c_void_p),
        ("size", ctypes.c_ssize_t),
        ("item_size", ctypes.c_ssize_t),
        ("is_read_only", ctypes.c_int),
        ("dimensions", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_PYTHON, _SYSTEM = ctypes.PyDLL(None), ctypes.CDLL(None)
_PYTHON.PyByteArray_FromStringAndSize.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)
_PYTHON.PyByteArray_FromStringAndSize.restype = ctypes.py_object
_PYTHON.PyObject_GetBuffer.argtypes = (ctypes.py_object, ctypes.POINTER(_Held), ctypes.c_int)
_PYTHON.PyBuffer_Release.argtypes = (ctypes.POINTER(_Held),)
_PYTHON.PyBuffer_Release.restype = None
_SYSTEM.memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
_SYSTEM.memmem.restype = ctypes.c_void_p
_SYSTEM.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

Large = bytes | bytearray | msgspec.Raw


def room(size: int) -> bytearray:
    """Bytes that are still to be written, every one of them: whatever was there before is in them.

    They are not touched, and so take no memory yet; where the system can, it gives it in steps of 2 MiB then.
    """
    made: bytearray = _PYTHON.PyByteArray_FromStringAndSize(None, size)
    if size >= _MAPPED and hasattr(mmap, "MADV_HUGEPAGE"):
        with _held(made) as held:
            start = -(-held.start // mmap.PAGESIZE) * mmap.PAGESIZE
            _SYSTEM.madvise(start, (held.start + size - start) // mmap.PAGESIZE * mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
    return made


def put(whole: bytearray, at: int, part: Large) -> int:
    """As `whole[at : at + len(part)] = part`, and where that ends. Raises ValueError where it does not fit."""
    end = at + len(part)
    if end > len(whole):
        raise ValueError("there is no room for it")
    with _held(whole) as there, _held(part) as here:
        ctypes.memmove(there.start + at, here.start, here.size)
    return end


def has(text: Large, word: bytes) -> bool:
    """As `word in text`."""
    with _held(text) as held:
        return _SYSTEM.memmem(held.start, held.size, word, len(word)) is not None


@contextlib.contextmanager
def _held(one: Large) -> Iterator[_Held]:
    """Where its bytes are. Until the end they stay there, and nobody can make it shorter or longer."""
    held = _Held()
    _PYTHON.PyObject_GetBuffer(one, held, 0)
    try:
        yield held
    finally:
        _PYTHON.PyBuffer_Release(held)
