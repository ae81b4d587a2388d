"""SQLite does not count its memory. It holds for a whole process, so each test has one of its own."""

from __future__ import annotations

import subprocess
import sys

_BEFORE = """
import _sqlite3, ctypes, sqlite3
from gateway.store.uncounted import count_no_memory
used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
"""


def said(script: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", _BEFORE + script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_what_is_opened_afterwards_works_and_is_not_counted() -> None:
    assert said("""
print(count_no_memory())
db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE t (word TEXT)")
db.executemany("INSERT INTO t VALUES (?)", [("a",), ("b",)])
print(*(word for word, in db.execute("SELECT word FROM t")), used())
""") == ["True", "a", "b", "0"]


def test_nothing_happens_while_a_connection_is_open() -> None:
    assert said("""
db = sqlite3.connect(":memory:")
print(count_no_memory(), used() > 0, *db.execute("SELECT 7").fetchone())
""") == ["False", "True", "7"]


def test_to_say_it_again_is_harmless_whatever_is_open() -> None:
    assert said("""
print(count_no_memory(), count_no_memory())
db = sqlite3.connect(":memory:")
print(count_no_memory(), *db.execute("SELECT 7").fetchone())
""") == ["True", "True", "True", "7"]
