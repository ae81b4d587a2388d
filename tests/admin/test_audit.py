"""The audit log in the browser."""

from __future__ import annotations

import pytest

from gateway.control import pools
from tests.admin.browsing import Operator, text_of, values_of
from tests.desks import ANN

pytestmark = pytest.mark.anyio


async def test_a_change_is_shown_with_its_fields_before_and_after(operator: Operator) -> None:
    desk = operator.gateway.desk
    pool = await pools.create(desk, ANN, {"name": "third"})
    await pools.update(desk, ANN, pool.id, {"tier": 7})

    page = await operator.get(f"/admin/audit?object_id={pool.id}")

    words = text_of(page.text)
    assert "ann user, 192.0.2.7 update third pool" in words
    assert f'href="/admin/pools/{pool.id}"' in page.text
    assert "tier" in words and "becomes" in page.text
    assert words.index("update") < words.index("create third")


async def test_filters_stay_in_the_form_and_a_bad_one_is_told(operator: Operator) -> None:
    kept = await operator.get("/admin/audit?actor=ann&action=sign_in&since=2026-01-02")
    bad = await operator.get("/admin/audit?since=soon")
    none = await operator.get("/admin/audit?actor=nobody&action=odd")

    assert values_of(kept.text)["actor"] == "ann" and values_of(kept.text)["since"] == "2026-01-02"
    assert bad.status_code == 422 and "since must be" in text_of(bad.text)
    assert "No row matches" in text_of(none.text) and values_of(none.text)["action"] == "odd"


async def test_older_rows_are_a_page_away(operator: Operator) -> None:
    for number in range(60):
        await pools.create(operator.gateway.desk, ANN, {"name": f"pool-{number}"})

    first = await operator.get("/admin/audit?actor=ann")
    older = first.text.split('href="')
    link = next(part.split('"')[0] for part in older if "before=" in part.split('"')[0])
    second = await operator.get(link.replace("&amp;", "&"))

    assert "pool-59" in text_of(first.text) and "pool-0 " not in text_of(first.text)
    assert "pool-0 " in text_of(second.text)
    assert (await operator.get("/admin/audit?before=x")).status_code == 200


async def test_a_refused_request_is_a_row_of_its_own(operator: Operator) -> None:
    await operator.gateway.client.get("/api/admin/models", headers={"authorization": "Bearer nope"})

    words = text_of((await operator.get("/admin/audit?action=refused")).text)

    assert "unknown token, 127.0.0.1 refused GET /api/admin/models request" in words
