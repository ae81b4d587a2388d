"""The models pages: the list, one model's page with its forms, mappings, and what a provider lists."""

from __future__ import annotations

import re

import pytest

from gateway.control import backends, mappings, models
from gateway.model.registry import Model, ModelStatus
from tests.admin.browsing import Operator, fault_of, parse, text_of, values_of, words_of
from tests.conftest import MakeProvider
from tests.harness import OPERATOR
from tests.provider import Exchange, answer, refused

pytestmark = pytest.mark.anyio

LIST = {"object": "list", "data": [{"id": "Llama-9"}, {"id": "m"}, {"id": "<b>tiny</b>"}]}


async def listing_provider(exchange: Exchange) -> None:
    await answer(LIST if exchange.heard.path.endswith("/models") else None)(exchange)


async def served(operator: Operator, provider: MakeProvider) -> str:
    """The id of model m, served by p1 which lists three names."""
    made = await operator.gateway.backend(await provider(listing_provider))
    return made.models[0].id


async def stored(operator: Operator, model_id: str) -> Model:
    return await models.get(operator.gateway.desk, model_id)


async def filled(operator: Operator, page: str) -> dict[str, str]:
    """The fields of the form that changes what the page is about, without the token."""
    values = values_of((await operator.get(page)).text)
    return {name: value for name, value in values.items() if name != "csrf"}


async def test_the_list_shows_who_serves_each_model(operator: Operator, provider: MakeProvider) -> None:
    await served(operator, provider)
    await operator.gateway.call("m")
    await operator.gateway.rows()

    page = text_of((await operator.get("/admin/models?q=p1")).text)

    assert "1 model " in page
    assert "primary p1/main (p1/main: healthy; asked for m)" in page, page
    assert "unpriced" in page
    assert "100 %" in page
    assert "never" in page


async def test_the_list_is_filtered_and_the_filter_stays(operator: Operator) -> None:
    await models.create(operator.gateway.desk, OPERATOR, {"code": "draft-1", "display_name": "50% off"})

    drafts = (await operator.get("/admin/models?status=DRAFT")).text
    none = (await operator.get("/admin/models?q=nothing-like-it")).text
    wrong = await operator.get("/admin/models?status=odd")

    assert "draft-1" in text_of(drafts) and "demo/echo" not in text_of(drafts)
    assert values_of(drafts)["status"] == "DRAFT"
    assert "No model matches" in text_of(none)
    assert (wrong.status_code, "status must be one of" in text_of(wrong.text)) == (422, True)
    assert "draft-1" in (await operator.get("/admin/models?q=50%25")).text


async def test_a_long_list_has_pages(operator: Operator) -> None:
    for number in range(60):
        await models.create(operator.gateway.desk, OPERATOR, {"code": f"m-{number:02d}"})

    first = (await operator.get("/admin/models?status=DRAFT")).text
    second = (await operator.get("/admin/models?status=DRAFT&page=2")).text
    beyond = (await operator.get("/admin/models?status=DRAFT&page=99")).text

    assert re.findall(r'href="([^"]+)">More', first) == ["/admin/models?status=DRAFT&amp;page=2"]
    assert len(re.findall(r'class="mono cut"', first)) == 50
    assert len(re.findall(r'class="mono cut"', second)) == 10
    assert text_of(beyond) == text_of(second)


async def test_a_model_is_added_as_a_draft_and_gets_a_provider(operator: Operator, provider: MakeProvider) -> None:
    await served(operator, provider)

    made = await operator.submit("/admin/models/new", code="Fast", display_name="Fast one", description="")
    page = made.headers["location"]
    early = await operator.submit(f"{page}/status", page, status="ENABLED")
    provider_id = operator.gateway.desk.snapshot().providers["p1"].id
    added = await operator.submit(f"{page}/mappings", page, provider_id=provider_id, upstream_name="Llama-9")
    enabled = await operator.submit(f"{page}/status", page, status="ENABLED")

    assert early.status_code == 422
    assert "fast cannot be ENABLED: no provider is mapped to it; map one first." in text_of(early.text)
    assert (added.status_code, enabled.status_code) == (303, 303)
    assert (await operator.gateway.call("fast")).status_code == 200
    assert "Enabled: calls may ask for it." in text_of((await operator.get(page)).text)


async def test_a_code_that_is_taken_comes_back_with_its_fault(operator: Operator) -> None:
    got = await operator.submit("/admin/models/new", code="demo/echo", display_name="x")
    assert got.status_code == 422
    assert fault_of(got.text, "code") == "Is taken: there is already demo/echo"
    assert values_of(got.text)["display_name"] == "x"


