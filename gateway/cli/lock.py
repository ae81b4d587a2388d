"""One process per data directory: the lock, and what its holder wrote into it.

The lock is the operating system's (flock), so it is gone with its process, however that ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.errors import ConfigurationFault, DataDirectoryInUse

_NAME = "gateway.lock"
_TRIES = 3


class Holder(msgspec.Struct, frozen=True):
    """Who works on a data directory. `url` is empty where nothing is served (yet)."""

    pid: int
    url: str


class Lock(msgspec.Struct, frozen=True):
    _descriptor: int

    def announce(self, url: str) -> None:
        """Write down that this process serves `url`."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, msgspec.json.encode(Holder(os.getpid(), url)), 0)


@contextlib.contextmanager
def hold(data_dir: Path) -> Iterator[Lock]:
    """Have the data directory alone, made 0700 where it is missing. Raises DataDirectoryInUse naming the pid."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationFault([f"--data-dir {data_dir}: cannot be used ({error.strerror})"]) from None
    try:
        _take(descriptor, data_dir)
        lock = Lock(descriptor)
        lock.announce("")
        yield lock
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(data_dir: Path) -> Holder | None:
    """Who has the data directory now; None where nobody does."""
    try:
        descriptor = os.open(data_dir / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int, data_dir: Path) -> None:
    # More than once: somebody may just be looking who holds it.
    for _ in range(_TRIES):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            return
        time.sleep(0.05)
    who = _read(descriptor)
    serving = f", which serves {who.url}" if who.url else ""
    raise DataDirectoryInUse(
        f"{data_dir} is in use by process {who.pid or 'unknown'}{serving}. "
        "Stop that one first, or choose another directory with --data-dir."
    )


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    except msgspec.MsgspecError:
        return Holder(0, "")
