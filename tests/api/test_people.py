"""People over the JSON API: deleting and restoring, sessions, another secret for an API key, announcements."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.control import sessions
from gateway.control.sessions import Client
from gateway.control.users import FIELDS
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio

PASSWORD = "nine green kettles"
HERE = Client("192.0.2.7", "a browser")


async def person(api: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    answer = await api.post("/users", json={"username": "bob", "password": PASSWORD, **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_person_is_shown_with_every_field_but_the_password(api: httpx.AsyncClient) -> None:
    bob = await person(api, time_zone="Europe/Berlin", quota="2.5", quota_period="weekly")

    assert {field.name for field in FIELDS} - {"password"} <= set(bob)
    assert (bob["time_zone"], bob["quota"], bob["quota_period"]) == ("Europe/Berlin", "2.5", "weekly")
    assert PASSWORD not in str(bob) and "argon2" not in str(bob)


async def test_a_time_zone_that_is_none_is_refused(api: httpx.AsyncClient) -> None:
    for zone in ("Mars/Base", "../../etc/passwd", "", None):
        answer = await api.post("/users", json={"username": "bob", "password": PASSWORD, "time_zone": zone})
        assert answer.status_code == 400
        assert list(answer.json()["error"]["fields"]) == ["time_zone"]


async def test_a_deleted_person_can_be_restored_disabled(api: httpx.AsyncClient) -> None:
    bob = await person(api)
    assert (await api.post(f"/users/{bob['id']}/restore")).status_code == 404
    await api.delete(f"/users/{bob['id']}")

    gone = (await api.get("/users/deleted")).json()
    restored = (await api.post(f"/users/{bob['id']}/restore")).json()

    assert [user["id"] for user in gone["items"]] == [bob["id"]]
    assert (restored["username"], restored["is_active"]) == ("bob", False)
    assert (await api.get("/users/deleted")).json()["total"] == 0
    assert (await api.get(f"/users/{bob['id']}")).status_code == 200


async def test_nobody_is_restored_over_somebody_else(api: httpx.AsyncClient) -> None:
    bob = await person(api)
    await api.delete(f"/users/{bob['id']}")
    await person(api)

    answer = await api.post(f"/users/{bob['id']}/restore")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


async def test_sessions_are_listed_and_ended_without_showing_what_opens_them(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    bob = await person(api)
    tokens = [(await sessions.sign_in(gateway.desk, "bob", PASSWORD, HERE))[0] for _ in range(3)]
    path = f"/users/{bob['id']}"

    found = (await api.get(f"{path}/sessions")).json()

    assert found["total"] == 3
    assert {(one["ip"], one["user_agent"]) for one in found["items"]} == {(HERE.ip, HERE.user_agent)}
    for token in tokens:
        assert token not in str(found) and gateway.desk.vault.hash_token(token).hex() not in str(found)
    assert (await api.delete(f"{path}/sessions/{found['items'][0]['id']}")).status_code == 204
    assert (await api.delete(f"{path}/sessions/{found['items'][0]['id']}")).status_code == 404
    assert (await api.get(f"{path}/sessions")).json()["total"] == 2
    assert (await api.post(f"{path}/sign-out")).status_code == 204
    assert (await api.get(f"{path}/sessions")).json()["total"] == 0
    assert [await sessions.recognise(gateway.desk, token) for token in tokens] == [None] * 3
    assert (await api.get("/users/nobody/sessions")).status_code == 404


async def test_a_token_makes_and_restores_no_administrators(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    answer = await api.post("/users", json={"username": "eve", "password": PASSWORD, "role": "admin"})
    assert answer.status_code == 403
    bob = await person(api)
    assert (await api.patch(f"/users/{bob['id']}", json={"role": "admin"})).status_code == 403
    await api.delete(f"/users/{bob['id']}")
    async with gateway.desk.db.write() as tx:
        await tx.execute("UPDATE users SET role = 'admin' WHERE deleted_at IS NOT NULL")
    assert (await api.post(f"/users/{bob['id']}/restore")).status_code == 403


async def test_a_key_gets_another_secret_and_the_old_one_a_grace(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    made = (await api.post("/api-keys", json={"name": "laptop", "note": "mine", "deletes_itself": True})).json()

    rotated = (await api.post(f"/api-keys/{made['id']}/rotate", json={"grace_hours": 1})).json()

    assert rotated["id"] == made["id"] and rotated["key"] != made["key"]
    assert (rotated["note"], rotated["deletes_itself"], made["old_until"]) == ("mine", True, None)
    assert rotated["old_until"] > rotated["updated_at"]
    for secret in (made["key"], rotated["key"]):
        headers = {"authorization": f"Bearer {secret}"}
        assert (await gateway.client.get("/v1/models", headers=headers)).status_code == 200
    assert (await api.post(f"/api-keys/{made['id']}/rotate", json={"grace_hours": -1})).status_code == 400
    assert "key" not in (await api.get(f"/api-keys/{made['id']}")).json()


async def test_a_locked_key_says_so_to_its_user(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    made = (await api.post("/api-keys", json={"name": "laptop", "is_locked": True})).json()
    headers = {"authorization": f"Bearer {made['key']}"}
    body = {"model": "demo/echo", "messages": [{"role": "user", "content": "x"}]}

    answer = await gateway.client.post("/v1/chat/completions", headers=headers, json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "key_locked")
    assert answer.headers["x-should-retry"] == "false"
    await api.patch(f"/api-keys/{made['id']}", json={"is_locked": False})
    assert (await gateway.client.post("/v1/chat/completions", headers=headers, json=body)).status_code == 200


async def test_announcements_are_written_and_changed_by_version(api: httpx.AsyncClient) -> None:
    fields = {"title": "A stop", "kind": "maintenance", "body": "**Monday**", "ends_at": "2030-01-01"}
    made = (await api.post("/announcements", json=fields)).json()

    changed = await api.patch(f"/announcements/{made['id']}", json={"title": "No stop", "version": 1})
    late = await api.patch(f"/announcements/{made['id']}", json={"title": "x", "version": 1})

    assert (made["author"], made["kind"], made["ends_at"]) == ("tests", "maintenance", 1_893_456_000_000)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (late.status_code, late.json()["error"]["current"]["title"]) == (409, "No stop")
    assert (await api.get("/announcements")).json()["total"] == 1
    assert (await api.delete(f"/announcements/{made['id']}")).status_code == 204
