"""What callers of each family of formats hear: errors of every status, headers, credentials, probes, attribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.control import api_keys, models, route_rules
from gateway.proxy.call import Arrival
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway
from tests.provider import answer, hang, limited, refused
from tests.voices import chat, gemini, messages, responses
from tests.voices.said import Said

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """A caller of one format: where it asks, what, and what a sound provider answers."""

    path: str
    body: Json
    api_format: str
    said: bytes
    carrier: str

    async def ask(self, gateway: RunningGateway, model: str = "m", key: str = "", **headers: str) -> httpx.Response:
        body = self.body if "{model}" in self.path else {**self.body, "model": model}
        credential = key or gateway.api_key
        found = f"Bearer {credential}" if self.carrier == "authorization" else credential
        return await gateway.client.post(
            self.path.replace("{model}", model), headers={self.carrier: found, **headers}, json=body
        )


USER = [{"role": "user", "content": "Hello"}]
FAMILIES = {
    "chat": Family("/v1/chat/completions", {"messages": USER}, "openai_chat", chat.whole(Said("Hi.")), "authorization"),
    "responses": Family(
        "/v1/responses", {"input": "Hello"}, "openai_responses", responses.whole(Said("Hi.")), "api-key"
    ),
    "anthropic": Family(
        "/v1/messages",
        {"max_tokens": 10, "messages": USER},
        "anthropic_messages",
        messages.whole(Said("Hi.")),
        "x-api-key",
    ),
    "gemini": Family(
        "/v1beta/models/{model}:generateContent",
        {"contents": [{"parts": [{"text": "Hello"}]}]},
        "gemini_generate",
        gemini.whole(Said("Hi.")),
        "x-goog-api-key",
    ),
}
each_family = pytest.mark.parametrize("name", FAMILIES)
OPENAI_WORDS = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    502: "upstream_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}
WORDS = {
    "chat": OPENAI_WORDS,
    "responses": OPENAI_WORDS,
    "anthropic": {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        502: "api_error",
        503: "overloaded_error",
        504: "timeout_error",
    },
    "gemini": {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        402: "RESOURCE_EXHAUSTED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        413: "INVALID_ARGUMENT",
        429: "RESOURCE_EXHAUSTED",
        502: "INTERNAL",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    },
}


def told(name: str, got: httpx.Response, status: int) -> str:
    """The message of an error that is whole, and in the words of the family."""
    assert got.status_code == status, got.text
    assert got.headers["content-type"].startswith("application/json")
    body, error = got.json(), got.json()["error"]
    if name == "gemini":
        assert (error["code"], error["status"]) == (status, WORDS[name][status])
    else:
        assert error["type"] == WORDS[name][status]
    if name == "anthropic":
        assert (body["type"], body["request_id"]) == ("error", got.headers["request-id"])
    elif name != "gemini":
        assert error.keys() >= {"message", "type", "param", "code"}
    assert got.headers["x-request-id"]
    return str(error["message"])


async def sound(gateway: RunningGateway, provider: MakeProvider, name: str, **fields: Any) -> Any:
    family = FAMILIES[name]
    made = await provider(answer(family.said))
    return await gateway.backend(made, api_format=family.api_format, **fields)


async def key(gateway: RunningGateway, **fields: Any) -> str:
    secret, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "narrow", **fields})
    return secret


@each_family
async def test_a_body_that_is_none_is_a_400(gateway: RunningGateway, name: str) -> None:
    family = FAMILIES[name]
    headers = {**gateway.auth, "content-type": "application/json"}
    path = family.path.replace("{model}", "m")
    told(name, await gateway.client.post(path, headers=headers, content=b"{"), 400)


@each_family
async def test_unknown_disabled_and_ended_keys_get_the_same_401(gateway: RunningGateway, name: str) -> None:
    disabled = await key(gateway, is_active=False)
    ended = await key(gateway, expires_at=1)
    said = {told(name, await FAMILIES[name].ask(gateway, key=one), 401) for one in ("sk-gw-nobody", disabled, ended)}
    assert len(said) == 1
    told(name, await gateway.client.post(FAMILIES[name].path.replace("{model}", "m"), json={}), 401)


@each_family
async def test_a_spent_budget_is_a_402_that_no_retry_helps(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    made = await sound(gateway, provider, name)
    await models.update(
        gateway.desk, OPERATOR, made.models[0].id, {"input_price": "0", "output_price": "0", "request_price": "1"}
    )
    got = await FAMILIES[name].ask(gateway, key=await key(gateway, budget="0.5"))
    told(name, got, 402)
    assert got.headers["x-should-retry"] == "false"


@each_family
async def test_a_format_that_the_key_may_not_speak_is_a_403(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    await sound(gateway, provider, name)
    got = await FAMILIES[name].ask(gateway, key=await key(gateway, allowed_formats=["openai_embeddings"]))
    told(name, got, 403)
    assert got.headers["x-should-retry"] == "false"


@each_family
async def test_unknown_and_forbidden_models_are_the_same_404_with_the_nearest_names(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    await sound(gateway, provider, name, models=("weir-large", "weir-small", "weir-tiny", "weir-secret"))
    narrow = await key(gateway, allowed_models=["weir-large", "weir-small", "weir-tiny"])
    forbidden = told(name, await FAMILIES[name].ask(gateway, "weir-secret", narrow), 404)
    unknown = told(name, await FAMILIES[name].ask(gateway, "weir-secre", narrow), 404)
    for message in (forbidden, unknown):
        assert all(near in message for near in ("weir-large", "weir-small", "weir-tiny"))
        assert message.count("weir-sec") == 1
    assert forbidden.partition("'weir-secret'")[2][:40] == unknown.partition("'weir-secre'")[2][:40]


@each_family
async def test_a_body_that_is_too_large_is_a_413(gateway: RunningGateway, provider: MakeProvider, name: str) -> None:
    await sound(gateway, provider, name)
    huge = b" " * (gateway.desk.settings.max_body_bytes + 1)
    path = FAMILIES[name].path.replace("{model}", "m")
    got = await gateway.client.post(path, headers={**gateway.auth, "content-type": "application/json"}, content=huge)
    told(name, got, 413)


@each_family
async def test_the_keys_own_limit_is_a_429_that_says_whose_it_is_and_when_to_come_back(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    await sound(gateway, provider, name)
    narrow = await key(gateway, rpm_limit=1)
    assert (await FAMILIES[name].ask(gateway, key=narrow)).status_code == 200
    got = await FAMILIES[name].ask(gateway, key=narrow)
    assert "API key" in told(name, got, 429)
    assert 58 <= int(got.headers["retry-after"]) <= 60
    assert (got.headers["x-should-retry"], got.headers["x-ratelimit-remaining-requests"]) == ("true", "0")


@each_family
async def test_a_providers_limit_is_a_429_that_says_so(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    await gateway.backend(await provider(limited(70)), api_format=FAMILIES[name].api_format)
    got = await FAMILIES[name].ask(gateway)
    assert "provider's limit" in told(name, got, 429)
    assert 69 <= int(got.headers["retry-after"]) <= 70


@each_family
async def test_a_key_of_ours_that_is_refused_is_a_502_and_never_a_401(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    await gateway.backend(await provider(refused(401, "bad key")), api_format=FAMILIES[name].api_format)
    told(name, await FAMILIES[name].ask(gateway), 502)


@each_family
async def test_a_gateway_that_stops_is_a_503(gateway: RunningGateway, provider: MakeProvider, name: str) -> None:
    await sound(gateway, provider, name)
    gateway.app.begin_stop()
    got = await FAMILIES[name].ask(gateway)
    told(name, got, 503)
    assert got.headers["retry-after"] == "2"


@each_family
async def test_a_provider_that_hangs_is_a_504(gateway: RunningGateway, provider: MakeProvider, name: str) -> None:
    await gateway.backend(await provider(hang()), api_format=FAMILIES[name].api_format, timeout_seconds=0.2)
    told(name, await FAMILIES[name].ask(gateway), 504)


@each_family
async def test_a_clients_own_fault_passes_unmodified_in_the_same_format(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    body = b'{"error": {"message": "messages.0: unexpected thing", "type": "invalid_request_error", "odd": 1.50}}'
    await gateway.backend(await provider(answer(body, 422)), api_format=FAMILIES[name].api_format)
    got = await FAMILIES[name].ask(gateway)
    assert (got.status_code, got.content) == (422, body)


CARRIERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


@each_family
async def test_a_credential_is_taken_from_every_carrier(
    gateway: RunningGateway, provider: MakeProvider, name: str
) -> None:
    await sound(gateway, provider, name)
    family = FAMILIES[name]
    path, body = family.path.replace("{model}", "m"), {**family.body, "model": "m"}
    body = family.body if name == "gemini" else body
    for carrier in CARRIERS:
        value = f"Bearer {gateway.api_key}" if carrier == "authorization" else gateway.api_key
        assert (await gateway.client.post(path, headers={carrier: value}, json=body)).status_code == 200
    both = {"authorization": f"Bearer {gateway.api_key}", "x-api-key": gateway.api_key}
    assert (await gateway.client.post(path, headers=both, json=body)).status_code == 200
    two = await gateway.client.post(path, headers={**both, "x-api-key": "sk-other"}, json=body)
    told(name, two, 400)
    in_query = await gateway.client.post(f"{path}?key={gateway.api_key}", json=body)
    assert in_query.status_code == (200 if name == "gemini" else 401)


async def test_limits_are_told_in_anthropics_words_too(gateway: RunningGateway, provider: MakeProvider) -> None:
    await sound(gateway, provider, "anthropic")
    got = await FAMILIES["anthropic"].ask(gateway, key=await key(gateway, rpm_limit=10, tpm_limit=10_000))
    assert got.headers["anthropic-ratelimit-requests-limit"] == "10"
    assert got.headers["anthropic-ratelimit-requests-remaining"] == "9"
    assert got.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert int(got.headers["anthropic-ratelimit-tokens-remaining"]) <= 10_000
    assert got.headers["request-id"] == got.headers["x-request-id"]


async def test_what_a_provider_says_of_our_account_stays_here(gateway: RunningGateway, provider: MakeProvider) -> None:
    said = {"anthropic-ratelimit-requests-limit": "4000", "request-id": "req_up", "anthropic-info": "x"}
    made = await provider(answer(FAMILIES["anthropic"].said, headers=said))
    await gateway.backend(made, api_format="anthropic_messages")
    got = await FAMILIES["anthropic"].ask(gateway, **{"anthropic-beta": "a,b", "anthropic-odd": "c", "cookie": "s=1"})
    assert "anthropic-ratelimit-requests-limit" not in got.headers
    assert (got.headers["x-upstream-request-id"], got.headers["anthropic-info"]) == ("req_up", "x")
    heard = made.heard[0].headers
    assert (heard["anthropic-beta"], heard["anthropic-odd"], heard["anthropic-version"]) == ("a,b", "c", "2023-06-01")
    assert not {"cookie", "x-forwarded-for"} & heard.keys()


async def test_a_coding_agents_request_goes_on_to_the_byte(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await provider(answer(FAMILIES["anthropic"].said))
    await gateway.backend(made, models={"m": "claude-theirs"}, api_format="anthropic_messages")
    sent = (
        b'{"max_tokens":10,  "model":"m","odd":1.50,"system":[{"type":"text","text":"\\u00e9","cache_control":'
        b'{"type":"ephemeral"}}],"messages":[{"role":"user","content":"a"}],"tools":[]}'
    )
    headers = {**gateway.auth, "content-type": "application/json"}
    got = await gateway.client.post("/v1/messages?beta=true", headers=headers, content=sent)
    assert got.content == FAMILIES["anthropic"].said
    for piece in (b'"odd":1.50', sent[sent.index(b'[{"type"') : sent.index(b',"messages"')], b'"content":"a"}]'):
        assert piece in made.heard[0].body
    assert made.heard[0].body.index(b'"system"') < made.heard[0].body.index(b'"messages"')


AGENT = {
    "x-claude-code-session-id": "s-1",
    "x-claude-code-agent-id": "a-1",
    "x-claude-code-parent-agent-id": "p-1",
    "x-claude-code-request-class": "subagent",
}


async def test_what_a_coding_agent_says_of_itself_is_written_down_and_chooses_a_model(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await sound(gateway, provider, "anthropic", models=("small",))
    rule = {"route_type": "BUSINESS", "route_key": "claude-code:subagent", "model_id": made.models[0].id}
    await route_rules.create(gateway.desk, OPERATOR, rule)
    got = await FAMILIES["anthropic"].ask(gateway, "auto", **AGENT)
    assert (got.status_code, got.headers["x-gateway-model"]) == (200, "small")
    row = await gateway.row()
    said = row.attribution
    assert (said.session, said.agent, said.parent_agent, said.request_class) == ("s-1", "a-1", "p-1", "subagent")
    assert row.served_model == "small"


@pytest.mark.parametrize("path", ["/", "/api/hello"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_warm_up_probe_gets_a_harmless_answer(gateway: RunningGateway, path: str, method: str) -> None:
    got = await gateway.client.request(method, path)
    assert got.status_code == 200
    assert (got.content == b"") == (method == "HEAD")
    assert await gateway.rows() == []


async def test_a_stream_of_geminis_is_an_array_where_no_events_are_asked_for(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(answer(chat.whole(Said("Hi.")))))
    path = "/v1beta/models/m:streamGenerateContent"
    got = await gateway.client.post(path, headers=gateway.auth, json=FAMILIES["gemini"].body)
    assert got.headers["content-type"].startswith("application/json")
    chunks = got.json()
    texts = [part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert "".join(texts) == "Hi."


def test_an_arrival_shows_no_key() -> None:
    arrival = Arrival("req_1", 0.0, 0, "/v1beta/models", ((b"x-api-key", b"sk-secret"),), "192.0.2.1")
    assert "sk-secret" not in repr(arrival)
