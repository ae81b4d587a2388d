"""SQLite is told not to count the memory that it uses."""

from __future__ import annotations

import _sqlite3
import ctypes
from ctypes import c_int, c_longlong, c_void_p

_CONFIG_MEMSTATUS = 9
"""A number of sqlite3_config(), the same in every release."""


def count_no_memory() -> bool:
    """Whether it does not. To be called before other threads begin; while anything is open, nothing happens.

    Else SQLite takes a lock of the whole process, and counts, for each piece of memory that it takes or gives back: one
    for every text that is written. Nobody asks for the sum. It listens only before it is started, which Python does; so
    it is stopped and started anew. Where its functions cannot be reached, it stays as it is.
    """
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        stop, tell, start = library.sqlite3_shutdown, library.sqlite3_config, library.sqlite3_initialize
        used, take, give = library.sqlite3_memory_used, library.sqlite3_malloc, library.sqlite3_free
    except AttributeError:
        return False
    used.restype, take.restype, give.argtypes, tell.argtypes = c_longlong, c_void_p, [c_void_p], [c_int]
    before = used()
    piece = take(1)
    is_counted = used() > 0
    give(piece)
    if before or not is_counted:
        return not is_counted
    stop()
    is_told: bool = tell(_CONFIG_MEMSTATUS, 0) == 0
    start()
    return is_told
