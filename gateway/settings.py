"""What the program is told at its start: flags before environment before defaults, read once."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import ConfigurationFault
from gateway.hiding import hiding

_PROVIDER_SECRET = re.compile(r"(?!GATEWAY_)[A-Z][A-Z0-9_]*_(API_KEY|KEY|TOKEN|SECRET)")
_BASE_URL = re.compile(r"(?!GATEWAY_)[A-Z][A-Z0-9_]*_BASE_URL")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_CREDENTIAL = "gateway-master-key"
# What client.env holds: for clients in the same shell, nothing to the server.
_FOR_CLIENTS = frozenset({"GATEWAY_BASE_URL", "GATEWAY_API_KEY"})


class Settings(msgspec.Struct, frozen=True):
    """`secrets` holds the environment's provider keys by name, `base_urls` what goes with them (OPENAI_BASE_URL).

    Nothing else reads the environment.

    `allowed_hosts` are host names (without port) that a request may name beside IP addresses and localhost.
    `trusted_proxies` are networks whose X-Forwarded-For and -Proto are believed.
    `master_key` is set where the key itself came in the environment; it is written nowhere.
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
    secrets: Mapping[str, str] = msgspec.field(default_factory=dict)
    base_urls: Mapping[str, str] = msgspec.field(default_factory=dict)
    master_key: bytes | None = None

    __repr__ = hiding("secrets", "master_key")

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


class Option(msgspec.Struct, frozen=True):
    """One setting: the field it fills, how its text is read, and how people are told about it.

    `parse` raises ValueError saying what the text must be.
    """

    name: str
    parse: Callable[[str], object]
    default: str
    sentence: str

    @property
    def variable(self) -> str:
        return f"GATEWAY_{self.name.upper()}"

    @property
    def flag(self) -> str:
        return "--no-detect" if self.name == "detect" else f"--{self.name.replace('_', '-')}"


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not low <= float(text) <= high:
            raise ValueError(f"must be seconds from {low:g} to {high:g}")
        return float(text)

    return parse


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _host(text: str) -> str:
    if not text or re.search(r"[\s/@#?]", text):
        raise ValueError("must be an address to listen on, such as 127.0.0.1")
    return text.strip("[]")


def _root_path(text: str) -> str:
    if text.strip("/") and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?", text):
        raise ValueError("must be a path such as /gateway")
    return text.rstrip("/")


def _log_format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("must be text or json")
    return text


def _switch(text: str) -> bool:
    switches = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False}
    found = (switches | {"off": False}).get(text.lower())
    if found is None:
        raise ValueError("must be true or false")
    return found


def _host_names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise ValueError(f"must be host names without scheme and port, separated by commas; {name!r} is none")
    return names


def _networks(text: str) -> tuple[str, ...]:
    networks = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            network = ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ValueError(f"must be networks such as 10.0.0.0/8, separated by commas; {part!r} is none") from None
        if network.prefixlen == 0:
            raise ValueError(f"{part} would believe everybody; name the proxies")
        networks.append(str(network))
    return tuple(networks)


OPTIONS: tuple[Option, ...] = (
    Option("host", _host, "127.0.0.1", "Address to listen on. Another than loopback needs an admin password."),
    Option("port", _number(0, 65535), "8080", "Port to listen on; 0 takes a free one."),
    Option("data_dir", _path, "~/.local/share/gateway", "Database, master key and lock (XDG_DATA_HOME counts)."),
    Option("root_path", _root_path, "", "Path under which a reverse proxy serves this, such as /gateway."),
    Option("log_format", _log_format, "text, or json where stdout is no terminal", "text or json."),
    Option("detect", _switch, "true", "At the first start look for provider keys and local servers."),
    Option("master_key_file", _path, "<data dir>/master.key", "File with the key that seals provider keys."),
    Option("admin_password_file", _path, "", "File whose first line becomes the password of the user admin."),
    Option("allowed_hosts", _host_names, "", "Host names by which clients may reach this, with commas."),
    Option("trusted_proxies", _networks, "", "Networks of proxies whose X-Forwarded headers are believed."),
    Option("grace_seconds", _seconds(0, 3600), "30", "How long calls may go on after a stop was asked for."),
    Option("call_deadline_seconds", _seconds(1, 86400), "600", "How long a call may take with all its attempts."),
    Option("max_body_bytes", _number(1024, 1 << 30), "33554432", "Largest request body."),
)


