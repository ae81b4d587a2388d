"""The ledger in the browser: the filtered list of requests, and one request with its attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from gateway.admin import strips
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.admin.wording import exact
from gateway.control import captures, requests
from gateway.control.exports import FORMATS
from gateway.control.overview import SPANS
from gateway.errors import InvalidFields
from gateway.model.calls import CallRecord, CallStatus
from gateway.model.captures import Captured, Part
from gateway.model.registry import RATE_UNIT
from gateway.money import exact_dollars, token_cost
from gateway.routing.explain import explain_past
from gateway.store.call_search import CallFilter

PER_PAGE = 50
FILTERS = ("text", "key", "user", "model", "provider", "status", "range", "code", "session")


class CostLine(msgspec.Struct, frozen=True):
    """One component: how much of it, at which price, and what that came to, all in words."""

    name: str
    amount: str
    price: str
    cost: str


@signed_in("requests")
async def show_list(site: Site, visit: Visit) -> Response:
    values = _values(visit)
    before = visit.request.query_params.get("before", "")[:64] or None
    form, page = await _found(site, values, before)
    older = {**values, "before": page.next_before} if page and page.next_before else None
    return site.page(
        visit,
        "requests/list.html",
        422 if form.faults else 200,
        form=form,
        rows=page.items if page else (),
        total_words=_total_words(page) if page else "",
        filtered=bool(values),
        older=f"{site.root}/admin/requests?{urlencode(older)}" if older else None,
        newest=f"{site.root}/admin/requests?{urlencode(values)}" if before else None,
        exports=[(name, f"{site.root}/admin/requests.{name}?{urlencode(values)}") for name in FORMATS],
        **_choices(site, values),
    )


@signed_in("requests")
async def show(site: Site, visit: Visit) -> Response:
    call = await requests.get(site.desk, str(visit.request.path_params["id"]))
    return site.page(
        visit,
        "requests/one.html",
        call=call,
        is_translated=is_translated(call),
        formats_differ=len({attempt.api_format for attempt in call.attempts}) > 1,
        waterfall=strips.waterfall(call),
        overhead=f"{call.overhead_us / 1000:.1f} ms",
        formula=cost_lines(call),
        rate=rate_words(call),
        decided=explain_past(call).candidates,
        tokens=call.usage.all_input + call.usage.output,
        kept=[_kept(one) for one in await captures.of_call(site.desk, call.id)],
        capture=site.desk.snapshot().settings.capture.value,
    )


def is_translated(call: CallRecord) -> bool:
    """Whether the backend that had the call last speaks another API format than the client."""
    return call.upstream_format not in ("", call.api_format)


@signed_in("requests")
async def delete_capture(site: Site, visit: Visit) -> Response:
    call_id = str(visit.request.path_params["id"])
    await captures.delete(site.desk, visit.actor, call_id)
    return site.go(f"/admin/requests/{call_id}", "capture_deleted")


class KeptPart(msgspec.Struct, frozen=True):
    """A part of a call as the page shows it."""

    title: str
    text: str
    size: int
    is_cut: bool
    is_readable: bool


_TITLES = {
    Part.REQUEST_HEADERS: "Headers of the request",
    Part.REQUEST_BODY: "Body of the request",
    Part.RESPONSE_HEADERS: "Headers of the answer",
    Part.RESPONSE_BODY: "Body of the answer",
}


def _kept(one: Captured) -> KeptPart:
    """JSON indented, headers a line each, everything else as it is."""
    text = one.content.decode("utf-8", "replace")
    try:
        found = msgspec.json.decode(one.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return KeptPart(_TITLES[one.part], text, one.size, one.is_cut, one.is_readable)
    if one.part in (Part.REQUEST_HEADERS, Part.RESPONSE_HEADERS):
        text = "\n".join(f"{name}: {value}" for name, value in found)
    else:
        text = json.dumps(found, indent=2, ensure_ascii=False)
    return KeptPart(_TITLES[one.part], text, one.size, one.is_cut, one.is_readable)


def cost_lines(call: CallRecord) -> list[CostLine]:
    """The cost component by component; what is neither used nor priced is left out."""
    usage, price = call.usage, call.price
    parts = (
        ("Input", usage.input, price.input if price else None),
        ("Read from cache", usage.cache_read, price.cache_read if price else None),
        ("Written to cache", usage.cache_creation, price.cache_creation if price else None),
        ("Written to cache for an hour", usage.cache_creation_1h, price.written_for_an_hour if price else None),
        ("Output", usage.output, price.output if price else None),
    )
    lines = [
        CostLine(name, exact(tokens), "–" if each is None else f"${exact_dollars(each)}", _cost(tokens, each))
        for name, tokens, each in parts
        if tokens or name in ("Input", "Output")
    ]
    if usage.reasoning:
        lines.append(CostLine("of which reasoning", exact(usage.reasoning), "", ""))
    if price and price.per_request:
        lines.append(CostLine("Per request", "1", "", f"${exact_dollars(price.per_request)}"))
    return lines


def rate_words(call: CallRecord) -> str:
    """The provider key's multiplier where it makes a difference: `× 0.8`; empty where it does not."""
    if call.rate_multiplier is None or call.actual_nano == call.cost_nano:
        return ""
    return f"× {Decimal(call.rate_multiplier) / RATE_UNIT:f}"


