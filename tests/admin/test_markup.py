"""Every page as a parser and as a screen reader see it: well-formed, labelled, named."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest

from gateway.admin.routes import PAGES
from gateway.control import announcements, api_keys, tokens, users
from tests.admin.browsing import PASSWORD, Operator, parse, visitor
from tests.harness import OPERATOR, running_gateway
from tests.provider import limited, scripted_provider

ACTIVE = {"script", "link", "use", "svg"}


async def every_page(operator: Operator) -> dict[str, str]:
    """Each page that can be looked at, and each form with faults, by a name."""
    gateway = operator.gateway
    await gateway.call("no-such-model")
    await gateway.call("demo/echo")
    row = await gateway.row()
    backend = next(iter(gateway.desk.snapshot().backends))
    key = gateway.desk.snapshot().registry.api_keys[0].id
    registry = gateway.desk.snapshot().registry
    model = next(model for model in registry.models if model.code == "demo/echo")
    await operator.submit(
        "/admin/route-rules/new", route_type="AGENT", route_key="coder", model_id=model.id, priority="5"
    )
    await operator.submit(f"/admin/models/{model.id}/check", probe="completion")
    await operator.submit(f"/admin/models/{model.id}/test", message="Hello")
    rule = gateway.desk.snapshot().registry.route_rules[0]
    ids = {"/backends/": backend, "/keys/": key, "/requests/": row.id, "/models/": model.id, "/route-rules/": rule.id}
    ids |= {"/mappings/": registry.mappings[0].id, "/providers/": registry.providers[0].id}
    ids |= {"/provider-keys/": registry.keys[0].id, "/pools/": registry.pools[0].id}
    ids |= {"/endpoints/": registry.endpoints[0].id}
    registry_users = gateway.desk.snapshot().registry.users
    own = {"name": "own", "user_id": registry_users[0].id}
    ids = {"/home/keys/": (await api_keys.create(gateway.desk, OPERATOR, own))[1].id, **ids}
    news = {"title": "Hello", "body": "**Bold** and `code`\n\n| a |\n| --- |\n| b |", "is_pinned": True}
    ids |= {"/announcements/": (await announcements.create(gateway.desk, OPERATOR, news)).id}
    ids |= {"/users/": registry_users[0].id, "/tokens/": (await tokens.every(gateway.desk))[0].id}
    gone = await users.create(gateway.desk, OPERATOR, {"username": "gone", "password": PASSWORD})
    await users.delete(gateway.desk, OPERATOR, gone.id)
    found = {}
    for method, path, door in PAGES:
        if method == "GET" and door.policy != "public":
            real = path.replace("{id}", next((one for part, one in ids.items() if part in path), ""))
            found[path] = (await operator.get(real)).text
    found["new custom"] = (await operator.get("/admin/providers/new?preset=custom")).text
    found["new faults"] = (await operator.submit("/admin/providers/new", name="", preset="custom", rpm_limit="x")).text
    found["key faults"] = (await operator.submit("/admin/keys/new", name="", models="listed")).text
    found["edit faults"] = (await operator.submit(f"/admin/backends/{backend}", part="backend", rpm_limit="x")).text
    provider_key = f"/admin/provider-keys/{registry.keys[0].id}"
    found["provider key faults"] = (await operator.submit(provider_key, rpm_limit="x", pool="nowhere")).text
    await operator.submit(f"{provider_key}/rotate", api_key="sk-CANARY-0123456789")
    found["paste faults"] = (await operator.submit("/admin/provider-keys/paste", api_keys="", pool="x")).text
    found["provider key rotated"] = (await operator.get(provider_key)).text
    found["provider key shown"] = (await operator.submit(f"{provider_key}/reveal")).text
    provider, endpoint = f"/admin/providers/{ids['/providers/']}", f"/admin/endpoints/{ids['/endpoints/']}"
    pool = f"/admin/pools/{ids['/pools/']}"
    found["provider faults"] = (await operator.submit(provider, name="x y", website="x", is_active="on")).text
    found["provider is late"] = (await operator.submit(provider, name="demo", priority="3", version="99")).text
    found["provider monitor faults"] = (await operator.get(f"{provider}?lookback_hours=x&per_endpoint_limit=1")).text
    found["endpoint faults"] = (await operator.submit(endpoint, rpm_limit="x", headers="x", proxy="x")).text
    found["new endpoint faults"] = (await operator.submit(f"{provider}/endpoints/new", base_url="x")).text
    found["pool faults"] = (await operator.submit(pool, tier="x", strategy="x")).text
    found["pool in use"] = (await operator.submit(f"{pool}/delete")).text
    found["delete faults"] = (await operator.submit(f"/admin/keys/{key}/delete", typed="x")).text
    found["made key"] = (await operator.submit("/admin/keys/new", name="k", models="all")).text
    found["tested"] = (await operator.submit(f"/admin/backends/{backend}/test")).text
    found["filter faults"] = (await operator.get("/admin/requests?code=abc&range=zz")).text
    found["filtered to nothing"] = (await operator.get("/admin/requests?text=nowhere")).text
    of_model = f"/admin/models/{model.id}"
    found["model faults"] = (await operator.submit(of_model, code="x y", input_price="x")).text
    found["model is late"] = (await operator.submit(of_model, code="demo/echo", version="99")).text
    found["model explained"] = (await operator.get(f"{of_model}?explain=1")).text
    found["model explained with faults"] = (await operator.get(f"{of_model}?explain=1&api_key=x")).text
    found["try faults"] = (await operator.submit(f"{of_model}/test", message="", backend="x")).text
    found["new model faults"] = (await operator.submit("/admin/models/new", code="")).text
    found["mapping faults"] = (await operator.submit(f"/admin/mappings/{ids['/mappings/']}", input_price="x")).text
    found["price edited"] = (await operator.get(f"/admin/prices?edit={ids['/mappings/']}")).text
    found["price faults"] = (await operator.submit(f"/admin/prices/{ids['/mappings/']}", input_price="x")).text
    found["no price"] = (await operator.get("/admin/prices?q=nowhere")).text
    found["no model"] = (await operator.get("/admin/models?q=nowhere")).text
    found["models filter faults"] = (await operator.get("/admin/models?status=odd")).text
    found["nothing picked"] = (await operator.submit(f"/admin/providers/{ids['/providers/']}/models/attach")).text
    found["rule faults"] = (await operator.submit("/admin/route-rules/new", route_type="x", priority="x")).text
    found["rules explained"] = (await operator.get("/admin/route-rules?explain=1&agent=coder")).text
    person = f"/admin/users/{ids['/users/']}"
    found["user faults"] = (await operator.submit(person, username="x y", models="listed")).text
    found["new user faults"] = (await operator.submit("/admin/users/new", username="", password="short")).text
    found["last admin"] = (await operator.submit(f"{person}/disable")).text
    found["token faults"] = (await operator.submit("/admin/tokens/new", may="listed", scopes="x")).text
    found["made token"] = (await operator.submit("/admin/tokens/new", name="k", may="read")).text
    found["settings faults"] = (await operator.submit("/admin/settings", capture="x", capture_days="x")).text
    found["announcement faults"] = (await operator.submit("/admin/announcements/new", title="", kind="x")).text
    found["own key faults"] = (await operator.submit("/home/keys/new", name="", rpm_limit="x")).text
    found["profile faults"] = (await operator.submit("/admin/account/profile", time_zone="x")).text
    found["audit faults"] = (await operator.get("/admin/audit?since=x")).text
    found["not there"] = (await operator.get("/admin/nothing")).text
    guest = visitor(gateway)
    async with guest.client:
        found["login"] = (await guest.get("/admin/login")).text
        found["login refused"] = (await guest.sign_in("wrong password 12")).text
        found["link over"] = (await guest.get("/admin/setup/x")).text
    return found


async def collected(data_dir: Path) -> dict[str, str]:
    async with running_gateway(data_dir) as gateway, scripted_provider(limited(600)) as busy:
        operator = visitor(gateway)
        async with operator.client:
            await operator.set_up()
            await gateway.backend(busy, models=("busy",))
            await gateway.call("busy")
            return await every_page(operator)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Collected once for all the looks at them."""
    return asyncio.run(collected(tmp_path_factory.mktemp("gateway")))


