"""Headers and bodies are kept as the setting says: cut, sealed, without credentials, and deleted when told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.control import captures
from gateway.model.captures import Captured, Part
from gateway.proxy.captures import HIDDEN, without_keys
from gateway.proxy.kept import Kept
from gateway.store import captures as stored
from tests.conftest import MakeProvider
from tests.harness import HELLO, RunningGateway
from tests.provider import CHAT_ANSWER, answer, refused, stream

pytestmark = pytest.mark.anyio

PASTED = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUv"


async def setting(gateway: RunningGateway, **values: Any) -> None:
    headers = {"authorization": f"Bearer {gateway.management_token}"}
    got = await gateway.client.patch("/api/admin/settings", headers=headers, json=values)
    assert got.status_code == 200, got.text


async def kept(gateway: RunningGateway) -> dict[Part, Captured]:
    row = (await gateway.rows())[-1]
    return {one.part: one for one in await captures.of_call(gateway.desk, row.id)}


@pytest.mark.parametrize(
    ("capture", "fails", "expected"),
    [
        ("off", True, 0),
        ("off", False, 0),
        ("errors", False, 0),
        ("errors", True, 2),
        ("all", False, 4),
        ("all", True, 2),
    ],
)
async def test_the_setting_says_whose_are_kept(
    gateway: RunningGateway, provider: MakeProvider, capture: str, fails: bool, expected: int
) -> None:
    await setting(gateway, capture=capture)
    await gateway.backend(await provider(refused(500) if fails else answer()))

    await gateway.call()

    assert len(await kept(gateway)) == expected


@pytest.mark.parametrize("is_stream", [True, False])
async def test_what_is_kept_is_what_was_said_without_the_keys(
    gateway: RunningGateway, provider: MakeProvider, is_stream: bool
) -> None:
    await setting(gateway, capture="all")
    await gateway.backend(await provider(stream() if is_stream else answer()))
    messages = [{"role": "user", "content": f"My key is {PASTED}, keep it."}]

    got = await gateway.call(messages=messages, stream=is_stream, headers={"x-session-id": "s1"})

    found = await kept(gateway)
    assert found[Part.RESPONSE_BODY].content == got.content
    body = json.loads(found[Part.REQUEST_BODY].content)
    assert body["messages"][0]["content"] == f"My key is {HIDDEN}, keep it."
    sent = dict(json.loads(found[Part.REQUEST_HEADERS].content))
    assert (sent["authorization"], sent["x-session-id"]) == (HIDDEN, "s1")
    assert dict(json.loads(found[Part.RESPONSE_HEADERS].content))["content-type"].startswith(
        "text/event-stream" if is_stream else "application/json"
    )
    on_disk = gateway.desk.settings.database.read_bytes() + _wal(gateway)
    assert gateway.api_key.encode() not in on_disk and PASTED.encode() not in on_disk
    assert b"keep it" not in on_disk, "sealed"


def _wal(gateway: RunningGateway) -> bytes:
    path = gateway.desk.settings.database
    return path.with_name(path.name + "-wal").read_bytes()


async def test_a_long_body_is_cut_and_says_how_long_it_was(gateway: RunningGateway, provider: MakeProvider) -> None:
    await setting(gateway, capture="all", capture_bytes=1024)
    long = {**CHAT_ANSWER, "padding": "x" * 5000}
    await gateway.backend(await provider(answer(long)))

    got = await gateway.call(messages=[{"role": "user", "content": "y" * 9000}])

    found = await kept(gateway)
    for part, size in ((Part.RESPONSE_BODY, len(got.content)), (Part.REQUEST_BODY, None)):
        assert found[part].is_cut and len(found[part].content) == 1024
        assert found[part].size > 5000 and size in (None, found[part].size)


async def test_the_api_shows_and_deletes_it(gateway: RunningGateway, provider: MakeProvider) -> None:
    await setting(gateway, capture="all")
    await gateway.backend(await provider(answer()))
    await gateway.call()
    row = (await gateway.rows())[-1]
    headers, path = {"authorization": f"Bearer {gateway.management_token}"}, f"/api/admin/requests/{row.id}/capture"

    shown = (await gateway.client.get(path, headers=headers)).json()
    assert [one["part"] for one in shown["items"]] == [part.value for part in Part]
    assert json.loads(shown["items"][1]["content"])["messages"] == HELLO
    assert (await gateway.client.delete(path, headers=headers)).status_code == 204
    assert (await gateway.client.get(path, headers=headers)).json()["total"] == 0
    assert (await gateway.client.get("/api/admin/requests/nothing/capture", headers=headers)).status_code == 404
    assert (await gateway.client.delete("/api/admin/requests/nothing/capture", headers=headers)).status_code == 404


async def test_one_calls_part_does_not_open_as_anothers(gateway: RunningGateway, provider: MakeProvider) -> None:
    await setting(gateway, capture="all")
    await gateway.backend(await provider(answer()))
    await gateway.call()
    await gateway.call()
    first, second = (row.id for row in (await gateway.rows())[-2:])
    async with gateway.desk.db.write() as tx:
        await stored.delete_of_call(tx, first)
        await tx.execute("UPDATE captures SET call_id = ? WHERE call_id = ?", (first, second))

    found = await captures.of_call(gateway.desk, first)
    assert [one.part for one in found] == list(Part)
    assert [(one.content, one.is_readable) for one in found] == [(b"", False)] * len(Part)


async def test_what_cannot_be_opened_is_told_in_its_place_and_can_be_deleted(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await setting(gateway, capture="all")
    await gateway.backend(await provider(answer()))
    await gateway.call()
    row = (await gateway.rows())[-1]
    async with gateway.desk.db.write() as tx:
        await tx.execute("UPDATE captures SET sealed = zeroblob(90) WHERE part = 'request_body'")
    headers, path = {"authorization": f"Bearer {gateway.management_token}"}, f"/api/admin/requests/{row.id}/capture"

    shown = (await gateway.client.get(path, headers=headers)).json()["items"]
    assert [one["is_readable"] for one in shown] == [True, False, True, True]
    assert [bool(one["content"]) for one in shown] == [True, False, True, True]
    assert (await gateway.client.delete(path, headers=headers)).status_code == 204


@pytest.mark.parametrize(
    "text",
    [b"sk-proj-0123456789abcdef", b"sk-gw-0123456789abcdefgh", b"ghp_0123456789abcdefghij", b"AIza" + b"x" * 35],
)
def test_what_looks_like_a_key_is_left_out(text: bytes) -> None:
    assert without_keys(b'{"a": "' + text + b'"}') == b'{"a": "***"}'


def test_plain_words_stay() -> None:
    for text in (b"task-force-of-the-century-and-more", b"sk-short", b"risk-averse-people-everywhere", b"ask-me"):
        assert without_keys(text) == text


def test_nothing_is_put_aside_where_nothing_is_kept() -> None:
    none, some = Kept(), Kept(3)
    for one in (none, some):
        one.add(b"ab")
        one.add(b"cdef")
    assert (bytes(none.content), none.size) == (b"", 0)
    assert (bytes(some.content), some.size) == (b"abc", 6)
