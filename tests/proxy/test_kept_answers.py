"""Translated answers of Responses that a client comes back to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from gateway.formats.request import Asked
from gateway.formats.responses import references
from gateway.formats.responses.surface import read_request
from gateway.model.people import ApiKey
from gateway.proxy.call import Arrival, Call
from gateway.proxy.kept_answers import KeptAnswers
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Provider, stream
from tests.routing.build import ANYONE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(gateway: RunningGateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.api_key, max_retries=0) as made:
        yield made


@pytest.fixture
async def chat(gateway: RunningGateway, provider: MakeProvider) -> Provider:
    made = await provider()
    await gateway.backend(made)
    return made


def said(provider: Provider) -> list[tuple[str, Any]]:
    return [(turn["role"], turn["content"]) for turn in provider.heard[-1].json()["messages"]]


async def test_a_conversation_goes_on_from_the_id_of_its_last_answer(
    client: openai.AsyncOpenAI, chat: Provider
) -> None:
    first = await client.responses.create(model="m", input="one")
    second = await client.responses.create(model="m", input="two", previous_response_id=first.id)
    await client.responses.create(model="m", input="three", previous_response_id=second.id)
    assert said(chat) == [
        *(("user", "one"), ("assistant", "Hello!"), ("user", "two"), ("assistant", "Hello!"), ("user", "three")),
    ]


async def test_a_streamed_answer_is_remembered_too(client: openai.AsyncOpenAI, chat: Provider) -> None:
    chat.always = stream()
    async with client.responses.stream(model="m", input="one") as streamed:
        first = await streamed.get_final_response()
    item = {"type": "item_reference", "id": first.output[0].id}
    async with client.responses.stream(model="m", input=[item, {"role": "user", "content": "two"}]) as streamed:  # type: ignore[list-item]
        await streamed.get_final_response()
    assert said(chat) == [("assistant", "Hello"), ("user", "two")]


async def test_what_is_not_to_be_kept_is_not(client: openai.AsyncOpenAI, chat: Provider) -> None:
    first = await client.responses.create(model="m", input="one", store=False)
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="m", input="two", previous_response_id=first.id)


async def test_an_answer_can_be_read_again_and_deleted(client: openai.AsyncOpenAI, chat: Provider) -> None:
    first = await client.responses.create(model="m", input="one")
    assert (await client.responses.retrieve(first.id)).output_text == "Hello!"
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)
    assert len(chat.heard) == 1


async def test_another_key_finds_nothing(gateway: RunningGateway, client: openai.AsyncOpenAI, chat: Provider) -> None:
    first = await client.responses.create(model="m", input="one")
    token = {"authorization": f"Bearer {gateway.management_token}"}
    made = (await gateway.client.post("/api/admin/api-keys", headers=token, json={"name": "other"})).json()
    other = client.with_options(api_key=made["key"])
    with pytest.raises(openai.NotFoundError):
        await other.responses.create(model="m", input="two", previous_response_id=first.id)
    with pytest.raises(openai.BadRequestError):
        item: Any = {"type": "item_reference", "id": first.output[0].id}
        await other.responses.create(model="m", input=[item])


def call(**body: Any) -> Call:
    request = read_request(Asked(json.dumps({"model": "m", **body}).encode()))
    return Call(Arrival("req_1", 0.0, 0, "/v1/responses", (), ""), ANYONE, request)


def answer(number: int, size: int = 10) -> bytes:
    item = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": "x" * size}
    return json.dumps({"id": f"resp_{number}", "output": [item]}).encode()


def knows(kept: KeptAnswers, number: int, key: ApiKey = ANYONE) -> bool:
    asked = call(input=[{"type": "item_reference", "id": f"msg_{number}"}]).request
    return b"item_reference" not in bytes(kept.filled(asked, key).fields["input"])


def test_the_oldest_are_forgotten_where_memory_ends() -> None:
    kept = KeptAnswers(most_bytes=10_000)
    for number in range(20):
        kept.keep(call(input="hi"), answer(number, 1000))
    assert [number for number in range(20) if knows(kept, number)] == [16, 17, 18, 19]
    kept.keep(call(input="hi"), answer(99, 20_000))
    assert not any(knows(kept, number) for number in (*range(20), 99))
    assert (kept._held, kept._answers, kept._items) == (0, {}, {})


def test_an_answer_that_comes_twice_is_held_once() -> None:
    kept = KeptAnswers()
    for _ in range(3):
        kept.keep(call(input="hi"), answer(1))
    assert (len(kept._answers), len(kept._items)) == (1, 1)
    kept.forget("resp_1", ANYONE)
    assert kept._held == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 5, "output": []}', b'{"id": "r", "output": [1]}'])
def test_what_is_no_answer_is_not_kept(body: bytes) -> None:
    kept = KeptAnswers()
    kept.keep(call(input="hi"), body)
    assert not kept._answers


def test_what_is_said_again_has_no_id_and_unknown_references_stay() -> None:
    asked = call(input=[{"type": "item_reference", "id": "a"}, {"type": "item_reference", "id": "b"}, 5]).request
    item = references.said_again(references.answer_items(answer(1))[1]["msg_1"])
    filled = references.with_items(asked, lambda name: item if name == "a" else None)
    assert json.loads(bytes(filled.fields["input"])) == [
        {"type": "message", "role": "assistant", "content": "x" * 10},
        {"type": "item_reference", "id": "b"},
        5,
    ]


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b'{"type":"response.completed","response":{"id":"r"}}', b'{"id":"r"}'),
        (b'{"type":"response.incomplete","response":{"id":"r"}}', b'{"id":"r"}'),
        (b'{"type":"response.created","response":{"id":"r"}}', b""),
        (b'{"type":"response.completed"', b""),
    ],
)
def test_only_the_last_event_tells_the_whole_answer(payload: bytes, found: bytes) -> None:
    assert references.answer_of_event(payload) == found