async def test_saving_the_form_as_it_came_changes_nothing_but_the_version(
    operator: Operator, provider: MakeProvider
) -> None:
    model_id = await served(operator, provider)
    whole = {
        **{"aliases": ["fast", "m-*"], "capabilities": [], "input_price": "1.25", "output_price": "10"},
        **{"cache_read_price": "0.5", "context_limit": 1000, "description": "two\nlines", "input_modalities": ["text"]},
    }
    before = await models.update(operator.gateway.desk, OPERATOR, model_id, whole)
    page = f"/admin/models/{model_id}"

    got = await operator.submit(page, page, **await filled(operator, page))

    after = await stored(operator, model_id)
    assert got.status_code == 303
    assert (after.price, after.aliases, after.capabilities) == (before.price, before.aliases, ())
    assert (after.description, after.context_limit) == (before.description, 1000)
    assert after.version == before.version + 1


async def test_faults_are_told_beside_their_fields(operator: Operator, provider: MakeProvider) -> None:
    page = f"/admin/models/{await served(operator, provider)}"
    values = {**await filled(operator, page), "context_limit": "many", "input_price": "1"}

    got = await operator.submit(page, page, **values)

    assert got.status_code == 422
    assert fault_of(got.text, "context_limit") == "Must be a whole number"
    assert values_of(got.text)["input_price"] == "1"


async def test_a_form_that_came_too_late_shows_what_the_other_one_made(
    operator: Operator, provider: MakeProvider
) -> None:
    model_id = await served(operator, provider)
    page = f"/admin/models/{model_id}"
    mine = {**await filled(operator, page), "display_name": "Mine"}
    await models.update(operator.gateway.desk, OPERATOR, model_id, {"display_name": "Theirs", "family": "f"})

    late = await operator.submit(page, page, **mine)

    assert late.status_code == 409
    assert fault_of(late.text, "display_name") == "Is now Theirs"
    assert fault_of(late.text, "family") == "Is now f"
    assert values_of(late.text)["display_name"] == "Mine"
    assert (await stored(operator, model_id)).display_name == "Theirs"

    again = {name: value for name, value in values_of(late.text).items() if name != "csrf"}
    assert (await operator.submit(page, page, **again)).status_code == 303
    assert (await stored(operator, model_id)).display_name == "Mine"


async def test_only_allowed_steps_of_its_life_are_offered(operator: Operator, provider: MakeProvider) -> None:
    model_id = await served(operator, provider)
    page = f"/admin/models/{model_id}"
    steps = 'name="status" value="(\\w+)"'

    enabled = re.findall(steps, (await operator.get(page)).text)
    await operator.submit(f"{page}/status", page, status="DEPRECATED")
    deprecated = re.findall(steps, (await operator.get(page)).text)
    refused_step = await operator.submit(f"{page}/status", page, status="ENABLED")

    assert (enabled, deprecated) == (["DISABLED", "DEPRECATED"], ["DISABLED"])
    assert refused_step.status_code == 422
    assert "cannot go from DEPRECATED to ENABLED" in text_of(refused_step.text)


async def test_disabling_says_which_rules_pass_it_over(operator: Operator, provider: MakeProvider) -> None:
    model_id = await served(operator, provider)
    page = f"/admin/models/{model_id}"
    await operator.submit(
        "/admin/route-rules/new", route_type="AGENT", route_key="coder", model_id=model_id, priority="50"
    )

    await operator.submit(f"{page}/status", page, status="DISABLED")

    assert "pass it over while it is DISABLED: AGENT coder" in text_of((await operator.get(page)).text)


async def test_a_model_is_deleted_only_when_its_code_is_typed_and_no_rule_needs_it(
    operator: Operator, provider: MakeProvider
) -> None:
    model_id = await served(operator, provider)
    page = f"/admin/models/{model_id}"
    await operator.submit(f"{page}/status", page, status="DISABLED")
    rule = {"route_type": "GLOBAL", "route_key": "", "model_id": model_id, "priority": "50"}
    await operator.submit("/admin/route-rules/new", **rule)

    wrong = await operator.submit(f"{page}/delete", page, typed="x")
    needed = await operator.submit(f"{page}/delete", page, typed="m")
    rule_id = operator.gateway.desk.snapshot().registry.route_rules[0].id
    await operator.submit(f"/admin/route-rules/{rule_id}/delete")
    gone = await operator.submit(f"{page}/delete", page, typed="m")

    assert fault_of(wrong.text, "typed") == "Must be m"
    assert (needed.status_code, "GLOBAL __global__" in text_of(needed.text)) == (409, True)
    assert (gone.status_code, (await operator.get(page)).status_code) == (303, 404)


