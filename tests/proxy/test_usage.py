"""Usage and cost are right on every ending."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import models
from gateway.model.calls import CallStatus, Usage, UsageSource
from tests.conftest import MakeProvider
from tests.harness import HELLO, OPERATOR, RunningGateway
from tests.provider import CHAT_ANSWER, USAGE_CHUNK, Scene, answer, delta, limited, sse, stream

pytestmark = pytest.mark.anyio

REPORTED = {"prompt_tokens": 9, "completion_tokens": 2}
ASKED = -(-len(HELLO[0]["content"]) // 4)


def usage(input_tokens: int, output_tokens: int) -> tuple[int, int, str]:
    return (input_tokens, output_tokens, "reported")


def estimated(output_tokens: int) -> tuple[int, int, str]:
    return (ASKED, output_tokens, "estimated")


ENDINGS: list[tuple[str, list[Any], bool, tuple[int, int, str], CallStatus]] = [
    ("done", [delta("Hello"), delta(finish="stop"), USAGE_CHUNK, "[DONE]"], False, usage(9, 2), CallStatus.COMPLETED),
    ("length", [delta("Hel"), delta(finish="length"), USAGE_CHUNK, "[DONE]"], False, usage(9, 2), CallStatus.COMPLETED),
    (
        "refusal",
        [{"choices": [{"delta": {"refusal": "No."}, "finish_reason": "stop"}]}, USAGE_CHUNK, "[DONE]"],
        False,
        usage(9, 2),
        CallStatus.COMPLETED,
    ),
    (
        "usage on a chunk with choices",
        [delta("Hello"), delta(finish="stop", usage=REPORTED), "[DONE]"],
        False,
        usage(9, 2),
        CallStatus.COMPLETED,
    ),
    (
        "usage in the penultimate chunk",
        [delta("Hello", usage=REPORTED), delta(finish="stop"), "[DONE]"],
        False,
        usage(9, 2),
        CallStatus.COMPLETED,
    ),
    (
        "usage twice: the last counts",
        [delta("H", usage={"prompt_tokens": 9, "completion_tokens": 1}), delta(finish="stop"), USAGE_CHUNK, "[DONE]"],
        False,
        usage(9, 2),
        CallStatus.COMPLETED,
    ),
    ("missing", [delta("Hello wo"), delta(finish="stop"), "[DONE]"], False, estimated(2), CallStatus.COMPLETED),
    ("no [DONE]", [delta("Hello"), delta(finish="stop"), USAGE_CHUNK], False, usage(9, 2), CallStatus.COMPLETED),
    ("cut", [delta("Hello world!")], True, estimated(3), CallStatus.FAILED),
    ("cut after usage", [delta("Hello", usage=REPORTED)], True, usage(9, 2), CallStatus.FAILED),
    ("ended without its end", [delta("Hello")], False, estimated(2), CallStatus.FAILED),
    ("error event", [delta("Hello"), {"error": {"message": "x"}}], False, estimated(2), CallStatus.FAILED),
    (
        "tool call",
        [
            {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}}]},
            delta(finish="tool_calls"),
            "[DONE]",
        ],
        False,
        estimated(2),
        CallStatus.COMPLETED,
    ),
]


@pytest.mark.parametrize(("name", "payloads", "cut", "expected", "status"), ENDINGS, ids=[case[0] for case in ENDINGS])
async def test_a_stream_is_metered_whatever_its_end(
    gateway: RunningGateway,
    provider: MakeProvider,
    name: str,
    payloads: list[Any],
    cut: bool,
    expected: tuple[int, int, str],
    status: CallStatus,
) -> None:
    await gateway.backend(await provider(stream(sse(*payloads), cut=cut)))

    await gateway.call(stream=True)

    row = await gateway.row()
    assert (row.usage.input, row.usage.output, row.usage.source) == expected
    assert row.status is status
    assert row.first_byte_ms is not None


ANSWERS: list[tuple[str, dict[str, Any], Usage]] = [
    ("plain", {"prompt_tokens": 9, "completion_tokens": 3}, Usage(9, 3, source=UsageSource.REPORTED)),
    (
        "cached and reasoned",
        {
            "prompt_tokens": 100,
            "completion_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 60},
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        Usage(40, 30, cache_read=60, reasoning=20, source=UsageSource.REPORTED),
    ),
    (
        "written to a cache",
        {
            "prompt_tokens": 100,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 50},
        },
        Usage(40, 1, cache_read=10, cache_creation=50, source=UsageSource.REPORTED),
    ),
    (
        "nulls",
        {"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None},
        Usage(5, 0, source=UsageSource.REPORTED),
    ),
    ("nonsense", {"prompt_tokens": -5, "completion_tokens": "many"}, Usage(0, 0, source=UsageSource.REPORTED)),
]


@pytest.mark.parametrize(("name", "said", "expected"), ANSWERS, ids=[case[0] for case in ANSWERS])
async def test_a_whole_answer_is_metered(
    gateway: RunningGateway, provider: MakeProvider, name: str, said: dict[str, Any], expected: Usage
) -> None:
    await gateway.backend(await provider(answer({**CHAT_ANSWER, "usage": said})))

    await gateway.call()

    assert (await gateway.row()).usage == expected


async def test_a_whole_answer_without_usage_is_estimated_and_marked(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(answer({"choices": CHAT_ANSWER["choices"]})))

    await gateway.call()

    assert (await gateway.row()).usage == Usage(ASKED, 2, source=UsageSource.ESTIMATED)


async def test_cost_is_exact_to_the_nano_dollar(gateway: RunningGateway, provider: MakeProvider) -> None:
    said = {"prompt_tokens": 1001, "completion_tokens": 333, "prompt_tokens_details": {"cached_tokens": 500}}
    await gateway.backend(await provider(answer({**CHAT_ANSWER, "usage": said})))
    model = gateway.desk.snapshot().models["m"]
    prices = {"input_price": "1.25", "output_price": "10", "cache_read_price": "0.125", "request_price": "0.001"}
    await models.update(gateway.desk, OPERATOR, model.id, prices)

    await gateway.call()

    row = await gateway.row()
    assert row.price is not None
    # 501 × 1.25 $/M + 500 × 0.125 $/M + 333 × 10 $/M + 0.001 $, in nano-dollars.
    assert row.cost_nano == 626_250 + 62_500 + 3_330_000 + 1_000_000


async def test_a_model_without_a_price_is_unpriced_and_not_free(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider())

    await gateway.call()

    assert (await gateway.row()).cost_nano is None


@pytest.mark.parametrize(("scene", "code"), [(limited(500), 429), (answer({"error": {"message": "bad"}}, 400), 400)])
async def test_a_refused_call_is_written_down_and_costs_nothing(
    gateway: RunningGateway, provider: MakeProvider, scene: Scene, code: int
) -> None:
    await gateway.backend(await provider(scene))

    got = await gateway.call()

    row = await gateway.row()
    assert (got.status_code, row.code, row.status, row.cost_nano) == (code, code, CallStatus.FAILED, 0)
    assert row.usage.source is UsageSource.NONE
    assert len(row.attempts) == 1
