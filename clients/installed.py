"""The programs of other people, installed into `.clients/` when their pinned versions change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".clients"
NODE = PLACE / "node"
PYTHON = PLACE / "python"
AIDER = PLACE / "aider"
_SECONDS = 900


def install() -> None:
    """All of them; what is there already in the pinned versions is left as it is."""
    if shutil.which("npm") is None:
        sys.exit("Most of these clients are programs for node: it needs node and npm.")
    _once(NODE, HERE / "package.json", _install_node)
    _once(PYTHON, HERE / "requirements.txt", _install_python)
    _once(AIDER, HERE / "requirements-aider.txt", _install_python)


def node_program(name: str) -> str:
    return str(NODE / "node_modules" / ".bin" / name)


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """A clean one: nothing of this machine's accounts, a home directory of its own, and no way out but loopback."""
    return {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        **more,
    }


def run(command: Sequence[str], cwd: Path, environ: Mapping[str, str], seconds: float) -> tuple[int, str, str]:
    """Exit code, output and errors; 124 where it was still running at the end."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            output, errors = process.communicate()
            return 124, output, errors
    return process.returncode, output, errors


def _once(place: Path, wanted: Path, make: Callable[[Path, Path], None]) -> None:
    stamp = place / ".installed"
    if stamp.exists() and stamp.read_text("utf-8") == wanted.read_text("utf-8"):
        return
    print(f"Installing {wanted.name} into {place.relative_to(HERE.parent)} …", flush=True)
    place.mkdir(parents=True, exist_ok=True)
    make(place, wanted)
    shutil.copy(wanted, stamp)


def _install_node(place: Path, wanted: Path) -> None:
    shutil.copy(wanted, place / "package.json")
    # Without a lock file: it would name the registry that this machine uses.
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    subprocess.run(words, cwd=place, check=True, timeout=_SECONDS)


def _install_python(place: Path, wanted: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True, timeout=_SECONDS)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(place / "bin/python")]
    subprocess.run([*uv, "-r", str(wanted)], check=True, timeout=_SECONDS)
