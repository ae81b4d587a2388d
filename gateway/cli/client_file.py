"""`client.env` in the data directory: the base URL and the first API key, for `try` and for shells (0600)."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class ClientFile(msgspec.Struct, frozen=True):
    """What a client needs: `base_url` ends in /v1."""

    base_url: str
    api_key: str


def path(data_dir: Path) -> Path:
    return data_dir / "client.env"


def write(data_dir: Path, client: ClientFile) -> None:
    """Replace the file in one step."""
    text = f"GATEWAY_BASE_URL={client.base_url}\nGATEWAY_API_KEY={client.api_key}\n"
    draft = data_dir / "client.env.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path(data_dir))


def read(data_dir: Path) -> ClientFile | None:
    """None where there is no such file, or no key in it."""
    try:
        lines = path(data_dir).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    key = fields.get("GATEWAY_API_KEY", "")
    return ClientFile(fields.get("GATEWAY_BASE_URL", ""), key) if key else None


def moved(data_dir: Path, base_url: str) -> None:
    """The gateway is reached elsewhere now; the key stays."""
    client = read(data_dir)
    if client and client.base_url != base_url:
        write(data_dir, ClientFile(base_url, client.api_key))
