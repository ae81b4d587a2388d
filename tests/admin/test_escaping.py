"""Hostile text in every stored field and every parameter: pages keep exactly the elements of their templates."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from gateway.control import (
    announcements,
    balances,
    model_checks,
    model_tests,
    route_rules,
    snapshots,
    usage_reports,
    users,
)
from gateway.control.desk import Desk
from gateway.model.audit import Entry
from gateway.model.people import Actor
from gateway.routing.snapshot import Snapshot
from gateway.store import audit
from tests.admin.browsing import PASSWORD, Operator, parse
from tests.harness import OPERATOR

pytestmark = pytest.mark.anyio

PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<svg/onload=alert(1)>",
    "<svg><style>*{x:expression(alert(1))}</style></svg>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</select><script>alert(1)</script>",
    "</table><iframe src=//evil.test>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<form action=//evil.test><input name=x>",
    "<link rel=stylesheet href=//evil.test>",
    '" onfocus=alert(1) autofocus x="',
    "' onmouseover='alert(1)",
    '" style="position:fixed" x="',
    '" hx-get="//evil.test" hx-trigger="load" x="',
    "<div hx-get=//evil.test hx-trigger=load>",
    "<hx-partial hx-target=body>gone</hx-partial>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{7*7}}",
    "{% import os %}{{ config }}",
    "${7*7}<%= 7*7 %>",
    "<!--",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "\x1b[31mred\x1b[0m",
    "\u202eevil\u202c\u2028\u2029",
    "a\x00b\x01\x0b",
    "&lt;script&gt;&#60;script&#62;",
    "\ufeff<script>",
    "x" * 5000,
    "<" * 500,
]
Skeleton = list[tuple[str, tuple[str, ...]]]
HARMLESS = "harmless"


def skeleton(html: str) -> Skeleton:
    """Every element with the names of its attributes, in order."""
    return [(str(element.tag), tuple(sorted(element.attrib))) for element in parse(html).iter()]


async def write_everywhere(desk: Desk, text: str) -> None:
    """Put the text into every text column that a page shows, around all checks of what may be written."""
    told = dict.fromkeys(("backend", "pool", "reason", "sentence", "api_format"), text)
    skips = json.dumps([{"backend_id": "b", **told, "seconds": 1.0}])
    results = json.dumps([{"backend_id": "b", "backend": text, "is_ok": True, "latency_ms": 1, "words": text}])
    values = {
        "headers": json.dumps({"x-team": text}),
        "text": text,
        "low": text.lower(),
        "skips": skips,
        "results": results,
        "words": json.dumps([text]),
        "names": json.dumps([(text, 0, [])]),
    }
    async with desk.db.write() as tx:
        for statement in (
            "UPDATE pools SET name = :text || tier",
            """UPDATE providers SET name = :text || id, display_name = :text, preset = 'custom', description = :text,
                      website = 'https://a.test/' || :text""",
            """UPDATE endpoints SET base_url = 'https://a.test/' || :text, custom_path = '/' || :text,
                      proxy_shown = 'http://' || :text, headers = :headers""",
            "UPDATE provider_keys SET name = :text || id, masked = :text, note = :text, capabilities = :words",
            "UPDATE key_versions SET masked = :text, fingerprint = :text, note = :text, actor = :text",
            """UPDATE models SET code = lower(:low || id), display_name = :text, description = :text, family = :text,
                      knowledge_cutoff = :text, aliases = :words, capabilities = :words,
                      input_modalities = :words, output_modalities = :words""",
            "UPDATE mappings SET upstream_name = :text, capabilities = :words, aliases = :names",
            "UPDATE route_rules SET note = :text, route_key = :text WHERE route_type = 'AGENT' AND :text <> ''",
            "UPDATE model_checks SET reason = :text, actor = :text, results = :results",
            "UPDATE model_tests SET backend = :text, reply = :text, error = :text, actor = :text",
            "UPDATE usage_reports SET source = :text",
            "UPDATE api_keys SET name = :text, prefix = :text, tail = :text, note = :text",
            "UPDATE users SET username = lower(:low || role), email = :text WHERE :text <> ''",
            "UPDATE sessions SET user_agent = :text, ip = :text",
            "UPDATE management_tokens SET name = :text, scopes = :words, allowed_ips = :words, last_used_ip = :text",
            "UPDATE announcements SET title = :text, author = :text",
            "UPDATE top_ups SET note = :text, actor = :text",
            """UPDATE calls SET agent_session = 's', agent_id = :text, parent_agent_id = :text, request_class = :text,
                      dropped = :words, upstream_format = 'x' || :text""",
            "UPDATE attempts SET api_format = :text || number",
            """UPDATE calls SET api_key_name = :text, api_format = :text, path = :text, asked_model = :text,
                      served_model = :text, provider = :text, backend = :text, pool = :text, error_code = :text,
                      error = :text, client_ip = :text, skips = :skips""",
            """UPDATE attempts SET backend = :text, pool = :text, upstream_model = :text, error = :text,
                      outcome = :text""",
        ):
            await tx.execute(statement, values)
        registry = await snapshots.read_registry(tx, desk.demo_origin)
    desk.snapshot.current = snapshots.build(registry)
    for backend_id in desk.snapshot().backends:
        state = desk.state.of(backend_id)
        state.fault = state.rest_reason = text
        state.rest(desk.clock.mono() + 3600, text)


async def write_about_a_model(desk: Desk) -> None:
    """A rule, a check, a test and reported use, so that each has a row to write into."""
    model = desk.snapshot().models["demo/echo"]
    await route_rules.create(desk, OPERATOR, {"route_type": "AGENT", "route_key": "x", "model_id": model.id})
    await model_checks.run(desk, OPERATOR, model.id, {"probe": "none"})
    await model_tests.run(desk, OPERATOR, model.id, {"message": "Hi"})
    report = {"model": "demo/echo", "source": "x", "request_count": 1, "success_count": 1}
    await usage_reports.take_in(desk, OPERATOR, {"reports": [report]})


async def write_about_people(desk: Desk) -> None:
    """A person, a payment, an announcement, and a row of the audit log for each payload, which cannot be changed."""
    await users.create(desk, OPERATOR, {"username": "bob", "password": PASSWORD})
    await announcements.create(desk, OPERATOR, {"title": "x"})
    key = desk.snapshot().registry.api_keys[0]
    await balances.top_up(desk, OPERATOR, key.id, {"amount": 1})


async def write_about_a_key(desk: Desk) -> None:
    """A secret that it has had."""
    async with desk.db.write() as tx:
        await tx.execute(
            """INSERT INTO key_versions (key_id, number, masked, fingerprint, note, actor, at)
               SELECT id, 9, 'x', 'x', 'x', 'x', 1 FROM provider_keys"""
        )


def own_pages(snapshot: Snapshot) -> list[str]:
    """Of a provider, its endpoint and its pool."""
    backend = next(iter(snapshot.backends.values()))
    provider = f"/admin/providers/{backend.provider.id}"
    endpoint, pool = f"/admin/endpoints/{backend.endpoint.id}", f"/admin/pools/{backend.pool.id}"
    new = [f"{provider}/endpoints/new", "/admin/pools/new"]
    return [provider, f"{provider}/delete", endpoint, f"{endpoint}/delete", pool, f"{pool}/delete", *new]


async def look_at_all(operator: Operator, call_id: str) -> dict[str, Skeleton]:
    snapshot = operator.gateway.desk.snapshot()
    backend, key = next(iter(snapshot.backends)), snapshot.registry.api_keys[0].id
    rule, mapping = snapshot.registry.route_rules[0], snapshot.registry.mappings[0]
    person = next(user.id for user in snapshot.registry.users if user.role == "user")
    model, provider_key = f"/admin/models/{rule.model_id}", snapshot.registry.keys[0].id
    paths = [
        *("/admin", "/admin/requests", f"/admin/requests/{call_id}", "/admin/providers", "/admin/providers/new"),
        "/admin/requests/agents?session=s",
        *(f"/admin/backends/{backend}", f"/admin/backends/{backend}/delete", "/admin/keys", f"/admin/keys/{key}"),
        *(f"/admin/keys/{key}/delete", "/admin/setup/provider?preset=custom", "/admin/setup/first-call"),
        *("/admin/setup/first-call/waiting?since=1", "/admin/models", model, f"{model}/delete"),
        *(f"/admin/provider-keys/{provider_key}", f"/admin/provider-keys/{provider_key}/delete", "/admin/state"),
        *("/admin/provider-keys/order", "/admin/provider-keys/paste", *own_pages(snapshot)),
        *(f"/admin/mappings/{mapping.id}", f"/admin/mappings/{mapping.id}/delete", "/admin/route-rules"),
        *("/admin/prices", f"/admin/prices?edit={mapping.id}"),
        *("/admin/users", f"/admin/users/{person}", f"/admin/users/{person}/delete", "/admin/tokens", "/admin/account"),
        *("/admin/announcements", "/home", "/home/announcements", "/home/models", "/home/status", "/home/keys/new"),
        *(f"/admin/route-rules/{rule.id}", f"/admin/route-rules/{rule.id}/delete", "/admin/route-rules/new"),
    ]
    found = {}
    for path in paths:
        got = await operator.get(path)
        assert got.status_code == 200, (path, got.text[-300:])
        found[path] = skeleton(got.text)
    return found


async def test_stored_text_never_becomes_markup(operator: Operator) -> None:
    gateway = operator.gateway
    await gateway.call("demo/429")
    await gateway.call("demo/echo")
    call = await gateway.row()
    await write_about_a_model(gateway.desk)
    await write_about_a_key(gateway.desk)
    await write_about_people(gateway.desk)
    await gateway.app.ledger.flush()
    await write_everywhere(gateway.desk, HARMLESS)
    expected = await look_at_all(operator, call.id)
    assert len([path for path in expected if HARMLESS in (await operator.get(path)).text]) >= 10

    for payload in PAYLOADS:
        await write_everywhere(gateway.desk, payload)
        for path, found in (await look_at_all(operator, call.id)).items():
            assert found == expected[path], (payload, path)


async def test_what_is_asked_for_never_becomes_markup(operator: Operator) -> None:
    places = [
        "/admin/requests?text={}",
        "/admin/requests?key={}",
        "/admin/requests?model={}",
        "/admin/requests?provider={}",
        "/admin/requests?status={}",
        "/admin/requests?code={}",
        "/admin/requests?range={}",
        "/admin/requests?before={}",
        "/admin/requests?session={}",
        "/admin/requests/agents?session={}",
        "/admin?range={}",
        "/admin/audit?actor={}",
        "/admin/audit?action={}",
        "/admin/audit?object_kind={}",
        "/admin/audit?object_id={}",
        "/admin/audit?since={}",
        "/admin/audit?before={}",
        "/admin/keys/new?user_id={}",
        "/admin/users/{}",
        "/admin/announcements/{}",
        "/home/keys/{}",
        "/home/{}",
        "/admin/requests/{}",
        "/admin/keys/{}",
        "/admin/backends/{}",
        "/admin/provider-keys/{}",
        "/admin/providers/{}",
        "/admin/endpoints/{}",
        "/admin/pools/{}",
        "/admin/provider-keys/paste?provider={}",
        "/admin/nothing/{}",
        "/admin/providers/new?preset={}",
        "/admin/models?q={}",
        "/admin/models?status={}",
        "/admin/prices?q={}",
        "/admin/prices?page={}",
        "/admin/prices?edit={}",
        "/admin/models?page={}",
        "/admin/models/{}",
        "/admin/route-rules/new?route_key={}",
        "/admin/route-rules?explain=1&agent={}",
        "/admin/route-rules?explain=1&api_key={}",
        "/admin/setup/first-call?since={}",
        "/admin/login?next={}",
        "/admin/setup/{}",
    ]
    for place in places:
        # Control characters are a fault that the page names, and a slash in a path leads to another page.
        expected = [skeleton((await operator.get(place.format(text))).text) for text in (HARMLESS, "%01", "a%2Fb")]
        for payload in PAYLOADS:
            got = await operator.get(place.format(quote(payload[:200], safe="")))
            assert skeleton(got.text) in expected, (place, payload)


async def test_what_is_typed_into_a_form_never_becomes_markup(operator: Operator) -> None:
    csrf = await operator.csrf()
    snapshot = operator.gateway.desk.snapshot()
    backend, mapping = next(iter(snapshot.backends)), snapshot.registry.mappings[0].id
    model, provider_key = f"/admin/models/{snapshot.models['demo/echo'].id}", snapshot.registry.keys[0].id
    forms = {
        "/admin/providers/new": ("name", "base_url", "models", "rpm_limit", "timeout_seconds", "pool"),
        f"/admin/prices/{mapping}": ("input_price", "price_tiers", "version"),
        f"/admin/backends/{backend}": ("label", "base_url", "models", "rpm_limit", "priority", "weight"),
        "/admin/keys/new": ("rpm_limit", "expires_at", "allowed_models"),
        f"/admin/backends/{backend}/delete": ("typed",),
        f"/admin/provider-keys/{provider_key}": ("name", "note", "pool", "allowed_models", "global_priority"),
        "/admin/models/new": ("code", "display_name", "description"),
        model: ("code", "aliases", "capabilities", "family", "knowledge_cutoff", "input_price", "input_modalities"),
        f"{model}/test": ("message", "backend"),
        f"{model}/mappings": ("provider_id", "upstream_name"),
        f"/admin/mappings/{mapping}": ("upstream_name", "aliases", "capabilities", "input_price"),
        "/admin/route-rules/new": ("route_type", "route_key", "model_id", "priority", "note"),
    }
    for path, fields in forms.items():
        fixed = {"csrf": csrf, "rpm_limit": "x", "preset": "custom", "models": "listed" if "keys" in path else "m"}
        for payload in PAYLOADS:
            typed = dict.fromkeys(fields, payload)
            got = await operator.client.post(path, data={**fixed, **typed, "rpm_limit": payload or "x"})
            assert got.status_code == 422, (path, payload)
            elements = [tag for tag, _ in skeleton(got.text)]
            assert "iframe" not in elements
            assert elements.count("script") == 2, (path, payload)
            for element in parse(got.text).iter():
                assert not [name for name in element.attrib if name.startswith("on") or name == "style"]


async def test_a_hostile_provider_writes_nothing_into_the_page(operator: Operator) -> None:
    await operator.gateway.call("<img src=x onerror=alert(1)>\"'{{7*7}}")
    row = await operator.gateway.row()

    page = await operator.get(f"/admin/requests/{row.id}")

    assert "<img src=x" not in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text
    assert "{{7*7}}" in page.text


async def test_text_in_the_audit_log_never_becomes_markup(operator: Operator) -> None:
    """Its rows cannot be changed, so each payload is a row of its own: of one action, by one name, with one field."""
    desk = operator.gateway.desk
    pages = []
    for text in (HARMLESS, *PAYLOADS):
        value = json.dumps({"name": text, "field": text})
        async with desk.db.write() as tx:
            who = Actor("user", text, text, text)
            await audit.insert(tx, Entry(1, who, text, text, text, None, value, 1))
            seq = (await audit.head(tx)).seq
        page = await operator.get(f"/admin/audit?before={seq + 1}")
        row = page.text.split("<tbody>")[1].split("</tr>")[0]
        pages.append(skeleton(f"<table><tbody>{row}</tr></tbody></table>"))

    assert pages.count(pages[0]) == len(pages)
