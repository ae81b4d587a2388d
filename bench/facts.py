"""What a run was made with, in words that name no machine: versions, cores, memory, the state of the sources."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench import peers

_LIBRARIES = ("uvicorn", "starlette", "httptools", "httpx", "msgspec")


def of(tree: Path, names: Sequence[str], share: float) -> dict[str, object]:
    """`versions` are of the peers that take part, as they are installed; `share` of the usual requests was sent."""
    found = peers.versions(names)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _git(tree, "rev-parse", "--short", "HEAD") + ("+" if _git(tree, "status", "--porcelain") else ""),
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "versions": found,
        "share": share,
    }


def _git(tree: Path, *words: str) -> str:
    """Empty where the sources are not under git."""
    done = subprocess.run(["git", *words], cwd=tree, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