async def test_a_check_shows_what_each_backend_said(operator: Operator, provider: MakeProvider) -> None:
    model_id = await served(operator, provider)
    page = f"/admin/models/{model_id}"
    await operator.gateway.backend(await provider(refused(500, "broken")))

    got = await operator.submit(f"{page}/check", page, probe="models")
    shown = text_of((await operator.get(page)).text)

    assert got.headers["location"] == f"{page}#checks"
    assert "degraded asked for models" in shown
    assert "1 of 2 backends did not answer." in shown
    assert "It lists m." in shown
    assert "degraded" in text_of((await operator.get("/admin/models?q=p1")).text)


async def test_a_message_is_tried_and_its_reply_shown(operator: Operator, provider: MakeProvider) -> None:
    page = f"/admin/models/{await served(operator, provider)}"

    got = await operator.submit(f"{page}/test", page, message="Say hello", system_prompt="", backend="")
    shown = await operator.get(page)

    assert got.headers["location"] == f"{page}#tests"
    assert "passed p1/main" in text_of(shown.text)
    assert "Hello!" in shown.text
    assert f"/admin/requests/{(await operator.gateway.row()).id}" in shown.text


async def test_a_try_that_cannot_be_made_says_why(operator: Operator, provider: MakeProvider) -> None:
    page = f"/admin/models/{await served(operator, provider)}"

    empty = await operator.submit(f"{page}/test", page, message=" ", backend="nowhere")
    await operator.submit(f"{page}/status", page, status="DISABLED")
    off = await operator.submit(f"{page}/test", page, message="Hi")

    assert (empty.status_code, off.status_code) == (422, 409)
    assert fault_of(empty.text, "message") == "Is required"
    assert "m is DISABLED" in text_of(off.text)


async def test_explain_tells_the_order_without_sending_anything(operator: Operator, provider: MakeProvider) -> None:
    there = await provider(answer())
    made = await operator.gateway.backend(there)
    page = f"/admin/models/{made.models[0].id}"

    plain = text_of((await operator.get(page)).text)
    found = text_of((await operator.get(f"{page}?explain=1")).text)
    odd = await operator.get(f"{page}?explain=1&api_key=nobody")

    assert "Served as" not in plain
    assert "Served as m" in found and "p1/main primary tried first" in found
    assert (odd.status_code, fault_of(odd.text, "api_key")[:16]) == (200, "Names no API key")
    assert there.heard == []


async def test_a_mapping_is_changed_and_taken_away(operator: Operator, provider: MakeProvider) -> None:
    model_id = await served(operator, provider)
    (mapping,) = [row for row in await mappings.listing(operator.gateway.desk) if row.model_id == model_id]
    page = f"/admin/mappings/{mapping.id}"
    prices = {"input_price": "0.5", "output_price": "2"}
    values = {**await filled(operator, page), **prices, "aliases": "a-east 0\na-west 1 openai_chat"}

    saved = await operator.submit(page, page, **values)
    shown = text_of((await operator.get(f"/admin/models/{model_id}")).text)
    late = await operator.submit(page, page, **{**values, "upstream_name": "other"})
    odd = await operator.submit(page, page, **{**await filled(operator, page), "output_price": "x"})
    gone = await operator.submit(f"{page}/delete", f"{page}/delete")

    assert saved.headers["location"] == f"/admin/models/{model_id}"
    assert "a-east, a-west" in shown and "$0.5 in, $2 out mapping v2" in shown
    assert (late.status_code, fault_of(late.text, "upstream_name")) == (409, "Is now m")
    assert (odd.status_code, fault_of(odd.text, "output_price")[:7]) == (422, "Must be")
    assert gone.status_code == 303
    assert "Nobody serves it yet." in text_of((await operator.get(f"/admin/models/{model_id}")).text)


async def test_a_provider_is_added_once(operator: Operator, provider: MakeProvider) -> None:
    page = f"/admin/models/{await served(operator, provider)}"
    got = await operator.submit(f"{page}/mappings", page, provider_id="p1", upstream_name="")
    assert got.status_code == 422
    assert "is mapped already: p1 serves m" in text_of(got.text)


