"""What the program is told at its start: flags before environment before defaults, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """`secrets` holds the environment's provider keys by name; nothing else reads the environment.

    `allowed_hosts` are host names (without port) that a request may name beside IP addresses and localhost.
    `trusted_proxies` are networks whose X-Forwarded-For and -Proto are believed.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    root_path: str = ""
    log_format: str = "text"
    detect: bool = True
    master_key_file: Path | None = None
    admin_password_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    grace_seconds: float = 30.0
    call_deadline_seconds: float = 600.0
    max_body_bytes: int = 32 * 1024 * 1024
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def database(self) -> Path:
        return self.data_dir / "gateway.db"

    @property
    def base_url(self) -> str:
        """Where this gateway is reached from the same machine, without a trailing slash."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104  # shown, not bound
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"http://{host}:{self.port}{self.root_path}"
