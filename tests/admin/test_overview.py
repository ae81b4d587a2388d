"""The overview with real calls behind it."""

from __future__ import annotations

import pytest

from gateway.admin.overview import kept_words
from gateway.control.overview import Kept
from tests.admin.browsing import Operator, parse, text_of
from tests.conftest import MakeProvider
from tests.provider import answer, limited

pytestmark = pytest.mark.anyio


async def test_an_unused_gateway_says_what_to_do_next(operator: Operator) -> None:
    page = await operator.get("/admin")

    assert "No requests in the last 24 hours" in text_of(page.text)
    assert 'href="/admin/setup/first-call"' in page.text


async def test_calls_show_as_figures_and_as_rows(operator: Operator) -> None:
    for model in ("demo/echo", "demo/echo", "no-such-model"):
        await operator.gateway.call(model)
    await operator.gateway.rows()

    page = text_of((await operator.get("/admin?range=1h")).text)

    assert "Requests 3" in page
    assert "Errors 1 33.3 %" in page
    assert "demo/echo 2" in page
    assert "Requests per 2 min by model" in page
    assert "demo 100 %" in page
    assert page.count("demo/main") == 2


async def test_what_needs_attention_is_on_top(operator: Operator, provider: MakeProvider) -> None:
    await operator.gateway.backend(await provider(limited(41)), models=("m",))
    await operator.gateway.call("m")
    await operator.gateway.rows()

    page = text_of((await operator.get("/admin")).text)

    assert "1 thing needs attention. p1/main rests after a limit, back in 4" in page
    assert "1 cooling" in page


async def test_a_model_without_a_price_is_named(operator: Operator, provider: MakeProvider) -> None:
    await operator.gateway.backend(await provider(answer()), models=("m",))
    await operator.gateway.call("m")
    await operator.gateway.rows()

    page = await operator.get("/admin")

    assert "m was used and has no price" in text_of(page.text)
    assert page.text.count('href="/admin/prices"') == 2


@pytest.mark.parametrize("code", ["1h", "24h", "7d", "30d"])
async def test_the_range_is_in_the_address_and_marked(operator: Operator, code: str) -> None:
    await operator.gateway.call("demo/echo")
    await operator.gateway.rows()

    tree = parse((await operator.get(f"/admin?range={code}")).text)

    marked = [a.get("href") for a in tree.iter("a") if a.get("aria-current") == "true"]
    assert marked == [f"/admin?range={code}"]


async def test_an_unknown_range_is_the_usual_one(operator: Operator) -> None:
    page = await operator.get("/admin?range=century")

    assert page.status_code == 200
    assert 'hx-get="/admin?range=24h"' in page.text


async def test_figures_lead_to_the_requests_behind_them(operator: Operator) -> None:
    page = await operator.get("/admin?range=7d")

    assert 'href="/admin/requests?range=7d"' in page.text
    assert 'href="/admin/requests?range=7d&amp;status=failed"' in page.text


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (
            Kept(90, 2**32, 3 * 2**29, 86_400_000),
            "for 90 days and in 4 GiB; 1.5 GiB are used, the oldest of 1970-01-02.",
        ),
        (Kept(None, None, 2**20, None), "for good; 1 MiB are used."),
    ],
)
def test_it_is_told_how_long_requests_are_kept(kept: Kept, words: str) -> None:
    assert kept_words(kept) == f"Requests are kept {words}"


async def test_the_overview_says_what_is_kept(operator: Operator) -> None:
    assert "Requests are kept for 90 days and in " in text_of((await operator.get("/admin")).text)


@pytest.mark.parametrize(
    ("code", "words"), [("1h", "per 2 min"), ("24h", "per hour"), ("7d", "per 4 h"), ("30d", "per day")]
)
async def test_a_point_of_the_chart_is_told(operator: Operator, code: str, words: str) -> None:
    await operator.gateway.call("demo/echo")
    await operator.gateway.rows()

    assert f"Requests {words} by model" in text_of((await operator.get(f"/admin?range={code}")).text)