def _cost(tokens: int, price: int | None) -> str:
    return "–" if price is None else f"${exact_dollars(token_cost(tokens, price))}"


async def _found(site: Site, values: Mapping[str, str], before: str | None) -> tuple[FormView, requests.Page | None]:
    """The form and the page it asks for; with faults instead of a page where the filter means nothing."""
    try:
        wanted = requests.parse_filter(_raw_filter(values, site.desk.clock.wall_ms()))
    except InvalidFields as error:
        renamed = {"api_key": "key", "code_class": "code", "since": "range"}
        return FormView(values, {renamed.get(name, name): fault for name, fault in error.fields.items()}), None
    return FormView(values), await requests.listing(site.desk, wanted, before, PER_PAGE)


def filter_of(site: Site, visit: Visit) -> CallFilter:
    """What the page's address asks for. Raises InvalidFields."""
    return requests.parse_filter(_raw_filter(_values(visit), site.desk.clock.wall_ms()))


def _values(visit: Visit) -> dict[str, str]:
    query = visit.request.query_params
    return {name: query[name].strip()[:200] for name in FILTERS if query.get(name, "").strip()}


def _raw_filter(values: Mapping[str, str], now: int) -> dict[str, object]:
    """The page's fields in the terms of control/requests.py."""
    as_they_are = ("text", "user", "model", "provider", "status", "session")
    raw: dict[str, object] = {name: values[name] for name in as_they_are if name in values}
    if "key" in values:
        raw["api_key"] = values["key"]
    if "range" in values:
        span = SPANS.get(values["range"])
        if span is None:
            raise InvalidFields({"range": f"must be one of {', '.join(SPANS)}"})
        raw["since"] = now - span.length_ms
    code = values.get("code", "").lower()
    if code.endswith("xx"):
        raw["code_class"] = code[:-2]
    elif code:
        raw["code"] = code
    return raw


def _choices(site: Site, values: Mapping[str, str]) -> dict[str, object]:
    """What each filter offers: what there is now, and what was asked for even if it is gone."""
    registry = site.desk.snapshot().registry
    return {
        "keys": _with_chosen([(key.id, key.name) for key in registry.api_keys], values.get("key")),
        "users": _with_chosen(
            [(user.username, user.username) for user in registry.users if user.is_welcome], values.get("user")
        ),
        "models": _with_chosen([(model.code, model.code) for model in registry.models], values.get("model")),
        "providers": _with_chosen([(one.name, one.name) for one in registry.providers], values.get("provider")),
        "outcomes": [(status.value, status.value.capitalize()) for status in CallStatus],
        "spans": [(span.code, span.label) for span in SPANS.values()],
    }


def _with_chosen(options: list[tuple[str, str]], chosen: str | None) -> list[tuple[str, str]]:
    found = sorted(options, key=lambda option: option[1].lower())
    if chosen and all(chosen != value for value, _ in found):
        found.append((chosen, chosen))
    return found


def _total_words(page: requests.Page) -> str:
    words = f"{exact(page.total)} {'request' if page.total == 1 else 'requests'}"
    return words if page.is_exact else f"at least {words}"
