"""What the first lines on the screen say: what was found, where to go, and a command that works."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.control.first_start import Detected


class Banner(msgspec.Struct, frozen=True):
    """`api_key` is set at the first start only, `setup_token` while nobody can sign in.

    `client_file` holds the base URL and the first key, where it is there.
    """

    base_url: str
    api_key: str | None
    setup_token: str | None
    found: Sequence[Detected]
    client_file: Path | None
    notices: Sequence[str] = ()

    @property
    def admin_url(self) -> str:
        return f"{self.base_url}/admin" + (f"/setup/{self.setup_token}" if self.setup_token else "")


def text(banner: Banner) -> str:
    """Lines for people; the last one can be pasted."""
    lines = [f"  {label:<7} {what}" for label, what in _rows(banner)]
    return "\n".join(["", *lines, ""])


def json(banner: Banner) -> str:
    """The same as one line of JSON."""
    line = {
        "event": "ready",
        "api": f"{banner.base_url}/v1",
        "api_key": banner.api_key,
        "admin": banner.admin_url,
        "found": [_found(one) for one in banner.found],
        "try": curl(banner),
        "notices": list(banner.notices),
    }
    return msgspec.json.encode(line).decode()


def curl(banner: Banner) -> str:
    """A complete command: with the key where it is known, else with client.env read by the shell."""
    key = f"'authorization: Bearer {banner.api_key}'" if banner.api_key else '"authorization: Bearer $GATEWAY_API_KEY"'
    body = '{"model":"demo/echo","messages":[{"role":"user","content":"Say hi"}]}'
    command = (
        f"curl -sS {shlex.quote(banner.base_url + '/v1/chat/completions')} -H {key} "
        f"-H 'content-type: application/json' -d '{body}'"
    )
    if banner.api_key or not banner.client_file:
        return command
    return f". {shlex.quote(str(banner.client_file))} && {command}"


def _rows(banner: Banner) -> list[tuple[str, str]]:
    found = " · ".join(_found(one) for one in banner.found)
    rows = [("found", found or "no provider keys, no local servers; the built-in demo answers")]
    key = f"   key {banner.api_key}   (shown once" if banner.api_key else ""
    kept = f"; kept in {banner.client_file})" if key and banner.client_file else ")" if key else ""
    rows.append(("API", f"{banner.base_url}/v1{key}{kept}"))
    rows.append(("Admin", banner.admin_url + ("   (one use, 15 min)" if banner.setup_token else "")))
    rows += [("note", notice) for notice in banner.notices]
    if banner.api_key or banner.client_file:
        rows.append(("try", curl(banner)))
    return rows if banner.found or banner.api_key else rows[1:]


def _found(one: Detected) -> str:
    if one.env_name:
        return f"{one.env_name} (env)"
    models = "1 model" if len(one.models) == 1 else f"{len(one.models)} models"
    return f"{one.label} {one.base_url.removesuffix('/v1')} ({models})"
