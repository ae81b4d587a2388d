"""An operator's calls take the path of every call, and their answer is kept instead of relayed."""

from __future__ import annotations

import asyncio

import pytest

from gateway.model.calls import CallSource, CallStatus, UsageSource
from gateway.model.checks import Trial
from gateway.proxy.trial import reply_of
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import CHAT_ANSWER, answer, hang, hello_stream, limited, refused, stream

pytestmark = pytest.mark.anyio

UNMETERED = {name: value for name, value in CHAT_ANSWER.items() if name != "usage"}


async def test_a_trial_is_a_call_with_its_own_row_in_the_ledger(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    there = await provider(answer())
    await gateway.backend(there, models={"m": "Upstream-M"})

    got = await gateway.desk.try_call(Trial("m", "Say hello", "Be brief."))

    assert there.heard[0].json() == {
        "model": "Upstream-M",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}],
    }
    assert (got.is_ok, got.reply, got.backend, got.error) == (True, "Hello!", "p1/main", "")
    assert (got.usage.input, got.usage.output, got.usage.source) == (9, 3, UsageSource.REPORTED)
    row = await gateway.row()
    assert (row.id, row.source, row.status) == (got.call_id, CallSource.TEST, CallStatus.COMPLETED)
    assert (row.api_key_name, row.backend, len(row.attempts)) == ("test", "p1/main", 1)


async def test_a_clients_call_is_written_down_as_one(gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    assert (await gateway.row()).source is CallSource.API


async def test_a_trial_moves_on_like_any_call(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(refused(500)))
    await gateway.backend(await provider(answer()), pool="fallback")

    got = await gateway.desk.try_call(Trial("m", "Hi"))

    assert (got.backend, got.is_ok) == ("p2/main", True)
    assert len((await gateway.row()).attempts) == 2


async def test_a_pinned_trial_asks_no_other_backend(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await gateway.backend(await provider(refused(500, "broken")))
    other = await provider(answer())
    await gateway.backend(other)

    got = await gateway.desk.try_call(Trial("m", "Hi", backend_id=made.backend_id))

    assert (got.is_ok, got.reply, got.backend) == (False, "", "p1/main")
    assert "HTTP 500: broken" in got.error
    assert other.heard == []
    assert (await gateway.row()).status is CallStatus.FAILED


async def test_tokens_are_guessed_only_where_the_provider_does_not_count(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(answer(UNMETERED)))

    got = await gateway.desk.try_call(Trial("m", "12345"))

    assert (got.usage.input, got.usage.output, got.usage.source) == (2, 2, UsageSource.ESTIMATED)


async def test_a_refusal_of_the_request_is_told_in_the_providers_words(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(refused(400, "messages are too spicy")))

    got = await gateway.desk.try_call(Trial("m", "Hi"))

    assert (got.is_ok, got.error, got.backend) == (False, "messages are too spicy", "p1/main")


async def test_a_model_that_wants_the_limit_under_its_other_name_gets_it(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    there = await provider(
        refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."), answer()
    )
    await gateway.backend(there)

    got = await gateway.desk.try_call(Trial("m", "Hi", max_tokens=1))

    assert got.is_ok
    assert [set(heard.json()) - {"model", "messages"} for heard in there.heard] == [
        {"max_tokens"},
        {"max_completion_tokens"},
    ]


async def test_a_trial_of_nothing_is_an_outcome_too(gateway: RunningGateway) -> None:
    got = await gateway.desk.try_call(Trial("nowhere", "Hi"))

    assert "does not exist" in got.error
    assert (await gateway.row()).code == 404


async def test_a_resting_backend_is_not_asked_again(gateway: RunningGateway, provider: MakeProvider) -> None:
    there = await provider(limited(600))
    await gateway.backend(there)

    first = await gateway.desk.try_call(Trial("m", "Hi"))
    second = await gateway.desk.try_call(Trial("m", "Hi"))

    assert not first.is_ok and not second.is_ok
    assert len(there.heard) == 1


async def test_an_answer_that_streams_unasked_is_taken_to_its_end(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(stream(hello_stream())))
    assert (await gateway.desk.try_call(Trial("m", "Hi"))).is_ok


async def test_a_trial_that_is_given_up_tells_the_provider_and_the_ledger(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    left = asyncio.Event()
    await gateway.backend(await provider(hang(left)))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await gateway.desk.try_call(Trial("m", "Hi"))

    await asyncio.wait_for(left.wait(), 2)
    assert (await gateway.row()).status is CallStatus.CANCELLED


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"choices": [{"message": {"content": "Hi"}}]}', "Hi"),
        (b'{"choices": [{"message": {"content": [{"text": "H"}, {"text": "i"}, {"image": 1}, 5]}}]}', "Hi"),
        (b'{"choices": [{"message": {"content": null}}]}', ""),
        (b'{"choices": []}', ""),
        (b'{"choices": [5]}', ""),
        (b"[]", ""),
        (b"data: x", ""),
    ],
)
def test_the_reply_is_the_text_of_the_first_choice(body: bytes, text: str) -> None:
    assert reply_of(body) == text
