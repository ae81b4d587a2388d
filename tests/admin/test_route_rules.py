"""The pages of route rules: chains with their winners, adding, changing and moving a rule."""

from __future__ import annotations

import pytest

from gateway.control import route_rules
from gateway.model.registry import RouteRule
from tests.admin.browsing import Operator, fault_of, text_of, values_of

pytestmark = pytest.mark.anyio

PAGE = "/admin/route-rules"


def model_id(operator: Operator, code: str) -> str:
    return operator.gateway.desk.snapshot().models[code].id


async def add(operator: Operator, code: str, **changes: str) -> RouteRule:
    form = {
        **{"route_type": "AGENT", "route_key": "coder", "model_id": model_id(operator, code), "priority": "50"},
        **{"is_enabled": "on", "note": "", **changes},
    }
    got = await operator.submit(f"{PAGE}/new", f"{PAGE}/new", **form)
    assert got.status_code == 303, text_of(got.text)
    return next(rule for rule in await route_rules.listing(operator.gateway.desk) if rule.model_id == form["model_id"])


async def test_a_chain_shows_who_serves_now_and_why_the_others_do_not(operator: Operator) -> None:
    await add(operator, "demo/slow", priority="10", is_enabled="")
    await add(operator, "demo/echo", priority="20", note="for now")
    await add(operator, "demo/500", priority="30")

    page = text_of((await operator.get(PAGE)).text)

    assert "agent coder now served by demo/echo" in page
    assert "demo/slow passed over The rule is switched off." in page
    assert "demo/echo serves now for now" in page
    assert "demo/500 stands by" in page


async def test_without_rules_the_page_says_what_they_are_for(operator: Operator) -> None:
    page = text_of((await operator.get(PAGE)).text)
    assert "No route rule yet" in page and "asks for the model auto" in page


async def test_a_global_rule_needs_no_key(operator: Operator) -> None:
    made = await add(operator, "demo/echo", route_type="GLOBAL", route_key="left over")

    assert made.route_key == "__global__"
    page = text_of((await operator.get(PAGE)).text)
    assert "global Every other call now served by demo/echo" in page
    assert values_of((await operator.get(f"{PAGE}/{made.id}")).text)["route_key"] == ""
    answered = await operator.gateway.call("auto")
    assert answered.headers["x-gateway-model"] == "demo/echo"


async def test_bad_values_come_back_with_their_faults(operator: Operator) -> None:
    got = await operator.submit(
        f"{PAGE}/new", f"{PAGE}/new", route_type="AGENT", route_key="", model_id="nowhere", priority="x"
    )
    assert (got.status_code, fault_of(got.text, "priority")) == (422, "Must be a whole number")

    got = await operator.submit(
        f"{PAGE}/new", route_type="AGENT", route_key="", model_id=model_id(operator, "demo/echo"), priority="5"
    )
    assert fault_of(got.text, "route_key").startswith("Must name what it goes by")
    assert values_of(got.text)["priority"] == "5"


async def test_a_rule_is_changed_and_a_late_form_shows_the_others_change(operator: Operator) -> None:
    rule = await add(operator, "demo/echo")
    page = f"{PAGE}/{rule.id}"
    form = {name: value for name, value in values_of((await operator.get(page)).text).items() if name != "csrf"}

    saved = await operator.submit(page, page, **{**form, "note": "mine"})
    late = await operator.submit(page, page, **{**form, "note": "late", "priority": "7"})

    assert saved.headers["location"] == PAGE
    assert (late.status_code, fault_of(late.text, "note")) == (409, "Is now mine")
    assert values_of(late.text)["version"] == "2"
    bad = await operator.submit(page, page, **{**form, "version": "2", "priority": "9999"})
    assert (bad.status_code, fault_of(bad.text, "priority")) == (422, "Must be 1000 or less")


async def test_a_rule_moves_by_arrow_and_by_number(operator: Operator) -> None:
    first = await add(operator, "demo/echo", priority="10")
    second = await add(operator, "demo/slow", priority="20")

    await operator.submit(f"{PAGE}/{second.id}/move", direction="up")
    assert "now served by demo/slow" in text_of((await operator.get(PAGE)).text)
    await operator.submit(f"{PAGE}/{second.id}/move", direction="down")
    assert "now served by demo/echo" in text_of((await operator.get(PAGE)).text)

    placed = await operator.submit(f"{PAGE}/{first.id}/place", priority="900")
    refused = await operator.submit(f"{PAGE}/{first.id}/place", priority="first")
    assert placed.status_code == 303
    assert "now served by demo/slow" in text_of((await operator.get(PAGE)).text)
    assert (refused.status_code, fault_of(refused.text, "priority")) == (422, "Must be a whole number")


async def test_a_rule_is_switched_off_on_and_deleted(operator: Operator) -> None:
    rule = await add(operator, "demo/echo")

    await operator.submit(f"{PAGE}/{rule.id}/disable")
    off = text_of((await operator.get(PAGE)).text)
    await operator.submit(f"{PAGE}/{rule.id}/enable")
    on = text_of((await operator.get(PAGE)).text)
    asked = await operator.get(f"{PAGE}/{rule.id}/delete")
    gone = await operator.submit(f"{PAGE}/{rule.id}/delete")

    assert "nothing can serve it now" in off and "serves now" in on
    assert "Delete the rule AGENT coder?" in text_of(asked.text)
    assert (gone.status_code, await route_rules.listing(operator.gateway.desk)) == (303, ())


async def test_explain_goes_by_the_purpose_that_is_named(operator: Operator) -> None:
    await add(operator, "demo/echo")

    found = text_of((await operator.get(f"{PAGE}?explain=1&agent=coder")).text)
    none = text_of((await operator.get(f"{PAGE}?explain=1&agent=other")).text)

    assert "Served as demo/echo by the rule AGENT:coder" in found
    assert "Such a call would be refused." in none


async def test_a_rule_can_begin_with_its_model(operator: Operator) -> None:
    wanted = model_id(operator, "demo/slow")
    assert values_of((await operator.get(f"{PAGE}/new?model_id={wanted}")).text)["model_id"] == wanted


async def test_a_deprecated_model_is_offered_only_where_it_is_the_target(operator: Operator) -> None:
    rule = await add(operator, "demo/echo")
    page = f"/admin/models/{rule.model_id}"
    await operator.submit(f"{page}/status", page, status="DEPRECATED")

    assert "demo/echo" not in text_of((await operator.get(f"{PAGE}/new")).text)
    assert values_of((await operator.get(f"{PAGE}/{rule.id}")).text)["model_id"] == rule.model_id
