"""Who may see and do what, page by page: strangers, people, people with what is not theirs, administrators.

A new page needs a row here: who may use it is a decision. Operations of the JSON API have theirs in
tests/api/test_scopes.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from gateway.admin.routes import PAGES
from gateway.api.operations import Operation
from gateway.api.routes import all_operations
from gateway.control import api_keys, users
from tests.admin.browsing import FORM, PASSWORD, Operator, visitor
from tests.harness import OPERATOR, RunningGateway

pytestmark = pytest.mark.anyio

ANYBODY, PERSON, ADMIN = "anybody", "person", "admin"

MAY = {
    ("GET", "/admin"): ADMIN,
    ("GET", "/admin/login"): ANYBODY,
    ("POST", "/admin/login"): ANYBODY,
    ("POST", "/admin/logout"): PERSON,
    ("POST", "/admin/theme"): PERSON,
    ("GET", "/home"): PERSON,
    ("GET", "/home/keys/new"): PERSON,
    ("POST", "/home/keys/new"): PERSON,
    ("GET", "/home/keys/{id}"): PERSON,
    ("POST", "/home/keys/{id}"): PERSON,
    ("POST", "/home/keys/{id}/enable"): PERSON,
    ("POST", "/home/keys/{id}/disable"): PERSON,
    ("POST", "/home/keys/{id}/rotate"): PERSON,
    ("GET", "/home/keys/{id}/delete"): PERSON,
    ("POST", "/home/keys/{id}/delete"): PERSON,
    ("GET", "/home/announcements"): PERSON,
    ("POST", "/home/announcements/{id}/read"): PERSON,
    ("GET", "/home/models"): PERSON,
    ("GET", "/home/status"): PERSON,
    ("GET", "/home/audit"): PERSON,
    ("POST", "/admin/account/profile"): PERSON,
    ("GET", "/admin/account"): PERSON,
    ("POST", "/admin/account"): PERSON,
    ("POST", "/admin/account/sign-out-everywhere"): PERSON,
    ("POST", "/admin/account/sessions/{session}/end"): PERSON,
    ("GET", "/admin/setup/provider"): ADMIN,
    ("POST", "/admin/setup/provider"): ADMIN,
    ("GET", "/admin/setup/first-call"): ADMIN,
    ("POST", "/admin/setup/first-call"): ADMIN,
    ("GET", "/admin/setup/first-call/waiting"): ADMIN,
    ("GET", "/admin/setup/{token}"): ANYBODY,
    ("POST", "/admin/setup/{token}"): ANYBODY,
    ("GET", "/admin/providers"): ADMIN,
    ("GET", "/admin/providers/new"): ADMIN,
    ("POST", "/admin/providers/new"): ADMIN,
    ("GET", "/admin/backends/{id}"): ADMIN,
    ("POST", "/admin/backends/{id}"): ADMIN,
    ("POST", "/admin/backends/{id}/enable"): ADMIN,
    ("POST", "/admin/backends/{id}/disable"): ADMIN,
    ("POST", "/admin/backends/{id}/clear"): ADMIN,
    ("POST", "/admin/backends/{id}/test"): ADMIN,
    ("GET", "/admin/backends/{id}/delete"): ADMIN,
    ("POST", "/admin/backends/{id}/delete"): ADMIN,
    ("GET", "/admin/provider-keys/order"): ADMIN,
    ("POST", "/admin/provider-keys/order"): ADMIN,
    ("GET", "/admin/provider-keys/paste"): ADMIN,
    ("POST", "/admin/provider-keys/paste"): ADMIN,
    ("GET", "/admin/provider-keys/{id}"): ADMIN,
    ("POST", "/admin/provider-keys/{id}"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/move"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/place"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/rotate"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/reveal"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/enable"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/disable"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/forget-learned"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/fix-learned"): ADMIN,
    ("GET", "/admin/provider-keys/{id}/delete"): ADMIN,
    ("POST", "/admin/provider-keys/{id}/delete"): ADMIN,
    ("GET", "/admin/state"): ADMIN,
    ("POST", "/admin/state/refill"): ADMIN,
    ("POST", "/admin/state/backends/{id}/clear"): ADMIN,
    ("POST", "/admin/state/endpoints/{id}/clear"): ADMIN,
    ("POST", "/admin/state/keys/{id}/forget"): ADMIN,
    ("GET", "/admin/providers/{id}"): ADMIN,
    ("POST", "/admin/providers/{id}"): ADMIN,
    ("POST", "/admin/providers/{id}/enable"): ADMIN,
    ("POST", "/admin/providers/{id}/disable"): ADMIN,
    ("POST", "/admin/providers/{id}/reset-quota"): ADMIN,
    ("GET", "/admin/providers/{id}/delete"): ADMIN,
    ("POST", "/admin/providers/{id}/delete"): ADMIN,
    ("GET", "/admin/providers/{id}/endpoints/new"): ADMIN,
    ("POST", "/admin/providers/{id}/endpoints/new"): ADMIN,
    ("GET", "/admin/endpoints/{id}"): ADMIN,
    ("POST", "/admin/endpoints/{id}"): ADMIN,
    ("GET", "/admin/endpoints/{id}/delete"): ADMIN,
    ("POST", "/admin/endpoints/{id}/delete"): ADMIN,
    ("GET", "/admin/pools/new"): ADMIN,
    ("POST", "/admin/pools/new"): ADMIN,
    ("GET", "/admin/pools/{id}"): ADMIN,
    ("POST", "/admin/pools/{id}"): ADMIN,
    ("GET", "/admin/pools/{id}/delete"): ADMIN,
    ("POST", "/admin/pools/{id}/delete"): ADMIN,
    ("GET", "/admin/providers/{id}/models"): ADMIN,
    ("POST", "/admin/providers/{id}/models/attach"): ADMIN,
    ("POST", "/admin/providers/{id}/models/detach"): ADMIN,
    ("POST", "/admin/providers/{id}/models/refresh"): ADMIN,
    ("GET", "/admin/models"): ADMIN,
    ("GET", "/admin/models/new"): ADMIN,
    ("POST", "/admin/models/new"): ADMIN,
    ("GET", "/admin/models/{id}"): ADMIN,
    ("POST", "/admin/models/{id}"): ADMIN,
    ("POST", "/admin/models/{id}/status"): ADMIN,
    ("POST", "/admin/models/{id}/check"): ADMIN,
    ("POST", "/admin/models/{id}/test"): ADMIN,
    ("POST", "/admin/models/{id}/mappings"): ADMIN,
    ("GET", "/admin/models/{id}/delete"): ADMIN,
    ("POST", "/admin/models/{id}/delete"): ADMIN,
    ("GET", "/admin/mappings/{id}"): ADMIN,
    ("POST", "/admin/mappings/{id}"): ADMIN,
    ("GET", "/admin/mappings/{id}/delete"): ADMIN,
    ("POST", "/admin/mappings/{id}/delete"): ADMIN,
    ("GET", "/admin/prices"): ADMIN,
    ("POST", "/admin/prices/{id}"): ADMIN,
    ("POST", "/admin/prices/{id}/clear"): ADMIN,
    ("GET", "/admin/route-rules"): ADMIN,
    ("GET", "/admin/route-rules/new"): ADMIN,
    ("POST", "/admin/route-rules/new"): ADMIN,
    ("GET", "/admin/route-rules/{id}"): ADMIN,
    ("POST", "/admin/route-rules/{id}"): ADMIN,
    ("POST", "/admin/route-rules/{id}/move"): ADMIN,
    ("POST", "/admin/route-rules/{id}/place"): ADMIN,
    ("POST", "/admin/route-rules/{id}/enable"): ADMIN,
    ("POST", "/admin/route-rules/{id}/disable"): ADMIN,
    ("GET", "/admin/route-rules/{id}/delete"): ADMIN,
    ("POST", "/admin/route-rules/{id}/delete"): ADMIN,
    ("GET", "/admin/keys"): ADMIN,
    ("GET", "/admin/keys/new"): ADMIN,
    ("POST", "/admin/keys/new"): ADMIN,
    ("GET", "/admin/keys/{id}"): ADMIN,
    ("POST", "/admin/keys/{id}"): ADMIN,
    ("POST", "/admin/keys/{id}/enable"): ADMIN,
    ("POST", "/admin/keys/{id}/disable"): ADMIN,
    ("POST", "/admin/keys/{id}/rotate"): ADMIN,
    ("POST", "/admin/keys/{id}/top-up"): ADMIN,
    ("POST", "/admin/keys/{id}/close-balance"): ADMIN,
    ("GET", "/admin/keys/{id}/delete"): ADMIN,
    ("POST", "/admin/keys/{id}/delete"): ADMIN,
    ("GET", "/admin/usage"): ADMIN,
    ("GET", "/admin/usage.{format}"): ADMIN,
    ("GET", "/admin/requests.{format}"): ADMIN,
    ("GET", "/admin/requests"): ADMIN,
    ("GET", "/admin/requests/agents"): ADMIN,
    ("GET", "/admin/requests/{id}"): ADMIN,
    ("POST", "/admin/requests/{id}/capture/delete"): ADMIN,
    ("GET", "/admin/users"): ADMIN,
    ("GET", "/admin/users/new"): ADMIN,
    ("POST", "/admin/users/new"): ADMIN,
    ("GET", "/admin/users/{id}"): ADMIN,
    ("POST", "/admin/users/{id}"): ADMIN,
    ("POST", "/admin/users/{id}/enable"): ADMIN,
    ("POST", "/admin/users/{id}/disable"): ADMIN,
    ("POST", "/admin/users/{id}/restore"): ADMIN,
    ("POST", "/admin/users/{id}/sign-out"): ADMIN,
    ("POST", "/admin/users/{id}/sessions/{session}/end"): ADMIN,
    ("GET", "/admin/users/{id}/delete"): ADMIN,
    ("POST", "/admin/users/{id}/delete"): ADMIN,
    ("GET", "/admin/tokens"): ADMIN,
    ("GET", "/admin/tokens/new"): ADMIN,
    ("POST", "/admin/tokens/new"): ADMIN,
    ("POST", "/admin/tokens/{id}/enable"): ADMIN,
    ("POST", "/admin/tokens/{id}/disable"): ADMIN,
    ("GET", "/admin/tokens/{id}/delete"): ADMIN,
    ("POST", "/admin/tokens/{id}/delete"): ADMIN,
    ("GET", "/admin/announcements"): ADMIN,
    ("GET", "/admin/announcements/new"): ADMIN,
    ("POST", "/admin/announcements/new"): ADMIN,
    ("GET", "/admin/announcements/{id}"): ADMIN,
    ("POST", "/admin/announcements/{id}"): ADMIN,
    ("GET", "/admin/announcements/{id}/delete"): ADMIN,
    ("POST", "/admin/announcements/{id}/delete"): ADMIN,
    ("GET", "/admin/settings"): ADMIN,
    ("POST", "/admin/settings"): ADMIN,
    ("GET", "/admin/audit"): ADMIN,
}
"""Who may come in, by method and path."""

ENDS_THE_SESSION = {"/admin/logout", "/admin/account/sign-out-everywhere"}
FILLED = {"session": "0" * 16, "token": "0" * 16, "id": "0" * 16, "format": "csv"}


@dataclass
class Cast:
    """Bob and Eve are people, each with an API key; the administrator has set the gateway up."""

    gateway: RunningGateway
    admin: Operator
    bob: Operator
    stranger: Operator
    bobs_key: str
    eves_key: str
    eve_id: str


@pytest.fixture
async def cast(operator: Operator) -> AsyncIterator[Cast]:
    gateway = operator.gateway
    keys, ids = [], []
    for name in ("bob", "eve"):
        made = await users.create(gateway.desk, OPERATOR, {"username": name, "password": PASSWORD})
        ids.append(made.id)
        keys.append((await api_keys.create(gateway.desk, OPERATOR, {"name": f"of {name}", "user_id": made.id}))[1].id)
    bob, stranger = visitor(gateway), visitor(gateway)
    async with bob.client, stranger.client:
        assert (await bob.sign_in(username="bob")).headers["location"] == "/home"
        yield Cast(gateway, operator, bob, stranger, *keys, ids[1])


def address(path: str, **known: str) -> str:
    return path.format_map({**FILLED, **known})


async def ask(who: Operator, method: str, path: str, csrf: str = "") -> httpx.Response:
    if method == "GET":
        return await who.get(path)
    return await who.client.post(path, content=f"csrf={csrf}", headers=FORM)


def test_every_page_has_its_row_and_every_row_its_page() -> None:
    policies = {"public": ANYBODY, "person": PERSON, "session": ADMIN}
    assert {(method, path): policies[door.policy] for method, path, door in PAGES} == MAY


async def test_a_stranger_comes_in_nowhere_but_at_the_doors(cast: Cast) -> None:
    for (method, path), may in MAY.items():
        answer = await ask(cast.stranger, method, address(path))
        if may == ANYBODY:
            assert answer.status_code in (200, 303, 403, 404, 410, 422), path
        elif method == "GET":
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/admin/login?next="), path
        else:
            assert answer.status_code == 401, path


async def test_a_person_comes_in_at_home_and_nowhere_else(cast: Cast) -> None:
    csrf = await cast.bob.csrf("/home/keys/new")
    for (method, path), may in MAY.items():
        if path in ENDS_THE_SESSION or may == ANYBODY:
            continue
        answer = await ask(cast.bob, method, address(path, id=cast.bobs_key), csrf)
        if path == "/admin":
            assert (answer.status_code, answer.headers["location"]) == (303, "/home")
        elif may == ADMIN:
            assert answer.status_code == 403, path
        else:
            assert answer.status_code in (200, 303, 400, 404, 422), (path, answer.status_code)
            assert answer.status_code != 404 or "{session}" in path or "/announcements/" in path, path


async def test_what_is_somebody_elses_is_not_there(cast: Cast) -> None:
    csrf = await cast.bob.csrf("/home/keys/new")
    before = await api_keys.get(cast.gateway.desk, cast.eves_key)
    for (method, path), may in MAY.items():
        if may == PERSON and "{id}" in path:
            answer = await ask(cast.bob, method, address(path, id=cast.eves_key), csrf)
            missing = await ask(cast.bob, method, address(path, id="0" * 16), csrf)
            assert (answer.status_code, missing.status_code) == (404, 404), path
            assert "of eve" not in answer.text
    assert await api_keys.get(cast.gateway.desk, cast.eves_key) == before
    for (method, path), may in MAY.items():
        if method == "GET" and may == PERSON and "{" not in path:
            assert "of eve" not in (await cast.bob.get(path)).text, path


async def test_an_administrator_comes_in_everywhere_but_has_only_own_keys_at_home(cast: Cast) -> None:
    csrf = await cast.admin.csrf()
    for (method, path), may in MAY.items():
        if path in ENDS_THE_SESSION or may == ANYBODY:
            continue
        answer = await ask(cast.admin, method, address(path), csrf)
        assert answer.status_code not in (401, 403), (path, answer.status_code)
    assert (await cast.admin.get(f"/home/keys/{cast.bobs_key}")).status_code == 404


async def test_no_form_works_without_its_token(cast: Cast) -> None:
    for (method, path), may in MAY.items():
        if method != "GET":
            who = cast.admin if may == ADMIN else cast.bob
            assert (await ask(who, method, address(path))).status_code == 403, path


async def test_the_json_api_knows_no_cookie_and_no_api_key(cast: Cast) -> None:
    credentials: list[tuple[httpx.AsyncClient, dict[str, str]]] = [
        (cast.stranger.client, {}),
        (cast.stranger.client, cast.gateway.auth),
        (cast.bob.client, {}),
        (cast.admin.client, {}),
    ]
    for operation in all_operations():
        for client, headers in credentials:
            answer = await client.request(operation.method, _path(operation), headers=headers)
            assert answer.status_code == 401, operation.name


async def test_what_a_person_was_refused_is_written_down(cast: Cast) -> None:
    await cast.bob.get("/admin/providers")

    page = await cast.admin.get("/admin/audit?action=refused&actor=bob")

    assert "GET /admin/providers" in page.text


async def test_no_field_of_an_administrator_is_taken_from_a_person(cast: Cast) -> None:
    csrf = await cast.bob.csrf("/home/keys/new")
    before = await api_keys.get(cast.gateway.desk, cast.bobs_key)
    eve = await users.get(cast.gateway.desk, cast.eve_id)
    for field, value in (
        ("user_id", cast.eve_id),
        ("is_locked", ""),
        ("allowed_providers", "demo"),
        ("tpm_limit", "1"),
        ("credited_nano", "1"),
        ("role", "admin"),
        ("quota", ""),
    ):
        for path in (f"/home/keys/{cast.bobs_key}", "/admin/account/profile"):
            await cast.bob.client.post(path, data={"csrf": csrf, field: value})
    after = await api_keys.get(cast.gateway.desk, cast.bobs_key)

    assert (after.user_id, after.is_locked, after.allowed_providers, after.tpm_limit, after.credited_nano) == (
        before.user_id,
        before.is_locked,
        before.allowed_providers,
        before.tpm_limit,
        before.credited_nano,
    )
    assert await users.get(cast.gateway.desk, cast.eve_id) == eve
    [bob] = [user for user in await users.listing(cast.gateway.desk) if user.username == "bob"]
    assert (bob.role, bob.quota_nano) == ("user", None)


def _path(operation: Operation) -> str:
    return address(operation.path)
