"""Where an endpoint's calls go on their way out: its own path, and its outbound proxy, whose password is sealed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.control.fields import Values
from gateway.errors import InvalidFields
from gateway.vault import Vault, proxy_binding

_PATH = re.compile(r"(/(?:[A-Za-z0-9._~!$&'()*+,;=:@%-]|\{model\}|\{action\})+)+(\?[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")


def checked_path(values: Values) -> Values:
    """`values`, whose `custom_path` is empty or a path, maybe with a query. Raises InvalidFields."""
    path = values.get("custom_path", "")
    if path and (not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.partition("?")[0].split("/"))):
        raise InvalidFields(
            {"custom_path": "must be a path such as /deployments/{model}/chat/completions?api-version=1, without #"}
        )
    return values


def sealed_proxy(vault: Vault, endpoint_id: str, values: Values) -> Values:
    """`values` with the two columns of a proxy in place of `proxy`, where that was sent."""
    if "proxy" not in values:
        return values
    url = values["proxy"]
    rest = {name: value for name, value in values.items() if name != "proxy"}
    sealed = vault.seal(url, proxy_binding(endpoint_id)) if url else None
    return {**rest, "proxy_sealed": sealed, "proxy_shown": shown_proxy(url)}


def shown_proxy(url: str) -> str:
    """The proxy's address without its credentials."""
    if not url:
        return ""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port}"
