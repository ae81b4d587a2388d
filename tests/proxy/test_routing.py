"""How real calls find their backend."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import api_keys, mappings, pools, provider_keys, route_rules
from tests.conftest import MakeProvider
from tests.harness import HELLO, OPERATOR, RunningGateway
from tests.provider import Provider, answer, delta, refused, sse, stream

pytestmark = pytest.mark.anyio

DRY = {"x-gateway-dry-run": "1"}


@pytest.fixture
async def two(gateway: RunningGateway, provider: MakeProvider) -> tuple[Provider, Provider]:
    """Two equal backends of `m`, that share its conversations."""
    first, second = await provider(), await provider()
    await gateway.backend(first)
    await gateway.backend(second)
    return first, second


def backend_of(got: Any) -> str:
    return str(got.headers["x-gateway-backend"])


async def test_conversations_are_shared_out_and_each_stays_where_it_began(
    gateway: RunningGateway, two: tuple[Provider, Provider]
) -> None:
    served = {}
    for number in range(12):
        talk = {"x-session-id": f"talk {number}"}
        served[number] = {backend_of(await gateway.call(headers=talk)) for _ in range(3)}

    assert all(len(names) == 1 for names in served.values())
    assert set.union(*served.values()) == {"p1/main", "p2/main"}


SESSIONS: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {"prompt_cache_key": "a"}),
    ({}, {"metadata": {"user_id": "a"}}),
    ({"x-claude-code-session-id": "a"}, {}),
    ({"x-session-id": "a"}, {}),
    ({"x-session-id": ""}, {"messages": [{"role": "system", "content": "Be brief."}, *HELLO]}),
]


@pytest.mark.parametrize(("headers", "body"), SESSIONS)
async def test_whatever_names_a_conversation_brings_it_back_to_who_served_it(
    gateway: RunningGateway, provider: MakeProvider, headers: dict[str, str], body: dict[str, Any]
) -> None:
    first, second = await provider(refused(500), answer()), await provider()
    await gateway.backend(first, priority=1)
    await gateway.backend(second, priority=2)

    again = [backend_of(await gateway.call(headers=headers, **body)) for _ in range(3)]
    another = await gateway.call(headers={"x-session-id": "another"})

    assert (again, backend_of(another)) == (["p2/main"] * 3, "p1/main")


async def test_a_conversation_belongs_to_its_api_key(gateway: RunningGateway, provider: MakeProvider) -> None:
    first, second = await provider(refused(500), answer()), await provider()
    await gateway.backend(first, priority=1)
    await gateway.backend(second, priority=2)
    secret, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "other"})
    talk = {"x-session-id": "talk"}

    assert backend_of(await gateway.call(headers=talk)) == "p2/main"
    assert backend_of(await gateway.call(headers={**talk, "authorization": f"Bearer {secret}"})) == "p1/main"


async def test_a_stream_that_breaks_gives_its_conversation_away(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    broken = stream(sse(delta("Hel")), cut=True)
    first, second = await provider(refused(500), stream()), await provider(stream(), broken, stream())
    await gateway.backend(first, priority=1)
    await gateway.backend(second, priority=2)
    talk = {"x-session-id": "talk"}

    served = [backend_of(await gateway.call(headers=talk, stream=True)) for _ in range(3)]

    assert served == ["p2/main", "p2/main", "p1/main"]


async def test_a_client_that_errs_does_not_cost_a_backend_its_conversation(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    first, second = await provider(refused(500), answer()), await provider(answer(), refused(422, "bad"), answer())
    await gateway.backend(first, priority=1)
    await gateway.backend(second, priority=2)
    talk = {"x-session-id": "talk"}

    served = [backend_of(await gateway.call(headers=talk)) for _ in range(3)]

    assert served == ["p2/main"] * 3


async def test_the_fallback_keeps_no_conversation_once_the_first_tier_serves_again(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    first, second = await provider(refused(500), answer()), await provider()
    await gateway.backend(first)
    await gateway.backend(second, pool="fallback")
    talk = {"x-session-id": "talk"}

    assert [backend_of(await gateway.call(headers=talk)) for _ in range(2)] == ["p2/main", "p1/main"]


async def test_a_plan_says_who_is_where_and_why(gateway: RunningGateway, two: tuple[Provider, Provider]) -> None:
    talk = {"x-session-id": "talk"}
    served = backend_of(await gateway.call(headers=talk))

    warm = (await gateway.call(headers={**talk, **DRY, "x-gateway-require": "-vision"})).json()
    pool = next(one for one in gateway.desk.snapshot().registry.pools if one.name == "primary")
    await pools.update(gateway.desk, OPERATOR, pool.id, {"strategy": "least_busy"})
    busy = (await gateway.call(headers=DRY, tools=[{"type": "function"}])).json()

    assert warm["candidates"][0] | {"upstream_model": ""} == {
        "backend": served,
        "api_format": "openai_chat",
        "pool": "primary",
        "taken": True,
        "upstream_model": "",
        "why": "served this conversation before",
        "reason": "",
        "sentence": "",
        "seconds": None,
    }
    assert (warm["session"], warm["wanted"], warm["route"]) == ("talk", [], "")
    assert [one["why"] for one in busy["candidates"]] == ["least busy (0 in flight)"] * 2
    assert (busy["wanted"], type(busy["seed"])) == (["tools"], int)


async def test_the_ledger_keeps_the_plan_as_it_was(gateway: RunningGateway, two: tuple[Provider, Provider]) -> None:
    two[0].always = two[1].always = refused(500)

    await gateway.call(headers={"x-session-id": "talk"})
    row = await gateway.row()

    assert (row.code, len(row.considered), len(row.attempts)) == (502, 2, 2)
    assert [one.backend for one in row.considered] == [attempt.backend for attempt in row.attempts]
    assert row.seed is not None
    assert row.config_version == gateway.desk.snapshot().version


async def test_a_route_is_named_where_a_rule_chose_and_only_there(
    gateway: RunningGateway, two: tuple[Provider, Provider]
) -> None:
    await route_rules.create(
        gateway.desk, OPERATOR, {"route_type": "AGENT", "route_key": "coder", "model_id": "m", "note": ""}
    )

    routed = await gateway.call("auto", headers={"x-gateway-agent": "coder"})
    plain = await gateway.call("m", headers={"x-gateway-agent": "coder"})
    lost = await gateway.call("auto", headers={"x-gateway-agent": "writer"})

    assert (routed.headers["x-gateway-route"], routed.headers["x-gateway-model"]) == ("AGENT:coder", "m")
    assert "x-gateway-route" not in plain.headers
    assert (lost.status_code, "Tried: AGENT:writer, GLOBAL." in lost.json()["error"]["message"]) == (404, True)
    assert [row.route for row in await gateway.rows()] == ["AGENT:coder", "", ""]


async def test_equal_names_at_a_provider_stay_the_same_over_retries(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    upstream = await provider(refused(500), answer())
    made = await gateway.backend(upstream)
    await provider_keys.create(
        gateway.desk,
        OPERATOR,
        {"provider_id": made.provider.id, "name": "second", "pool": "primary", "api_key": "sk-provider-second-key"},
    )
    aliases = [{"name": name, "priority": 0} for name in ("a", "b", "c")]
    await mappings.update(gateway.desk, OPERATOR, made.mappings[0].id, {"aliases": aliases})

    await gateway.call()
    await gateway.call()

    asked = [heard.json()["model"] for heard in upstream.heard]
    assert len(asked) == 3
    assert len(set(asked)) == 1