async def test_models_of_a_provider_are_picked_attached_and_detached(
    operator: Operator, provider: MakeProvider
) -> None:
    await served(operator, provider)
    page = f"/admin/providers/{operator.gateway.desk.snapshot().providers['p1'].id}/models"

    before = await operator.get(page)
    attached = await operator.submit(f"{page}/attach", page, **{"pick:Llama-9": "on"})
    after = text_of((await operator.get(f"{page}?q=LLAMA")).text)
    status = operator.gateway.desk.snapshot().models["llama-9"].status
    detached = await operator.submit(f"{page}/detach", page, **{"pick:Llama-9": "on", "pick:m": "on"})

    assert "<b>tiny" not in before.text
    assert "m m attached" in text_of(before.text)
    assert (attached.status_code, detached.status_code) == (303, 303)
    assert "Llama-9 llama-9 attached" in after and "tiny" not in after
    assert status is ModelStatus.ENABLED
    assert "attached" not in text_of((await operator.get(page)).text).replace("Detached", "")


async def test_what_cannot_be_attached_says_why_and_the_boxes_stay_ticked(
    operator: Operator, provider: MakeProvider
) -> None:
    await served(operator, provider)
    page = f"/admin/providers/{operator.gateway.desk.snapshot().providers['p1'].id}/models"

    nothing = await operator.submit(f"{page}/attach", page)
    bad = await operator.submit(f"{page}/attach", page, **{"pick:<b>tiny</b>": "on"})
    absent = await operator.submit(f"{page}/detach", page, **{"pick:Llama-9": "on"})

    assert (nothing.status_code, bad.status_code, absent.status_code) == (422, 422, 422)
    assert "Tick at least one model first." in text_of(nothing.text)
    assert values_of(bad.text)["pick:<b>tiny</b>"] == "on"
    assert "names what p1 does not serve: Llama-9" in text_of(absent.text)


async def test_what_a_provider_no_longer_lists_can_be_written_down(operator: Operator, provider: MakeProvider) -> None:
    await operator.gateway.backend(await provider(listing_provider), models={"m": "m", "old": "old-name"})
    page = f"/admin/providers/{operator.gateway.desk.snapshot().providers['p1'].id}/models"

    before = text_of((await operator.get(page)).text)
    got = await operator.submit(f"{page}/refresh", page)
    after = text_of((await operator.get(page)).text)

    assert "old-name old not listed" in before and "Refresh availability" in before
    assert got.status_code == 303
    assert "Refresh availability" not in after
    assert (await operator.gateway.call("old")).status_code == 503


async def test_a_provider_that_does_not_answer_is_shown_as_such(operator: Operator, provider: MakeProvider) -> None:
    await operator.gateway.backend(await provider(refused(401, "bad key")))
    page = f"/admin/providers/{operator.gateway.desk.snapshot().providers['p1'].id}/models"

    got = await operator.get(page)

    assert got.status_code == 200
    assert "p1 did not tell its models." in text_of(got.text)
    assert (await operator.get("/admin/providers/nowhere/models")).status_code == 404


async def test_explain_is_asked_in_an_api_format_and_marks_what_is_translated(operator: Operator) -> None:
    desk = operator.gateway.desk
    made = await backends.create(desk, OPERATOR, {"name": "openai", "preset": "openai", "models": ["gpt"]})
    page = f"/admin/models/{made.models[0].id}?explain=1"

    chat = text_of((await operator.get(page)).text)
    messages = await operator.get(f"{page}&api_format=anthropic_messages")
    wrong = await operator.get(f"{page}&api_format=smoke")

    assert "openai/main openai_chat primary tried first openai/main openai_responses primary translated" in chat
    assert values_of(messages.text)["api_format"] == "anthropic_messages"
    assert "primary translated tried first" in text_of(messages.text)
    assert fault_of(wrong.text, "api_format").startswith("Must be one of")


async def test_backends_of_one_key_are_one_chip_and_told_apart_where_one_is_tried(operator: Operator) -> None:
    desk = operator.gateway.desk
    made = await backends.create(desk, OPERATOR, {"name": "openai", "preset": "openai", "models": ["gpt"]})

    listed = parse((await operator.get("/admin/models?q=gpt")).text)
    page = parse((await operator.get(f"/admin/models/{made.models[0].id}")).text)

    chips = [words_of(one) for one in listed.iter("a") if one.get("class") == "chip"]
    assert len(chips) == 1
    choice = next(one for one in page.iter("select") if one.get("name") == "backend")
    offered = {words_of(one) for one in choice.iter("option")}
    assert offered == {"Any backend", "openai/main (openai_chat)", "openai/main (openai_responses)"}
