"""Anything may be sent: the answer is always one of the documented ones, and an error always has its shape."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.admin.requests import FILTERS as PAGE_FILTERS
from gateway.control import api_keys, backends, endpoints, mappings, models, pools, provider_keys, providers, requests
from gateway.control.fields import Field, Kind, Table
from gateway.model.registry import ApiFormat
from tests.admin.browsing import visitor
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio

DOCUMENTED = {200, 201, 400, 404, 409, 413, 415}
fuzzed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

HOSTILE = ["' OR 1=1 --", "%_" * 90, "\\", "\x00", '"; DROP TABLE calls', "ü" * 50, "\u2028", "9" * 30, "-1", "1e9", ""]
words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))
numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([0, 1, 5, 2**31, 2**63, 2**64, 10**30, -1, 1e308])
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=8,
)

codes = st.from_regex(r"[a-z0-9][a-z0-9._:/@+-]{0,20}", fullmatch=True)
formats = st.lists(st.sampled_from(list(ApiFormat)), min_size=1)
FINE: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.text("aü €'\"<>%_\\", min_size=0, max_size=30).map(lambda text: f"x{text}"),
    Kind.SLUG: st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    Kind.LABEL: st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,20}", fullmatch=True),
    Kind.MODEL_CODE: codes,
    Kind.BOOL: st.booleans(),
    Kind.URL: st.sampled_from(["https://a.example/v1", "https://b.example:8443", "https://[2606:4700::1111]/"]),
    Kind.DOLLARS: st.one_of(st.floats(0, 100).map(lambda dollars: round(dollars, 6)), st.integers(0, 10**6)),
    Kind.TIME: st.one_of(st.integers(1, 2 * 10**14), st.dates().map(str)),
    Kind.SECRET: st.sampled_from(["sk-CANARY-1234567890", "env:OPENAI_API_KEY", ""]),
    Kind.STRINGS: formats,
    Kind.MODEL_CODES: st.lists(codes, max_size=4),
    Kind.MODELS: st.one_of(st.lists(codes, max_size=4, unique=True), st.dictionaries(codes, codes, max_size=4)),
    Kind.HEADERS: st.dictionaries(st.sampled_from(["x-a", "X-B"]), st.text("ab \t~", max_size=9), max_size=2),
    Kind.OBJECT: st.dictionaries(words, st.one_of(words, st.lists(words)), max_size=3),
    Kind.PARAGRAPH: st.text("aü €'\"<>%_\\\n", max_size=30),
    Kind.WEBSITE: st.sampled_from(["", "https://a.example/prices", "http://b.example:81"]),
    Kind.PROXY: st.sampled_from(["", "http://user:CANARY@proxy.example:3128"]),
    Kind.FORMATS: formats,
    Kind.CAPABILITIES: st.lists(st.sampled_from(["tools", "Vision", "cache-1h"]), max_size=3),
    Kind.NAMES: st.lists(codes.flatmap(lambda code: st.sampled_from([code, f"{code}*"])), max_size=3),
    Kind.PRICE_TIERS: st.lists(st.integers(1, 10**9), max_size=3, unique=True).map(
        lambda bounds: [{"above": one, "input": "1", "output": 2.5} for one in sorted(bounds)]
    ),
    Kind.UPSTREAM_ALIASES: st.lists(codes, max_size=3, unique=True).map(lambda names: [{"name": one} for one in names]),
    Kind.MULTIPLIER: st.sampled_from([0, 1, 0.5, "0.123456"]),
    Kind.MULTIPLIERS: st.dictionaries(st.sampled_from(list(ApiFormat)), st.sampled_from(["0.5", 2]), max_size=2),
    Kind.PRIORITIES: st.dictionaries(st.sampled_from(list(ApiFormat)), st.integers(0, 99), max_size=2),
}
ODD: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.URL: st.one_of(
        st.sampled_from(
            ["http://127.0.0.1:9", "builtin:demo", "https://ü.de", "https://a.example:99999", "//x", "a:b"]
        ),
        words.map(lambda word: f"https://{word}"),
        words.map(lambda word: f"https://a.example{word}/"),
    ),
    Kind.DOLLARS: st.decimals().map(str),
    Kind.TIME: st.one_of(st.integers(), st.datetimes().map(str)),
    Kind.SECRET: words.map(lambda word: f"env:{word}"),
    Kind.MODELS: st.dictionaries(words, words, max_size=3),
    Kind.HEADERS: st.dictionaries(words, words, max_size=3),
    Kind.OBJECT: st.dictionaries(words, junk, max_size=3),
    Kind.PROXY: words.map(lambda word: f"http://{word}"),
    Kind.WEBSITE: words.map(lambda word: f"https://{word}"),
    Kind.NAMES: st.lists(words.map(lambda word: f"{word}*"), max_size=3),
    Kind.PRICE_TIERS: st.lists(st.dictionaries(st.sampled_from(["above", "input", "output"]), junk), max_size=3),
    Kind.UPSTREAM_ALIASES: st.lists(st.dictionaries(st.sampled_from(["name", "priority"]), junk), max_size=3),
    Kind.MULTIPLIER: st.one_of(st.decimals().map(str), words),
    Kind.MULTIPLIERS: st.dictionaries(st.sampled_from([*ApiFormat, "x"]), junk, max_size=2),
    Kind.PRIORITIES: st.dictionaries(st.sampled_from([*ApiFormat, "x"]), junk, max_size=2),
}
THERE = {"provider_id": ["acme", "bare", "demo"], "model_id": ["demo/echo", "m"], "pool": ["primary", "fallback"]}


def fine(field: Field) -> st.SearchStrategy[Any]:
    """What the field takes."""
    if field.name in THERE:
        return st.sampled_from(THERE[field.name])
    if field.kind is Kind.CHOICE:
        return st.sampled_from(field.choices)
    if field.kind in (Kind.INT, Kind.NUMBER):
        least, most = int((field.least or 0) + 0.9), int(field.most or 1e9)
        return st.one_of(st.integers(least, most), st.sampled_from([least, most]))
    return FINE[field.kind]


def odd(field: Field) -> st.SearchStrategy[Any]:
    """What it may or may not take: just beyond its bounds, of another type, or anything."""
    beyond = st.sampled_from(
        [(field.least or 0) - 1, (field.most or 1e9) + 1, "x" * int((field.most or 200) % 5000 + 1)]
    )
    return st.one_of(ODD.get(field.kind, words), beyond, junk)


def body_of(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    """A whole body that is fine; the same with one odd field; or anything."""
    needed = {field.name: fine(field) for field in table if field.required or field.name == "base_url"}
    whole = st.fixed_dictionaries(
        needed, optional={field.name: fine(field) for field in table if field.name not in needed}
    )
    one_odd = st.one_of([st.fixed_dictionaries({field.name: odd(field)}) for field in table])
    spoilt = st.builds(lambda body, change: {**body, **change}, whole, one_odd)
    return st.one_of(whole, spoilt, spoilt, st.dictionaries(words, junk, max_size=3))


def query_of(table: Table) -> st.SearchStrategy[dict[str, str]]:
    known = st.fixed_dictionaries(
        {}, optional={field.name: st.one_of(fine(field), odd(field)).map(str) for field in table}
    )
    one = st.one_of([st.fixed_dictionaries({field.name: fine(field).map(str)}) for field in table])
    return st.one_of(one, known, st.dictionaries(words, words, max_size=3))


def require_documented(answer: httpx.Response) -> None:
    assert answer.status_code in DOCUMENTED, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert {"message", "type", "param", "code", "request_id"} <= set(error)
        assert error["message"] and error["request_id"] == answer.headers["x-request-id"]
        assert not any(leak in answer.text for leak in ("Traceback", "sqlite", "OperationalError"))


def encoded(query: dict[str, str]) -> str:
    """As a hostile client would send it: characters that are not text as well."""
    return "&".join(
        f"{quote(name, errors='surrogatepass')}={quote(value, errors='surrogatepass')}" for name, value in query.items()
    )


LISTS = [
    "backends",
    "providers",
    "endpoints",
    "provider-keys",
    "pools",
    "models",
    "mappings",
    "route-rules",
    "api-keys",
]
PAGING = (Field("limit", Kind.INT, "", least=1, most=10_000), Field("offset", Kind.INT, "", most=1_000_000))
REQUESTS = (*requests.FILTERS, Field("before", Kind.TEXT, ""), Field("limit", Kind.INT, "", least=1, most=500))


@fuzzed
@given(query=query_of(REQUESTS))
async def test_the_ledger_may_be_asked_anything(
    api: httpx.AsyncClient, gateway: RunningGateway, query: dict[str, str]
) -> None:
    require_documented(await api.get(f"/requests?{encoded(query)}"))


@fuzzed
@given(name=st.sampled_from(LISTS), query=query_of(PAGING))
async def test_lists_may_be_asked_anything(api: httpx.AsyncClient, name: str, query: dict[str, str]) -> None:
    require_documented(await api.get(f"/{name}?{encoded(query)}"))


@fuzzed
@given(name=st.sampled_from([*LISTS, "requests"]), wanted=words, change=st.dictionaries(words, junk, max_size=2))
async def test_any_id_may_be_asked_for(api: httpx.AsyncClient, name: str, wanted: str, change: dict[str, Any]) -> None:
    path = f"/{name}/x{quote(wanted, safe='')}"
    require_documented(await api.get(path))
    if name != "requests":
        sent = json.dumps(change)
        require_documented(await api.patch(path, content=sent, headers={"content-type": "application/json"}))
        require_documented(await api.delete(path))


@pytest.fixture
async def stocked(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """With what the bodies refer to."""
    for path, body in (
        ("/providers", {"name": "bare"}),
        ("/backends", {"name": "acme", "base_url": "https://a.example/v1", "models": ["m"]}),
    ):
        assert (await api.post(path, json=body)).status_code == 201
    return api


async def sent(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """Post it, and what it made is read, changed by the same body, and deleted again."""
    content, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    answer = await api.post(path, content=content, headers=headers)
    require_documented(answer)
    if answer.status_code == 201:
        one = f"{path}/{quote(answer.json()['id'], safe='')}"
        assert (await api.get(one)).status_code == 200
        fixed = {"name", "preset", "api_format", "provider_id", "model_id"}
        change = json.dumps({name: value for name, value in body.items() if name not in fixed})
        require_documented(await api.patch(one, content=change, headers=headers))
        require_documented(await api.get(path))
        gone = await api.delete(one)
        assert gone.status_code in (204, 409), gone.text


NOUNS: dict[str, Table] = {
    "/backends": backends.FIELDS,
    "/providers": providers.FIELDS,
    "/endpoints": endpoints.FIELDS,
    "/provider-keys": provider_keys.FIELDS,
    "/pools": pools.FIELDS,
    "/models": models.FIELDS,
    "/mappings": mappings.FIELDS,
    "/api-keys": api_keys.FIELDS,
}


def any_of(*paths: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.one_of([st.tuples(st.just(path), body_of(NOUNS[path])) for path in paths])


@fuzzed
@given(asked=any_of("/backends"))
async def test_any_backend_may_be_asked_for(stocked: httpx.AsyncClient, asked: tuple[str, dict[str, Any]]) -> None:
    await sent(stocked, *asked)


@fuzzed
@given(asked=any_of("/api-keys"))
async def test_any_api_key_may_be_asked_for(stocked: httpx.AsyncClient, asked: tuple[str, dict[str, Any]]) -> None:
    await sent(stocked, *asked)


@fuzzed
@given(asked=any_of("/models"))
async def test_any_model_may_be_asked_for(stocked: httpx.AsyncClient, asked: tuple[str, dict[str, Any]]) -> None:
    await sent(stocked, *asked)


@fuzzed
@given(asked=any_of("/providers", "/endpoints", "/provider-keys", "/pools", "/mappings"))
async def test_any_part_may_be_asked_for(stocked: httpx.AsyncClient, asked: tuple[str, dict[str, Any]]) -> None:
    await sent(stocked, *asked)


@fuzzed
@given(body=st.one_of(st.binary(max_size=60), junk.map(lambda value: json.dumps(value).encode())))
async def test_any_bytes_may_be_sent(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/pools", content=body, headers={"content-type": "application/json"})
    require_documented(answer)
    assert answer.status_code == 400


@pytest.fixture
async def operator(gateway: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    someone = visitor(gateway)
    async with someone.client:
        await someone.set_up()
        await gateway.call("demo/echo")
        await gateway.rows()
        yield someone.client


PAGES: dict[str, tuple[str, ...]] = {
    "/admin": ("range",),
    "/admin/requests": (*PAGE_FILTERS, "before"),
    "/admin/providers": ("pool",),
    "/admin/providers/new": ("preset",),
    "/admin/models": ("q", "status", "page"),
    "/admin/route-rules": ("explain", "api_key", "agent", "business", "capability", "require"),
    "/admin/route-rules/new": ("route_type", "route_key", "model_id"),
    "/admin/keys": ("status",),
    "/admin/setup/provider": ("preset",),
    "/admin/setup/first-call": ("since", "key"),
    "/admin/setup/first-call/waiting": ("since",),
    "/admin/login": ("next",),
}
said = st.one_of(
    words, st.sampled_from(["5xx", "xx", "404", "24h", "failed", "openai", "0", "9" * 15, "\u0663", "/admin"])
)


@fuzzed
@given(
    asked=st.one_of(
        [
            st.tuples(st.just(path), st.fixed_dictionaries({}, optional=dict.fromkeys((*names, "x"), said)))
            for path, names in PAGES.items()
        ]
    )
)
async def test_pages_may_be_asked_anything(operator: httpx.AsyncClient, asked: tuple[str, dict[str, str]]) -> None:
    path, query = asked

    got = await operator.get(f"{path}?{encoded(query)}")

    assert got.status_code in (200, 303, 400, 422), (got.status_code, got.text)
    assert got.status_code == 303 or got.headers["content-type"].startswith("text/html")
    assert not any(leak in got.text for leak in ("Traceback", "sqlite", "OperationalError"))
