"""One request of a browser, understood: where it may go next, what its cookies are called, what its form may hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from gateway.admin import visits
from gateway.admin.routes import PAGES
from gateway.admin.visits import (
    FLASHES,
    FORM_TYPE,
    MOST_FORM_BYTES,
    MOST_FORM_FIELDS,
    Visit,
    cookie_name,
    is_loopback,
    keep_cookie,
    keep_flash,
    read_form,
    require_same_site,
    safe_next,
)
from gateway.control.sessions import Client
from gateway.errors import BadInput, Forbidden, GatewayError, NotAuthenticated, TooLarge


def request(*, scheme: str = "http", method: str = "POST", body: Sequence[bytes] = (), **headers: str) -> Request:
    """As the front hands it on. Names of headers have underscores here."""
    pieces = list(body)
    headers = {"host": "127.0.0.1:8080", **headers}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": pieces.pop(0) if pieces else b"", "more_body": bool(pieces)}

    scope = {
        "type": "http",
        "method": method,
        "scheme": scheme,
        "path": "/admin/keys",
        "query_string": b"range=24h&x=%2F",
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    return Request(scope, receive)


def visit(**options: str) -> Visit:
    return Visit(request(**options), Client("127.0.0.1", "a browser"), "", "")  # type: ignore[arg-type]


async def form(*body: bytes, kind: str = FORM_TYPE) -> dict[str, str]:
    return dict(await read_form(request(body=body, content_type=kind)))


@given(st.one_of(st.text(), st.text("/\\.@:?#%;&=\t\r\n\x00 aeadmin", max_size=30).map(lambda text: f"/admin{text}")))
def test_what_follows_signing_in_is_a_page_of_ours_whatever_is_asked(wanted: str) -> None:
    found = safe_next(wanted)

    assert found in (wanted, "/admin")
    assert re.match(r"/admin(?![^/?])", found)
    assert not re.search(r"//|\\|\.\./|[\x00-\x20\x7f#@]", found.partition("?")[0])


def test_every_page_that_one_may_ask_for_is_one_that_there_is() -> None:
    pages = {path for method, path, door in PAGES if method == "GET" and door.policy != "public"}
    files = {path for path in pages if "{format}" in path}

    for path in pages - files - {"/admin/setup/first-call/waiting"}:
        filled = path.replace("{id}", "end1:key1")
        assert safe_next(filled) == filled


LOOPBACK = [
    "localhost",
    "localhost:8080",
    "LOCALHOST",
    "gateway.localhost:1",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]:8080",
]
ELSEWHERE = ["", "example.com", "192.0.2.1:8080", "localhost.evil.test", "127.0.0.1.evil.test", "[::2]", "127.0.0.1:x"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_plain_http_on_this_machine_has_a_cookie_that_a_browser_keeps(host: str) -> None:
    assert is_loopback(request(host=host))
    assert cookie_name(request(host=host), "gw") == "gw_session"
    assert visit(host=host).can_keep_cookies


@pytest.mark.parametrize("host", ELSEWHERE)
def test_elsewhere_the_cookie_needs_encryption(host: str) -> None:
    assert not is_loopback(request(host=host))
    assert cookie_name(request(host=host), "gw") == "__Host-gw"
    assert not visit(host=host).can_keep_cookies


@pytest.mark.parametrize("host", [*LOOPBACK, *ELSEWHERE])
def test_over_https_the_cookie_is_bound_to_its_host(host: str) -> None:
    response = Response()
    keep_cookie(response, visit(scheme="https", host=host), "gw", "value")

    assert response.headers["set-cookie"] == "__Host-gw=value; HttpOnly; Path=/; SameSite=strict; Secure"


def test_on_this_machine_the_cookie_is_strict_as_well() -> None:
    response = Response()
    keep_cookie(response, visit(), "gw", "value")

    assert response.headers["set-cookie"] == "gw_session=value; HttpOnly; Path=/; SameSite=strict"


OURS: list[dict[str, str]] = [
    {},
    {"sec_fetch_site": "same-origin"},
    {"sec_fetch_site": "none"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8080"},
    {"origin": "https://127.0.0.1:8080"},
    {"origin": "null", "sec_fetch_site": "same-origin"},
]
THEIRS: list[dict[str, str]] = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": ""},
    {"sec_fetch_site": "SAME-ORIGIN"},
    {"origin": ""},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://127.0.0.1:8081"},
    {"origin": "http://evil.test"},
    {"origin": "http://127.0.0.1:8080.evil.test"},
    {"origin": "http://evil.test/127.0.0.1:8080"},
    {"origin": "http://127.0.0.1:8080@evil.test"},
    {"origin": "127.0.0.1:8080"},
    {"origin": "http://127.0.0.1:8080", "sec_fetch_site": "cross-site"},
    {"origin": "http://evil.test", "sec_fetch_site": "same-origin"},
]


@pytest.mark.parametrize("headers", OURS, ids=str)
def test_a_form_from_our_own_page_is_taken(headers: dict[str, str]) -> None:
    require_same_site(request(**headers))  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", THEIRS, ids=str)
def test_a_form_that_another_site_sent_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        require_same_site(request(**headers))  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_form_has_the_last_value_of_each_field_and_empty_ones_too() -> None:
    sent = "a=1&a=2&b=&c=x+y%26%C3%BC&d"

    assert await form(sent.encode()) == {"a": "2", "b": "", "c": "x y&ü", "d": ""}


@pytest.mark.anyio
async def test_a_form_in_pieces_is_the_same_form() -> None:
    sent = urlencode({"name": "ü" * 50, "x": "1"}).encode()

    assert await form(*[sent[start : start + 3] for start in range(0, len(sent), 3)]) == await form(sent)


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"\xff\xfe=%ff", b"%", b"&&&", b"=", b"", b"a=%00", b"\xc3\xbc=1"])
async def test_bytes_that_are_no_text_are_never_a_fault_of_ours(body: bytes) -> None:
    for name, value in (await form(body)).items():
        (name + value).encode("utf-8")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "multipart/form-data; boundary=x", FORM_TYPE[:-1]]
)
async def test_only_forms_are_read(kind: str) -> None:
    with pytest.raises(Forbidden):
        await form(b"a=1", kind=kind)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [FORM_TYPE.upper(), f"{FORM_TYPE}; charset=utf-8", f" {FORM_TYPE} "])
async def test_a_form_is_one_however_its_type_is_spelt(kind: str) -> None:
    assert await form(b"a=1", kind=kind) == {"a": "1"}


SIZES: list[tuple[bytes, type[GatewayError] | None]] = [
    (b"a=" + b"x" * (MOST_FORM_BYTES - 2), None),
    (b"a=" + b"x" * (MOST_FORM_BYTES - 1), TooLarge),
    (b"&".join([b"a=1"] * MOST_FORM_FIELDS), None),
    (b"&".join([b"a=1"] * (MOST_FORM_FIELDS + 1)), BadInput),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("body", "refusal"), SIZES, ids=["bytes", "a byte more", "fields", "a field more"])
async def test_a_form_ends_at_its_bounds(body: bytes, refusal: type[GatewayError] | None) -> None:
    if refusal is None:
        assert list(await form(body)) == ["a"]
    else:
        with pytest.raises(refusal):
            await form(body)


def test_a_flash_is_one_of_the_table_and_never_words() -> None:
    for code in FLASHES:
        assert re.fullmatch("[a-z_]+", code)
        keep_flash(Response(), code)
    for words in ("", "Saved.", "<b>x</b>", "PROVIDER_ADDED", "provider_added; Path=/x"):
        with pytest.raises(ValueError):
            keep_flash(Response(), words)


@pytest.mark.parametrize("value", ["nope", "Saved.", "<script>", "", "provider_added%20"])
def test_a_made_up_flash_cookie_shows_nothing(value: str) -> None:
    assert visit(cookie=f"gw_flash={value}").flash is None


def test_every_flash_is_used_and_every_used_one_is_there() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in Path(visits.__file__).parent.glob("*.py"))
    used = set(re.findall(r'site\.go\([^)]*?,\s*"(\w+)"\)', sources))

    assert used == set(FLASHES)


@pytest.mark.parametrize(("value", "theme"), [("dark", "dark"), ("light", "light"), ("neon", "auto"), ("", "auto")])
def test_a_theme_is_one_that_there_is(value: str, theme: str) -> None:
    assert visit(cookie=f"gw_theme={value}").theme == theme


def test_an_address_is_path_and_query_as_they_came() -> None:
    assert (visit().address, visit(scheme="https").origin) == ("/admin/keys?range=24h&x=%2F", "https://127.0.0.1:8080")


def test_nobody_is_signed_in_without_a_session() -> None:
    with pytest.raises(NotAuthenticated):
        assert visit().signed_in
    with pytest.raises(NotAuthenticated):
        assert visit().actor


@pytest.mark.parametrize(("method", "is_change"), [("GET", False), ("HEAD", False), ("POST", True), ("DELETE", True)])
def test_whatever_is_not_looking_is_a_change(method: str, is_change: bool) -> None:
    assert visit(method=method).is_change == is_change
