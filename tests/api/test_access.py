"""Who may use the JSON API, and what it says to whom it does not let in."""

from __future__ import annotations

import httpx
import pytest

from gateway.api.operations import Operation, Visit, policy_of
from gateway.api.resource import Resource
from gateway.api.routes import all_operations, routes
from gateway.control import tokens
from tests.harness import OPERATOR, RunningGateway

pytestmark = pytest.mark.anyio

OPERATIONS = all_operations()


def address(operation: Operation) -> str:
    return operation.path.replace("{id}", "some-id")


async def test_every_operation_asks_for_a_token(gateway: RunningGateway) -> None:
    for operation in OPERATIONS:
        assert policy_of(operation.handler) == "token"
        answer = await gateway.client.request(operation.method, address(operation), json={"name": "x"})

        assert answer.status_code == 401, operation.name
        error = answer.json()["error"]
        assert (error["code"], error["type"]) == ("invalid_management_token", "invalid_request_error")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["cache-control"] == "no-store"


async def test_every_route_declares_its_policy(gateway: RunningGateway) -> None:
    assert all(route.endpoint.policy == "token" for route in routes(gateway.desk))


async def test_a_handler_without_a_policy_is_never_served(gateway: RunningGateway) -> None:
    async def open_to_all(visit: Visit) -> object:
        return {}

    with pytest.raises(LookupError, match="declares no policy"):
        Resource(gateway.desk, [Operation("GET", "/x", "x", "", open_to_all, None)])


async def test_no_other_credential_opens_it(gateway: RunningGateway) -> None:
    token = gateway.management_token
    stored = gateway.desk.vault.hash_token(token).hex()
    bad: list[dict[str, str]] = [
        gateway.auth,
        {"authorization": token},
        {"authorization": f"Basic {token}"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {token}x"},
        {"authorization": f"Bearer {token[:-1]}"},
        {"authorization": f"Bearer {token.upper()}"},
        {"authorization": f"Bearer {stored}"},
        {"authorization": "Bearer ' OR '1'='1"},
        {"x-api-key": token},
        {"cookie": f"session={token}"},
    ]
    bodies = set()
    for headers in bad:
        answer = await gateway.client.get("/api/admin/providers", headers=headers)
        assert answer.status_code == 401, headers
        bodies.add(answer.json()["error"]["code"])
    assert bodies == {"invalid_management_token"}
    assert (await gateway.client.get(f"/api/admin/providers?key={token}")).status_code == 401


async def test_two_credentials_are_refused(gateway: RunningGateway) -> None:
    right = ("authorization", f"Bearer {gateway.management_token}")
    answer = await gateway.client.get("/api/admin/providers", headers=[right, ("authorization", "Bearer other")])
    assert answer.status_code == 401


async def test_a_disabled_token_is_refused_from_then_on(gateway: RunningGateway) -> None:
    plain, token = await tokens.mint(gateway.desk, OPERATOR, "second")
    headers = {"authorization": f"bearer {plain}"}
    assert (await gateway.client.get("/api/admin/pools", headers=headers)).status_code == 200

    await tokens.disable(gateway.desk, OPERATOR, token.id)

    assert (await gateway.client.get("/api/admin/pools", headers=headers)).status_code == 401


async def test_a_management_token_is_no_api_key(gateway: RunningGateway) -> None:
    headers = {"authorization": f"Bearer {gateway.management_token}"}
    assert (await gateway.client.get("/v1/models", headers=headers)).status_code == 401


async def test_changes_are_written_down_under_the_tokens_name(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await api.post("/pools", json={"name": "third"})
    async with (
        gateway.desk.db.read() as tx,
        tx.execute("SELECT actor_kind, actor_name, ip, action FROM audit ORDER BY seq DESC LIMIT 1") as rows,
    ):
        assert tuple(await rows.fetchone() or ()) == ("token", "tests", "127.0.0.1", "create")


async def test_unknown_paths_are_not_found_only_for_those_who_may_look(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    for path in ("/nothing", "/providers/a/b", "/", "/providers/", "/../providers", "/pools/stats/x"):
        assert (await api.get(path)).status_code == 404
        assert (await gateway.client.get(f"/api/admin{path}")).status_code in (401, 404)
    answer = await api.get("/nothing")
    assert answer.json()["error"]["code"] == "not_found"


async def test_a_wrong_method_is_told_the_right_ones(api: httpx.AsyncClient) -> None:
    answer = await api.put("/providers", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert (await api.options("/providers")).status_code == 405
    assert (await api.request("PATCH", "/pools/stats", json={})).headers["allow"] == "GET"


async def test_every_answer_is_json_that_nobody_stores(api: httpx.AsyncClient) -> None:
    for answer in (
        await api.get("/providers"),
        await api.get("/nothing"),
        await api.post("/providers", json={}),
        await api.get("/openapi.json"),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        assert "access-control-allow-origin" not in answer.headers


async def test_a_body_is_plain_json(api: httpx.AsyncClient) -> None:
    cases: list[tuple[dict[str, str], int]] = [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 201),
        ({"content-type": "Application/JSON"}, 201),
    ]
    for number, (headers, status) in enumerate(cases):
        answer = await api.post("/pools", content=b'{"name": "pool-%d"}' % number, headers=headers)
        assert answer.status_code == status, headers


async def test_a_body_that_is_not_an_object_is_a_400(api: httpx.AsyncClient) -> None:
    huge = b'{"a":' + b"9" * 5000 + b"}"
    for body in (b"", b"[]", b"nul", b'{"name": NaN}', b'{"a":' * 100_000, huge, b'{"a":1,"a":2}', b"\xff"):
        answer = await api.post("/pools", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, body[:20]
        assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_large_body_is_refused_with_and_without_a_length(api: httpx.AsyncClient) -> None:
    large = b'{"name": "' + b"x" * (1024 * 1024) + b'"}'
    headers = {"content-type": "application/json"}

    async def in_pieces() -> object:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    for content in (large, in_pieces()):
        answer = await api.post("/pools", content=content, headers=headers)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_columns_that_are_not_fields_are_never_written(api: httpx.AsyncClient) -> None:
    """Mass assignment: whatever a table's columns are called, only declared fields are taken."""
    nouns = {
        "/providers": ["id", "created_at", "updated_at"],
        "/provider-keys": ["sealed", "env_name", "bound_origin", "masked", "fingerprint", "provider_id", "pool_id"],
        "/endpoints": ["provider_id", "api_format", "timeout_ms"],
        "/models": ["created_at", "price"],
        "/api-keys": ["key_hash", "prefix", "tail", "key"],
        "/pools": ["id", "wait_ms"],
        "/mappings": ["provider_id", "model_id"],
    }
    for path, names in nouns.items():
        row = (await api.get(path)).json()["items"][0]
        for name in names:
            answer = await api.patch(f"{path}/{row['id']}", json={name: "x"})
            assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [name])
        assert (await api.get(f"{path}/{row['id']}")).json() == row
