"""Who may come in, and what a form must prove. Every route is walked, so that a new one is not forgotten."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from urllib.parse import urlencode

import pytest
from starlette.routing import Route

from gateway.admin.pages import HEADERS
from gateway.admin.routes import PAGES, routes
from gateway.control import route_rules
from tests.admin.browsing import FORM, Operator, visitor
from tests.harness import OPERATOR, RunningGateway

pytestmark = pytest.mark.anyio

PUBLIC = {"/admin/login", "/admin/setup/{token}", "/static/{name:path}", "/admin/{rest:path}", "/home/{rest:path}"}
CHANGES = [(method, path, door) for method, path, door in PAGES if method != "GET"]


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "0123456789abcdef", path)


def content(gateway: RunningGateway) -> str:
    """A hash of everything in the database but the audit log, where refusals are written down."""
    with sqlite3.connect(f"file:{gateway.desk.settings.database}?mode=ro", uri=True) as db:
        rows = [row for row in db.iterdump() if not row.startswith('INSERT INTO "audit"')]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


async def test_every_route_says_who_may_come_in(gateway: RunningGateway) -> None:
    for route in routes(gateway.desk):
        assert isinstance(route, Route)
        policy = getattr(route.endpoint, "policy", None)
        assert policy in ("public", "person", "session"), route.path
        assert (policy == "public") == (route.path in PUBLIC), route.path


async def test_without_a_session_pages_ask_to_sign_in_and_forms_do_nothing(guest: Operator) -> None:
    before = content(guest.gateway)

    for method, path, door in PAGES:
        if door.policy != "public":
            got = await guest.client.request(method, filled(path), headers=FORM if method == "POST" else {})
            assert got.status_code == (303 if method == "GET" else 401), path
            assert method != "GET" or got.headers["location"].startswith("/admin/login?next=")

    assert content(guest.gateway) == before


async def test_a_session_that_is_made_up_is_none(guest: Operator) -> None:
    for value in ("x", "0" * 43, "' OR 1=1 --", "a" * 4000, "\u00e9"):
        got = await guest.client.get("/admin", headers={"cookie": f"gw_session={value}".encode()})
        assert got.status_code == 303


REFUSED: list[tuple[str, dict[str, str], dict[str, str] | None]] = [
    ("no token", FORM, {}),
    ("a wrong token", FORM, {"csrf": "0" * 64}),
    ("an empty token", FORM, {"csrf": ""}),
    ("a foreign origin", {**FORM, "origin": "https://evil.test"}, None),
    ("our name on another port", {**FORM, "origin": "http://127.0.0.1:1"}, None),
    ("another site, says the browser", {**FORM, "sec-fetch-site": "cross-site"}, None),
    ("a neighbour, says the browser", {**FORM, "sec-fetch-site": "same-site"}, None),
    ("text that looks like a form", {"content-type": "text/plain"}, None),
    ("JSON", {"content-type": "application/json"}, None),
    ("no content type", {}, None),
    ("htmx alone is no proof", {**FORM, "hx-request": "true"}, {}),
]
"""Why, the headers, and the body; None is one with the right token."""


async def test_every_form_is_refused_that_does_not_prove_where_it_comes_from(operator: Operator) -> None:
    right = {"csrf": await operator.csrf()}
    before = content(operator.gateway)

    for why, headers, body in REFUSED:
        for _, path, door in CHANGES:
            if door.policy != "public":
                sent = urlencode(right if body is None else body)
                got = await operator.client.post(filled(path), content=sent, headers=headers)
                assert got.status_code == 403, (why, path)

    assert content(operator.gateway) == before


async def test_a_guest_cannot_use_a_form_without_its_token_either(guest: Operator) -> None:
    for path in ("/admin/login", f"/admin/setup/{guest.gateway.setup_token}"):
        got = await guest.client.post(path, data={"username": "admin", "password": "correct horse battery 9"})
        assert got.status_code == 403


async def test_the_token_of_one_session_is_not_good_for_another(operator: Operator) -> None:
    other = visitor(operator.gateway)
    async with other.client:
        await other.sign_in()
        got = await operator.client.post("/admin/keys/new", data={"csrf": await other.csrf(), "name": "x"})

    assert got.status_code == 403


@pytest.mark.parametrize("headers", [{"origin": "null"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}])
async def test_our_own_forms_are_taken_as_browsers_send_them(operator: Operator, headers: dict[str, str]) -> None:
    form = {"csrf": await operator.csrf(), "name": "mine", "models": "all"}

    got = await operator.client.post("/admin/keys/new", data=form, headers={**headers})

    assert got.status_code == 200


async def test_looking_at_pages_changes_nothing(operator: Operator) -> None:
    desk = operator.gateway.desk
    registry = desk.snapshot().registry
    rule = await route_rules.create(desk, OPERATOR, {"route_type": "GLOBAL", "model_id": "demo/echo"})
    ids = {"/keys/": registry.api_keys[0].id, "/models/{": registry.models[0].id, "/route-rules/": rule.id}
    ids |= {"/mappings/": registry.mappings[0].id, "/providers/": registry.providers[0].id}
    backend = next(iter(desk.snapshot().backends))
    before = content(operator.gateway)

    for method, path, _ in PAGES:
        if method == "GET":
            of = next((one for part, one in ids.items() if part in path), backend)
            got = await operator.get(path.replace("{id}", of).replace("{token}", "x"))
            assert got.status_code in (200, 303, 404, 410), path

    assert content(operator.gateway) == before


async def test_a_form_may_not_be_huge(operator: Operator) -> None:
    body = f"csrf={await operator.csrf()}&name=" + "x" * (1024 * 1024)

    got = await operator.client.post("/admin/keys/new", content=body, headers=FORM)

    assert got.status_code == 413


async def test_a_form_may_not_have_hundreds_of_fields(operator: Operator) -> None:
    body = f"csrf={await operator.csrf()}" + "&x=1" * 300

    got = await operator.client.post("/admin/keys/new", content=body, headers=FORM)

    assert got.status_code == 400


async def test_an_unknown_address_is_a_page_that_says_so(operator: Operator) -> None:
    csrf = f"csrf={await operator.csrf()}"

    for path in ("/admin/nothing", "/admin/", "/admin/keys/a/b/c", "/admin/%2e%2e/v1"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            got = await operator.client.request(method, path, headers=FORM, content=csrf)
            assert got.status_code == 404, (method, path)
            assert "There is nothing here" in got.text


async def test_a_method_that_a_page_does_not_have_is_refused(operator: Operator) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        got = await operator.client.request(method, "/admin/keys")
        assert got.status_code in (403, 404, 405)


async def test_every_answer_of_the_site_keeps_browsers_strict(operator: Operator) -> None:
    answers = [
        await operator.get(path)
        for path in ("/admin", "/admin/keys", "/admin/nothing", "/admin/requests/req_x", "/admin/setup/x")
    ]
    answers.append(await operator.client.post("/admin/keys/new", content="x"))
    answers.append(await operator.submit("/admin/keys/new", name=""))
    guest = visitor(operator.gateway)
    async with guest.client:
        answers += [await guest.get("/admin"), await guest.get("/admin/login"), await guest.sign_in("wrong wrong 12")]

    assert sorted({answer.status_code for answer in answers}) == [200, 303, 401, 403, 404, 410, 422]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers


async def test_the_policy_names_no_way_around_itself() -> None:
    policy = HEADERS["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'")
    assert not re.search(r"unsafe|\*|http:|https:|blob:", policy)
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy.split("; "))


async def test_an_error_for_a_script_is_a_toast_and_nothing_else(operator: Operator) -> None:
    got = await operator.client.post(
        "/admin/backends/nope/enable", data={"csrf": await operator.csrf()}, headers={"hx-request": "true"}
    )

    assert got.status_code == 404
    assert got.text.count("<hx-partial") == 1
    assert "<html" not in got.text