def read_settings(flags: Mapping[str, object], environ: MutableMapping[str, str] | None = None) -> Settings:
    """Settings from `flags` (by field name; None is not given), then the environment, then defaults.

    Each `GATEWAY_NAME` may come as `GATEWAY_NAME_FILE`, a file that holds the value. GATEWAY_MASTER_KEY, the
    key itself, is taken out of the environment. Raises ConfigurationFault with every fault there is.
    """
    environ = os.environ if environ is None else environ
    faults: list[str] = []
    values: dict[str, Any] = {"log_format": "text" if sys.stdout.isatty() else "json"}
    for option in OPTIONS:
        source, text = _given(option, flags, environ, faults)
        if text is not None:
            try:
                values[option.name] = option.parse(text)
            except ValueError as error:
                faults.append(f"{source}: {error}")
    master_key = _master_key(environ, faults)
    faults += _unknown(environ)
    if faults:
        raise ConfigurationFault(faults)
    if "data_dir" not in values:
        home = environ.get("XDG_DATA_HOME") or "~/.local/share"
        values["data_dir"] = _path(home) / "gateway"
    if master_key is None and "master_key_file" not in values:
        credential = Path(environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent") / _CREDENTIAL
        values |= {"master_key_file": credential} if credential.is_file() else {}
    return Settings(
        secrets={name: text for name, text in environ.items() if text and _PROVIDER_SECRET.fullmatch(name)},
        base_urls={name: text for name, text in environ.items() if text and _BASE_URL.fullmatch(name)},
        master_key=master_key,
        **values,
    )


def settings_table() -> str:
    """The table of README.md, in Markdown."""
    rows = ["| flag | variable | default | what it does |", "| --- | --- | --- | --- |"]
    for option in OPTIONS:
        default = f"`{option.default}`" if option.default and " " not in option.default else option.default or "none"
        rows.append(f"| `{option.flag}` | `{option.variable}` | {default} | {option.sentence} |")
    return "\n".join(rows)


def _given(
    option: Option, flags: Mapping[str, object], environ: Mapping[str, str], faults: list[str]
) -> tuple[str, str | None]:
    """Where the option was given and its text; None where it was not."""
    flagged = flags.get(option.name)
    if flagged is not None:
        return option.flag, str(flagged)
    by_file = f"{option.variable}_FILE"
    if by_file not in environ:
        return option.variable, environ.get(option.variable)
    if option.variable in environ:
        faults.append(f"{by_file}: {option.variable} is set too; keep one")
    try:
        return by_file, Path(environ[by_file]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{by_file}: cannot be read ({error})")
        return by_file, None


def _master_key(environ: MutableMapping[str, str], faults: list[str]) -> bytes | None:
    """The key from the environment, which forgets it: children and diagnostics must not find it there."""
    text = environ.pop("GATEWAY_MASTER_KEY", None)
    if text is None:
        return None
    if "GATEWAY_MASTER_KEY_FILE" in environ:
        faults.append("GATEWAY_MASTER_KEY: GATEWAY_MASTER_KEY_FILE is set too; keep one")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        faults.append("GATEWAY_MASTER_KEY: must be 64 hexadecimal digits")
        return None
    return bytes.fromhex(text.strip())


def _unknown(environ: Mapping[str, str]) -> list[str]:
    """A fault for each GATEWAY_ variable that means nothing: a typo must not pass for a setting."""
    known = {option.variable for option in OPTIONS}
    files = {f"{name}_FILE" for name in known if not name.endswith("_FILE")}
    faults = []
    for name in sorted(environ):
        if name.startswith("GATEWAY_") and name not in known | files | _FOR_CLIENTS:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            faults.append(f"{name}: is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return faults
