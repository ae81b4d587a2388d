"""Where a base URL leads: its origin, its `host:port`, and what kind of address that is. No look-ups."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from gateway.model.registry import BUILTIN_PATHS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_LOOKS_NUMERIC = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")
_URL_CHARACTERS = re.compile(r"[!-~]+")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_METADATA = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("fd00:ec2::254/128"),
)
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata"})


class BaseUrl(msgspec.Struct, frozen=True):
    """A checked base URL in its one spelling: lower-case scheme and host, no slash at the end.

    `host` is without brackets, `text` is the whole URL.
    """

    scheme: str
    host: str
    port: int
    text: str

    @property
    def host_port(self) -> str:
        """As `local_upstream` holds it; IPv6 in brackets, the port always there."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host_port}"

    @property
    def needs_local_switch(self) -> bool:
        """Whether an operator must say that this target is meant: it is unencrypted or plainly not public."""
        address = address_of(self.host)
        local_name = self.host == "localhost" or self.host.endswith((".localhost", ".local", ".internal"))
        return self.scheme == "http" or local_name or (address is not None and not is_public(address))

    @property
    def is_metadata(self) -> bool:
        """Whether it names a cloud's metadata service, which is never a provider."""
        address = address_of(self.host)
        return self.host in _METADATA_NAMES or (address is not None and is_metadata_address(address))


def parse_base_url(text: str) -> BaseUrl:
    """Raises ValueError saying what is wrong."""
    if not _URL_CHARACTERS.fullmatch(text) or "\\" in text:
        raise ValueError("must be a URL without spaces or special characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as https://api.example.com/v1") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("must begin with https:// or http:// and name a host")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("must not hold a user name, a query or a fragment")
    if port == 0:
        raise ValueError("must not name port 0")
    host = _checked_host(parts.hostname)
    shown_port = "" if port is None or port == _PORTS[parts.scheme] else f":{port}"
    path = parts.path.rstrip("/")
    return BaseUrl(
        parts.scheme,
        host,
        port or _PORTS[parts.scheme],
        f"{parts.scheme}://{_bracketed(host)}{shown_port}{path}",
    )


def origin_of(base_url: str) -> str:
    """`scheme://host:port` with the port always there. A built-in base URL is its own origin."""
    return base_url if base_url in BUILTIN_PATHS else parse_base_url(base_url).origin


def address_of(host: str) -> Address | None:
    """The IP address that `host` is written as, without brackets or zone; None where it is a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether the whole Internet would find this address in the same place, also where it wraps another one."""
    inner = _unwrapped(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def is_metadata_address(address: Address) -> bool:
    inner = _unwrapped(address)
    return any(inner in network for network in _METADATA)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 one: ipaddress calls some of those global."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def _checked_host(host: str) -> str:
    if "%" in host:
        raise ValueError("must not name a network interface")
    address = address_of(host)
    if address is not None:
        return str(address)
    # 127.1, 2130706433 and 0x7f000001 are addresses to a resolver although they do not look like one.
    if not _HOST.fullmatch(host) or _LOOKS_NUMERIC.fullmatch(host):
        raise ValueError("must name a host such as api.example.com, or a whole IP address")
    return host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
