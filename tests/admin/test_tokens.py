"""Management tokens in the browser."""

from __future__ import annotations

import pytest

from gateway.control import sessions, tokens
from tests.admin.browsing import PASSWORD, Operator, fault_of, text_of
from tests.desks import SYSTEM

pytestmark = pytest.mark.anyio


def secret_in(html: str) -> str:
    return next(word for word in text_of(html).split() if word.startswith("gwm-") and len(word) > 40)


async def test_a_token_is_shown_once_and_works_as_far_as_its_scopes_go(operator: Operator) -> None:
    fields = {"name": "ci", "may": "listed", "scopes": "pools:read", "from": "everywhere", "expires_at": "2999-01-01"}
    made = await operator.submit("/admin/tokens/new", **fields)
    secret = secret_in(made.text)
    headers = {"authorization": f"Bearer {secret}"}
    client = operator.gateway.client

    assert made.headers["cache-control"] == "no-store"
    assert (await client.get("/api/admin/pools", headers=headers)).status_code == 200
    assert (await client.get("/api/admin/models", headers=headers)).status_code == 403
    page = await operator.get("/admin/tokens")
    assert secret not in page.text and f"gwm-…{secret[-4:]}" in text_of(page.text)
    assert "pools:read" in text_of(page.text) and "127.0.0.1" in text_of(page.text)


async def test_choices_become_scopes_and_networks(operator: Operator) -> None:
    for may, place, ips in (("everything", "everywhere", ""), ("write", "listed", "192.0.2.7")):
        await operator.submit("/admin/tokens/new", name=may, may=may, allowed_ips=ips, **{"from": place})

    found = {token.name: (token.scopes, token.allowed_ips) for token in await tokens.every(operator.gateway.desk)}

    assert found["everything"] == (None, None)
    assert found["write"] == (("write",), ("192.0.2.7/32",))


async def test_faults_stand_beside_their_fields(operator: Operator) -> None:
    answer = await operator.submit("/admin/tokens/new", name="x", may="listed", scopes="modles:read")
    empty = await operator.submit("/admin/tokens/new", name="x", may="listed", scopes=" ")
    nowhere = await operator.submit("/admin/tokens/new", name="x", may="read", allowed_ips="home", **{"from": "listed"})

    assert answer.status_code == empty.status_code == nowhere.status_code == 422
    assert "did you mean models:read" in fault_of(answer.text, "scopes")
    assert fault_of(empty.text, "scopes") == "Must name at least one"
    assert "home" in fault_of(nowhere.text, "allowed_ips")


async def test_the_password_is_asked_for_again_after_a_while(operator: Operator) -> None:
    desk = operator.gateway.desk
    async with desk.db.write() as tx:
        long_ago = desk.clock.wall_ms() - sessions.RECENT_MS
        await tx.execute("UPDATE sessions SET password_at = :at", {"at": long_ago})

    refused = await operator.submit("/admin/tokens/new", name="x", may="read")
    wrong = await operator.submit("/admin/tokens/new", name="x", may="read", your_password="wrong one 12345")
    made = await operator.submit("/admin/tokens/new", name="x", may="read", your_password=PASSWORD)

    assert (refused.status_code, wrong.status_code, made.status_code) == (422, 422, 200)
    assert "Is not your password" in fault_of(wrong.text, "your_password")
    assert secret_in(made.text)


async def test_a_token_is_disabled_enabled_and_deleted(operator: Operator) -> None:
    plain, token = await tokens.mint(operator.gateway.desk, SYSTEM, "old")
    headers = {"authorization": f"Bearer {plain}"}
    seen = []
    for step in ("disable", "enable", "delete"):
        await operator.submit(f"/admin/tokens/{token.id}/{step}")
        seen.append((await operator.gateway.client.get("/api/admin/pools", headers=headers)).status_code)

    assert seen == [401, 200, 401]
    assert "old" not in text_of((await operator.get("/admin/tokens")).text).split()
    assert (await operator.submit(f"/admin/tokens/{token.id}/delete")).status_code == 404
