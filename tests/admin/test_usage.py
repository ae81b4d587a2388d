"""The page of usage with real calls behind it."""

from __future__ import annotations

import pytest

from tests.admin.browsing import Operator, parse, text_of

pytestmark = pytest.mark.anyio


async def test_an_unused_gateway_says_that_there_is_nothing(operator: Operator) -> None:
    page = await operator.get("/admin/usage")

    assert page.status_code == 200
    assert "Nothing to show in the last 7 days" in text_of(page.text)


async def test_calls_show_in_the_chart_the_table_and_the_week(operator: Operator) -> None:
    for model in ("demo/echo", "demo/echo", "no-such-model"):
        await operator.gateway.call(model)
    await operator.gateway.rows()

    page = (await operator.get("/admin/usage?group=model&range=7d")).text
    words = text_of(page)

    assert "Requests per day by model" in words
    assert "demo/echo 66.7 % 2 0" in words
    assert "no model 33.3 % 1 1" in words
    assert "Requests by hour of the week UTC" in words
    assert "Cost by provider" not in words  # nothing has cost anything
    assert (
        'href="/admin/usage?metric=requests&amp;range=7d&amp;bucket=day&amp;group=api_key&amp;model=demo%2Fecho"'
        in page
    )


async def test_a_filter_is_shown_and_can_be_taken_away(operator: Operator) -> None:
    await operator.gateway.call("demo/echo")
    await operator.gateway.rows()

    page = (await operator.get("/admin/usage?group=provider&model=demo/echo&metric=cost")).text

    assert "Model: demo/echo" in text_of(page)
    chips = [a.get("href") for a in parse(page).iter("a") if a.get("title") == "Take this filter away"]
    assert chips == ["/admin/usage?metric=cost&group=provider&range=7d&bucket=day"]


@pytest.mark.parametrize("metric", ["p50_first", "p95_first", "p50_total", "p95_total"])
async def test_percentiles_are_lines(operator: Operator, metric: str) -> None:
    await operator.gateway.call("demo/echo")
    await operator.gateway.rows()

    page = (await operator.get(f"/admin/usage?metric={metric}&range=24h")).text

    assert 'class="area lines"' in page
    assert "ms" in text_of(page)


@pytest.mark.parametrize("query", ["metric=fame", "group=model&subgroup=user&provider=p", "range=century"])
async def test_a_question_that_cannot_be_answered_says_why(operator: Operator, query: str) -> None:
    page = await operator.get(f"/admin/usage?{query}")

    assert page.status_code == 422
    assert 'role="alert"' in page.text


async def test_files_have_what_the_pages_show(operator: Operator) -> None:
    await operator.gateway.call("demo/echo")
    await operator.gateway.call("no-such-model")
    await operator.gateway.rows()

    requests = await operator.get("/admin/requests.csv?status=completed")
    usage = await operator.get("/admin/usage.jsonl?group=model&range=24h")

    assert (requests.status_code, requests.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert requests.text.count("\n") == 2
    assert usage.headers["content-disposition"] == 'attachment; filename="usage.jsonl"'
    assert usage.text.count("\n") == 2
    assert (await operator.get("/admin/requests.xls")).status_code == 404
    page = (await operator.get("/admin/requests?status=completed")).text
    assert 'href="/admin/requests.csv?status=completed"' in page
