"""The ledger over the JSON API."""

from __future__ import annotations

import itertools

import httpx
import pytest

from gateway.model.calls import Attribution
from gateway.store import calls
from tests.harness import RunningGateway
from tests.store.rows import call

pytestmark = pytest.mark.anyio


async def test_calls_are_listed_newest_first_and_refused_ones_too(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    await gateway.call("demo/echo")
    await gateway.call("no-such-model")
    await gateway.rows()

    found = (await api.get("/requests")).json()

    assert [(row["asked_model"], row["code"]) for row in found["items"]] == [("no-such-model", 404), ("demo/echo", 200)]
    assert (found["total"], found["next_before"]) == (2, None)
    served = found["items"][1]
    assert (served["provider"], served["status"], served["cost"], served["attempt_count"]) == (
        "demo",
        "completed",
        "0",
        1,
    )
    assert served["usage"]["output"] > 0


async def test_one_request_has_its_attempts_and_skips(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    row = await gateway.row()

    found = (await api.get(f"/requests/{row.id}")).json()

    assert (found["id"], found["api_key_name"], found["price"]["input"]) == (row.id, "first key", "0")
    assert (found["price"]["origin"], found["price"]["cache_creation_1h"]) == ("model v1", None)
    assert [(attempt["number"], attempt["outcome"]) for attempt in found["attempts"]] == [(1, "ok")]
    assert found["skips"] == []
    assert (await api.get("/requests/req_none")).status_code == 404


async def test_a_translated_call_of_an_agent_is_told_in_the_list_and_alone(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    agent = Attribution("s-1", "a-2", "a-1", "subagent")
    record = call(1, upstream_format="gemini_generate", dropped=("seed",), attribution=agent)
    async with gateway.desk.db.write() as tx:
        await calls.insert_many(tx, [record, call(2)])

    listed = (await api.get("/requests", params={"session": "s-1"})).json()
    alone = (await api.get(f"/requests/{record.id}")).json()

    assert listed["total"] == 1
    for shown in (listed["items"][0], alone):
        assert (shown["api_format"], shown["upstream_format"]) == ("openai_chat", "gemini_generate")
        assert shown["dropped"] == ["seed"]
        assert shown["attribution"] == {
            "session": "s-1",
            "agent": "a-2",
            "parent_agent": "a-1",
            "request_class": "subagent",
        }


async def test_an_attempt_and_a_candidate_name_their_api_format(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    await gateway.call("demo/echo")
    row = await gateway.row()

    alone = (await api.get(f"/requests/{row.id}")).json()
    told = (await api.get(f"/requests/{row.id}/explain")).json()

    assert [attempt["api_format"] for attempt in alone["attempts"]] == ["openai_chat"]
    assert {one["api_format"] for one in told["candidates"]} == {"openai_chat"}


async def test_filters_and_pages(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    for model in ("demo/echo", "none-a", "demo/echo", "none-b"):
        await gateway.call(model)
    await gateway.rows()

    failed = (await api.get("/requests", params={"status": "failed", "code_class": 4})).json()
    first = (await api.get("/requests", params={"model": "demo/echo", "limit": 1})).json()
    second = (
        await api.get("/requests", params={"model": "demo/echo", "limit": 1, "before": first["next_before"]})
    ).json()

    assert [row["asked_model"] for row in failed["items"]] == ["none-b", "none-a"]
    assert (first["total"], len(first["items"]), len(second["items"])) == (2, 1, 1)
    assert first["items"][0]["id"] > second["items"][0]["id"]
    assert second["next_before"] is None


async def test_a_bad_filter_is_refused_by_name(api: httpx.AsyncClient) -> None:
    for name, value in (("limit", "x"), ("limit", "501"), ("stauts", "failed"), ("code", "1e3")):
        answer = await api.get("/requests", params={name: value})
        assert answer.status_code == 400
        assert list(answer.json()["error"]["fields"]) == [name]


HOSTILE = ["' OR 1=1 --", "%_" * 90, "\\", "\x00", "; DROP TABLE calls", '"', "ü" * 50, "a\u2028b", "9" * 50]
FILTERS = ["api_key", "model", "provider", "backend", "session", "text", "before", "status", "since", "code", "limit"]


async def test_hostile_filter_values_find_nothing_or_are_refused(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    await gateway.call("demo/echo")
    await gateway.rows()
    for value, name in itertools.product(HOSTILE, FILTERS):
        answer = await api.get("/requests", params={name: value})
        assert answer.status_code in (200, 400), (name, value)
        if answer.status_code == 200 and name != "before":
            assert answer.json()["items"] == []
    assert (await api.get("/requests")).json()["total"] == 1


async def test_the_ledger_cannot_be_written_over_the_api(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    row = await gateway.row()
    for method in ("PATCH", "DELETE", "PUT", "POST"):
        answer = await api.request(method, f"/requests/{row.id}", json={})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