def names_of(element: ElementTree.Element) -> str:
    """What a screen reader says of a button or a link."""
    return element.get("aria-label") or " ".join("".join(element.itertext()).split())


def test_pages_are_well_formed(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        parser = html5lib.HTMLParser()
        (parser.parseFragment if not html.lstrip().startswith("<!doctype") else parser.parse)(html)
        assert not parser.errors, (name, parser.errors[:3])


def test_pages_carry_no_script_style_or_handler_inside(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        for element in parse(html).iter():
            assert element.tag != "style", name
            assert element.tag != "script" or (element.get("src") and not (element.text or "").strip()), name
            for attribute, value in element.attrib.items():
                assert not attribute.startswith("on"), (name, attribute)
                assert attribute != "style" and not attribute.startswith("hx-on"), (name, attribute)
                assert not value.strip().lower().startswith("javascript:"), (name, attribute)


def test_htmx_is_told_to_stay_at_home(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        if html.startswith("<!doctype"):
            assert (
                'name="htmx-config" content=\'{"mode":"same-origin","history":"reload","includeIndicatorCSS":false,'
                '"noSwap":[204,304,"5xx"],"extensions":"none"}\''
            ) in html, name


def test_ids_are_unique_and_what_points_at_them_finds_them(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        elements = list(parse(html).iter())
        ids = [element.get("id") for element in elements if element.get("id")]
        assert len(ids) == len(set(ids)), (name, sorted(one for one in ids if ids.count(one) > 1))
        for element in elements:
            for attribute in ("for", "aria-describedby", "aria-labelledby"):
                for pointed in (element.get(attribute) or "").split():
                    assert pointed in ids, (name, attribute, pointed)


def test_every_field_has_a_label(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        tree = parse(html)
        labelled = {label.get("for") for label in tree.iter("label")}
        wrapped = {id(field) for label in tree.iter("label") for field in label.iter("input")}
        for element in tree.iter():
            if element.tag in ("input", "select", "textarea") and element.get("type") != "hidden":
                assert element.get("id") in labelled or id(element) in wrapped or element.get("aria-label"), (
                    name,
                    element.attrib,
                )


def test_every_table_says_what_it_is_and_every_head_what_it_heads(pages: dict[str, str]) -> None:
    tables = 0
    for name, html in pages.items():
        for table in parse(html).iter("table"):
            tables += 1
            caption = table.find("caption")
            assert caption is not None and "".join(caption.itertext()).strip(), name
            assert all(head.get("scope") in ("col", "row", "rowgroup") for head in table.iter("th")), name
    assert tables >= 8


def test_the_list_of_requests_says_how_it_is_sorted(pages: dict[str, str]) -> None:
    assert 'aria-sort="descending"' in pages["/admin/requests"]


def test_everything_that_can_be_pressed_has_a_name(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        for element in parse(html).iter():
            if element.tag in ("button", "a", "summary"):
                assert names_of(element), (name, element.attrib)
            if element.tag == "img":
                assert "alt" in element.attrib, name


def test_a_drawing_is_named_or_hidden(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        tree = parse(html)
        hidden = {id(inner) for outer in tree.iter() if outer.get("aria-hidden") == "true" for inner in outer.iter()}
        for drawing in tree.iter("svg"):
            assert id(drawing) in hidden or drawing.get("aria-label"), name


def test_a_page_has_one_headline_a_language_and_a_title(pages: dict[str, str]) -> None:
    titles = set()
    for name, html in pages.items():
        if not html.startswith("<!doctype"):
            continue
        tree = parse(html)
        assert tree.get("lang") == "en", name
        assert len(list(tree.iter("h1"))) == 1, name
        assert len(list(tree.iter("main"))) == 1, name
        titles.add("".join(tree.find("head/title").itertext()))  # type: ignore[union-attr]
    assert all(re.fullmatch(r".+ · Weir", title) for title in titles)
    assert len(titles) > 12


def test_times_are_readable_by_people_and_by_scripts(pages: dict[str, str]) -> None:
    times = [element for html in pages.values() for element in parse(html).iter("time")]

    assert times
    for element in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", element.get("datetime", ""))
        assert element.text
