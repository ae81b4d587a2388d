"""Programs of other people that a run needs, installed into `.bench/` by their registries' ordinary clients.

What is there already in the wanted version is left as it is. Raises Missing where something cannot be had here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.processes import ROOT

PLACE = ROOT / ".bench"
_SECONDS = 900


class Missing(Exception):
    """Why a program is not to be had on this machine."""


def from_pypi(name: str, requirement: str) -> Path:
    """The directory of programs of an environment of its own."""

    def make(place: Path) -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(place)], place)
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(place / "bin/python")]
        _run([*uv, requirement], place)

    return once(PLACE / name, requirement, make) / "bin"


def from_npm(name: str, package: dict[str, object]) -> Path:
    """The directory of installed modules. `package` is what package.json says."""

    def make(place: Path) -> None:
        for needed in ("node", "npm"):
            if shutil.which(needed) is None:
                raise Missing(f"needs {needed}")
        (place / "package.json").write_text(json.dumps(package), "utf-8")
        # Without a lock file: it would name the registry that this machine uses.
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        _run(["npm", "install", *quiet], place)

    return once(PLACE / name, json.dumps(package), make) / "node_modules"


def from_debian(name: str) -> str:
    """The path of a program that Debian has; installed for the whole machine where we may."""
    found = shutil.which(name)
    if found:
        return found
    if os.geteuid() or not shutil.which("apt-get"):
        raise Missing(f"install {name} first, as in: sudo apt-get install {name}")
    _run(["apt-get", "update", "-qq"], ROOT)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", name], ROOT, quiet)
    return shutil.which(name) or f"/usr/sbin/{name}"


def version_of(modules: Path, name: str) -> str:
    """What a package in a directory of modules says of itself."""
    return str(json.loads((modules / name / "package.json").read_text("utf-8"))["version"])


def once(place: Path, wanted: str, make: Callable[[Path], None]) -> Path:
    """The place, made anew where it does not hold what is wanted."""
    stamp = place / ".installed"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return place
    print(f"Installing {place.name} …", file=sys.stderr)
    place.mkdir(parents=True, exist_ok=True)
    make(place)
    stamp.write_text(wanted, "utf-8")
    return place


def _run(command: list[str], place: Path, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=place, env={**os.environ, **(env or {})}, timeout=_SECONDS, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]} took longer than {_SECONDS} s") from None
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-200:]}")
