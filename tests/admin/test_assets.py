"""Static files: the vendored ones are what they say, all are small, and only they can be had."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import tomllib

import pytest

from gateway import resources
from gateway.admin.assets import load_assets
from tests.harness import RunningGateway

VENDOR = resources.STATIC / "vendor"
TEMPLATES = "\n".join(path.read_text() for path in resources.TEMPLATES.rglob("*.html"))
CSS = (resources.STATIC / "app.css").read_text()

TRAVERSALS = [
    "../schema.sql",
    "..%2fschema.sql",
    "%2e%2e/schema.sql",
    "%2e%2e%2fschema.sql",
    "..\\schema.sql",
    "..%5cschema.sql",
    "....//schema.sql",
    "..;/schema.sql",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "app.css/../../schema.sql",
    "vendor/../app.css",
    "vendor/../../templates/base.html",
    "vendor",
    "vendor/",
    "",
    ".",
    "..",
    "app.css%00",
    "app.css%00.js",
    "app.css/",
    "APP.CSS",
    "app.css%20",
    "./app.css",
    "vendor/README.md",
    "vendor/vendor.toml",
    "vendor/LICENSES/htmx.txt",
    "file:///etc/passwd",
    "%c0%ae%c0%ae/schema.sql",
    "%252e%252e%252fschema.sql",
    "\u2025/schema.sql",
]


def files() -> list[dict[str, str]]:
    found: list[dict[str, str]] = tomllib.loads((VENDOR / "vendor.toml").read_text())["file"]
    return found


@pytest.mark.parametrize("entry", files(), ids=lambda entry: entry["name"])
def test_a_vendored_file_is_the_one_that_was_chosen(entry: dict[str, str]) -> None:
    body = (VENDOR / entry["path"]).read_bytes()

    assert hashlib.sha256(body).hexdigest() == entry["sha256"]
    assert entry["version"] in entry["path"]
    assert (VENDOR / entry["licence_file"]).read_text().strip()


def test_nothing_is_vendored_without_an_entry() -> None:
    there = {path.name for path in VENDOR.iterdir() if path.is_file()}

    assert there == {entry["path"] for entry in files()} | {"README.md", "vendor.toml"}


def test_all_scripts_together_are_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in resources.STATIC.rglob("*.js")}

    assert sizes["app.js"] <= 4096
    assert sum(sizes.values()) <= 20 * 1024


def test_our_script_evaluates_no_text() -> None:
    script = (resources.STATIC / "app.js").read_text()

    assert not re.search(r"\beval\b|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)
    assert not re.search(r"setTimeout\(\s*[\"'`]|setInterval\(\s*[\"'`]", script)


def test_every_icon_that_a_page_uses_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'id="([a-z-]+)"', (VENDOR / "lucide-1.62.0.svg").read_text()))
    used = set(re.findall(r'icon\("([a-z-]+)"', TEMPLATES)) | set(
        re.findall(r'\("\w+", "/[^"]*", "([a-z-]+)"', TEMPLATES)
    )

    assert used
    assert used <= sprite


def test_styles_fetch_nothing_from_elsewhere() -> None:
    assert not re.search(r"@import|https?:|//[a-z]", CSS)
    assert re.findall(r'url\("([^"]+)"\)', CSS) == ["vendor/inter-5.3.0-latin.woff2"]


def test_a_misspelt_asset_fails_where_it_is_named() -> None:
    with pytest.raises(KeyError):
        load_assets("").url("app.cs")


@pytest.mark.anyio
async def test_an_asset_named_by_its_hash_is_kept_for_a_year(gateway: RunningGateway) -> None:
    got = await gateway.client.get(load_assets("").url("app.css"))

    assert got.status_code == 200
    assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert got.headers["content-type"] == "text/css; charset=utf-8"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-encoding"] == "gzip"
    assert got.text == CSS


@pytest.mark.anyio
async def test_an_asset_is_sent_plain_to_clients_that_want_it_so(gateway: RunningGateway) -> None:
    got = await gateway.client.get("/static/app.js", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in got.headers
    assert got.content == (resources.STATIC / "app.js").read_bytes()


@pytest.mark.anyio
async def test_an_asset_without_its_hash_is_asked_for_again_and_not_sent_twice(gateway: RunningGateway) -> None:
    first = await gateway.client.get("/static/app.css")
    again = await gateway.client.get("/static/app.css", headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.anyio
async def test_nothing_but_assets_can_be_had(gateway: RunningGateway) -> None:
    # Over a bare socket: HTTP clients tidy such paths up before they send them.
    host, port = gateway.url.removeprefix("http://").split(":")
    for path in TRAVERSALS:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /static/" + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()

        assert answer.split(b" ")[1] in (b"404", b"400"), path
        assert b"CREATE TABLE" not in answer
        assert b"root:" not in answer
