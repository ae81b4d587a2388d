"""The list of requests and the page of one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.admin.requests import PER_PAGE, cost_lines
from gateway.control import models, provider_keys
from gateway.model.calls import Attribution, Usage, UsageSource
from gateway.model.registry import Price
from gateway.store import calls
from tests.admin.browsing import Operator, parse, text_of, values_of, words_of
from tests.admin.test_strips import attempt, call
from tests.conftest import MakeProvider
from tests.harness import OPERATOR
from tests.provider import answer, limited
from tests.store.rows import ATTEMPT
from tests.store.rows import call as ledger_call

pytestmark = pytest.mark.anyio


def rows_of(html: str) -> list[str]:
    table = next(parse(html).iter("tbody"), None)
    return [] if table is None else [words_of(row) for row in table.iter("tr")]


async def test_refused_and_failed_requests_are_listed_too(operator: Operator) -> None:
    gateway = operator.gateway
    await gateway.call("demo/echo")
    await gateway.call("no-such-model")
    await gateway.client.post(
        "/v1/chat/completions", headers={**gateway.auth, "content-type": "application/json"}, content=b"{"
    )
    await gateway.rows()

    rows = rows_of((await operator.get("/admin/requests")).text)

    assert [next(code for code in ("200", "400", "404") if f" {code}" in row) for row in rows] == ["400", "404", "200"]
    assert "model_not_found" in rows[1]


FILTERS = {
    "model=demo%2Fecho": ["200"],
    "status=failed": ["404"],
    "status=completed": ["200"],
    "code=404": ["404"],
    "code=4xx": ["404"],
    "code=2XX": ["200"],
    "provider=demo": ["200"],
    "text=does+not+exist": ["404"],
    "text=%25": [],
    "key=nobody": [],
    "range=1h": ["404", "200"],
    "model=no-such-model&status=completed": [],
    "nonsense=1": ["404", "200"],
}


async def test_filters_are_in_the_address(operator: Operator) -> None:
    await operator.gateway.call("demo/echo")
    await operator.gateway.call("no-such-model")
    await operator.gateway.rows()

    for query, expected in FILTERS.items():
        page = await operator.get(f"/admin/requests?{query}")
        rows = rows_of(page.text)
        assert page.status_code == 200
        assert len(rows) == len(expected), query
        assert all(code in row for code, row in zip(expected, rows, strict=True)), query


async def test_a_filter_that_means_nothing_is_marked_and_kept(operator: Operator) -> None:
    page = await operator.get("/admin/requests?code=abc&model=m")

    assert page.status_code == 422
    assert "code must be a whole number" in text_of(page.text)
    assert values_of(page.text)["code"] == "abc"
    assert values_of(page.text)["model"] == "m"


async def test_older_requests_are_one_link_away_and_none_is_shown_twice(operator: Operator) -> None:
    record = call(attempt())
    records = [type(record)(**{**fields(record), "id": f"req_{n:026x}", "started_at": n}) for n in range(PER_PAGE + 7)]
    async with operator.gateway.desk.db.write() as tx:
        await calls.insert_many(tx, records)

    first = await operator.get("/admin/requests?model=m")
    older = next(a.get("href", "") for a in parse(first.text).iter("a") if "Older" in "".join(a.itertext()))
    second = await operator.get(older)

    seen = [link for page in (first, second) for link in links_to_requests(page.text)]
    assert len(seen) == len(set(seen)) == PER_PAGE + 7
    assert seen == sorted(seen, reverse=True)
    assert "model=m" in older
    assert "Newest" in second.text
    assert "Older" not in text_of(second.text)
    assert "57 requests" in text_of(first.text)


def fields(record) -> dict[str, object]:  # type: ignore[no-untyped-def]
    return {name: getattr(record, name) for name in record.__struct_fields__}


def links_to_requests(html: str) -> list[str]:
    return [a.get("href", "") for a in parse(html).iter("a") if a.get("href", "").startswith("/admin/requests/")]


async def test_one_request_shows_every_attempt_with_verdict_and_effect(
    operator: Operator, provider: MakeProvider
) -> None:
    gateway = operator.gateway
    await gateway.backend(await provider(limited(41)), models=("m",), name="first")
    await gateway.backend(await provider(answer()), models=("m",), name="second", pool="fallback")
    await gateway.call("m")
    row = await gateway.row()

    page = text_of((await operator.get(f"/admin/requests/{row.id}")).text)

    assert "2 tries" in page
    assert "first/main primary m openai_chat Limited rate limited" in page
    assert "rests 41 s" in page
    assert "second/main fallback m openai_chat Answered" in page
    assert row.id in page


async def test_the_backends_passed_over_are_named_with_their_reason(operator: Operator, provider: MakeProvider) -> None:
    gateway = operator.gateway
    await gateway.backend(await provider(limited(600)), models=("m",), name="first")
    await gateway.backend(await provider(answer()), models=("m",), name="second", pool="fallback")
    await gateway.call("m")
    await gateway.call("m")
    row = await gateway.row()

    page = text_of((await operator.get(f"/admin/requests/{row.id}")).text)

    assert "How it was decided" in page
    assert f"Decided on configuration {row.config_version} with the seed {row.seed}." in page
    assert "1 second/main fallback m openai_chat in order Its priority." in page
    assert "– first/main primary – openai_chat cooling It rests for" in page


async def test_a_translated_request_says_so_and_what_was_not_carried(operator: Operator) -> None:
    agent = Attribution("s&1", "a-2", "a-1", "subagent")
    record = ledger_call(1, upstream_format="gemini_generate", dropped=("seed", "logit_bias"), attribution=agent)
    plain = ledger_call(2, upstream_format="openai_chat")
    async with operator.gateway.desk.db.write() as tx:
        await calls.insert_many(tx, [record, plain])

    html = (await operator.get(f"/admin/requests/{record.id}")).text
    page = text_of(html)
    assert "API format openai_chat translated to gemini_generate" in page
    assert "Not carried: seed, logit_bias." in page
    assert "Agent session s&1 Agent a-2 Parent agent a-1 Request class subagent" in page
    assert "/admin/requests/agents?session=s%261" in [a.get("href") for a in parse(html).iter("a")]
    other = text_of((await operator.get(f"/admin/requests/{plain.id}")).text)
    assert "API format openai_chat as it came" in other
    assert "Not carried" not in other
    assert "Agent session" not in other


async def test_the_list_marks_translated_calls_and_shows_those_of_one_session(operator: Operator) -> None:
    record = ledger_call(1, upstream_format="gemini_generate", dropped=("seed",), attribution=Attribution("s&1"))
    async with operator.gateway.desk.db.write() as tx:
        await calls.insert_many(tx, [record, ledger_call(2, upstream_format="openai_chat")])

    every = rows_of((await operator.get("/admin/requests")).text)
    page = (await operator.get("/admin/requests?session=s%261")).text

    assert ["translated" in row for row in every] == [False, True]
    assert len(rows_of(page)) == 1
    assert values_of(page)["session"] == "s&1"
    assert "not carried: seed" in page


async def test_attempts_at_two_endpoints_of_one_key_are_told_apart(operator: Operator) -> None:
    tries = tuple(
        replace(ATTEMPT, number=number, backend_id=f"e{number}:k", api_format=name)
        for number, name in ((1, "openai_chat"), (2, "openai_responses"))
    )
    record = ledger_call(1, attempts=tries)
    async with operator.gateway.desk.db.write() as tx:
        await calls.insert_many(tx, [record])

    page = text_of((await operator.get(f"/admin/requests/{record.id}")).text)

    assert "1. openai/main openai_chat" in page
    assert "2. openai/main openai_responses" in page


async def test_a_refused_request_says_that_nothing_was_sent(operator: Operator) -> None:
    await operator.gateway.call("no-such-model")
    row = await operator.gateway.row()

    page = text_of((await operator.get(f"/admin/requests/{row.id}")).text)

    assert "Nothing was sent to a provider" in page
    assert "No tokens were used." in page
    assert "does not exist" in page


async def test_the_cost_is_shown_part_by_part(operator: Operator, provider: MakeProvider) -> None:
    gateway = operator.gateway
    await gateway.backend(await provider(answer()), models=("m",))
    model = gateway.desk.snapshot().models["m"]
    await models.update(gateway.desk, OPERATOR, model.id, {"input_price": "2", "output_price": "8"})
    await gateway.call("m")
    row = await gateway.row()

    page = text_of((await operator.get(f"/admin/requests/{row.id}")).text)

    assert "Input 9 $2 $0.000018" in page
    assert "Output 3 $8 $0.000024" in page
    assert "Total 12 $0.000042" in page


async def test_list_and_actual_cost_are_told_apart_where_they_differ(
    operator: Operator, provider: MakeProvider
) -> None:
    gateway = operator.gateway
    made = await gateway.backend(await provider(answer()), models=("m",))
    await models.update(gateway.desk, OPERATOR, made.models[0].id, {"input_price": "2", "output_price": "8"})
    await provider_keys.update(gateway.desk, OPERATOR, made.key.id, {"rate_multiplier": 0.5})
    await gateway.call("m")
    row = await gateway.row()

    page = text_of((await operator.get(f"/admin/requests/{row.id}")).text)

    assert "List cost 12 $0.000042" in page
    assert "Actual cost × 0.5 $0.000021" in page


async def test_an_unpriced_request_is_not_shown_as_free(operator: Operator, provider: MakeProvider) -> None:
    await operator.gateway.backend(await provider(answer()), models=("m",))
    await operator.gateway.call("m")
    row = await operator.gateway.row()

    page = text_of((await operator.get(f"/admin/requests/{row.id}")).text)

    assert "Total 12 unpriced" in page
    assert "has no price" in page


async def test_an_unknown_request_is_not_found(operator: Operator) -> None:
    for wanted in ("req_0", "x", "%00", "' OR 1=1 --"):
        assert (await operator.get(f"/admin/requests/{wanted}")).status_code == 404


def test_parts_of_a_cost_add_up_to_the_whole() -> None:
    price = Price(
        input=1_250, output=10_000, cache_read=125, cache_creation=1_500, per_request=7, cache_creation_1h=2_500
    )
    usage = Usage(4_000_000, 1_000_000, 2_000_000, 1_000_000, 5, UsageSource.REPORTED, 3_000_000)
    record = type(call())(**{**fields(call()), "usage": usage, "price": price})

    lines = {line.name: line.cost for line in cost_lines(record)}

    assert lines == {
        "Input": "$0.000005",
        "Read from cache": "$0.00000025",
        "Written to cache": "$0.0000015",
        "Written to cache for an hour": "$0.0000075",
        "Output": "$0.00001",
        "of which reasoning": "",
        "Per request": "$0.000000007",
    }


async def test_a_body_that_cannot_be_opened_is_told_in_its_place(operator: Operator) -> None:
    gateway = operator.gateway
    bearer = {"authorization": f"Bearer {gateway.management_token}"}
    await gateway.client.patch("/api/admin/settings", headers=bearer, json={"capture": "all"})
    await gateway.call("demo/echo")
    row = (await gateway.rows())[-1]
    async with gateway.desk.db.write() as tx:
        await tx.execute("UPDATE captures SET sealed = zeroblob(90) WHERE part = 'response_body'")

    page = await operator.get(f"/admin/requests/{row.id}")
    assert page.status_code == 200
    assert text_of(page.text).count("This cannot be opened") == 1
    done = await operator.submit(f"/admin/requests/{row.id}/capture/delete", page=f"/admin/requests/{row.id}")
    assert done.status_code == 303


async def test_headers_and_bodies_are_shown_where_they_are_kept_and_deleted(operator: Operator) -> None:
    gateway = operator.gateway
    await gateway.call("demo/echo")
    row = (await gateway.rows())[-1]
    assert "None are kept: the setting capture is off." in text_of(
        (await operator.get(f"/admin/requests/{row.id}")).text
    )

    bearer = {"authorization": f"Bearer {gateway.management_token}"}
    await gateway.client.patch("/api/admin/settings", headers=bearer, json={"capture": "all"})
    await gateway.call("demo/echo", messages=[{"role": "user", "content": "<script>alert(1)</script>"}])
    row = (await gateway.rows())[-1]
    html = (await operator.get(f"/admin/requests/{row.id}")).text
    shown = text_of(html)
    assert "authorization: ***" in shown and gateway.api_key not in html
    assert "<script>alert(1)" in shown and "<script>alert" not in html

    done = await operator.submit(f"/admin/requests/{row.id}/capture/delete", page=f"/admin/requests/{row.id}")
    assert done.status_code == 303
    after = text_of((await operator.get(f"/admin/requests/{row.id}")).text)
    assert "Nothing is left of its headers and bodies" in after
    assert "they are deleted by now" in after
