"""Answers that are only promised: charged when they are there, whoever asks for them meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.model.calls import CallStatus
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer, refused

pytestmark = pytest.mark.anyio
USAGE = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}


def said(status: str, **more: Any) -> Any:
    return answer({"id": "resp_1", "object": "response", "status": status, "output": [], "error": None, **more})


async def promised(gateway: RunningGateway) -> None:
    got = await gateway.client.post(
        "/v1/responses", headers=gateway.auth, json={"model": "m", "input": "Say hello", "background": True}
    )
    assert (got.status_code, got.json()["status"]) == (200, "queued")


async def settled(gateway: RunningGateway) -> Any:
    for _ in range(600):
        rows = await gateway.rows()
        if rows:
            return rows[-1]
        await asyncio.sleep(0.01)
    raise AssertionError("it was never settled")


async def test_it_is_charged_what_it_used_once_it_is_done(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await provider(said("queued"), refused(500, "busy"), said("in_progress"), said("completed", usage=USAGE))
    await gateway.backend(made, api_format="openai_responses")
    gateway.app.surface._stored.background.first_seconds = 0.02

    await promised(gateway)
    assert await gateway.rows() == []

    row = await settled(gateway)
    assert (row.status, row.usage.input, row.usage.output) == (CallStatus.COMPLETED, 9, 3)
    assert [heard.path for heard in made.heard[1:]] == ["/v1/responses/resp_1"] * 3
    assert len(await gateway.rows()) == 1


async def test_its_owner_may_look_at_it_at_once(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(said("queued"), said("in_progress")), api_format="openai_responses")
    gateway.app.surface._stored.background.first_seconds = 60
    await promised(gateway)
    await asyncio.sleep(0.05)
    got = await gateway.client.get("/v1/responses/resp_1", headers=gateway.auth)
    assert (got.status_code, got.json()["status"]) == (200, "in_progress")


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (said("failed", error={"message": "boom"}, usage=USAGE), "boom"),
        (refused(404, "gone"), "does not keep it"),
    ],
)
async def test_one_that_fails_is_a_failed_call(
    gateway: RunningGateway, provider: MakeProvider, last: Any, words: str
) -> None:
    await gateway.backend(await provider(said("queued"), last), api_format="openai_responses")
    gateway.app.surface._stored.background.first_seconds = 0.02
    await promised(gateway)
    row = await settled(gateway)
    assert (row.status, row.error_code) == (CallStatus.FAILED, "background_failed")
    assert words in row.error


async def test_a_stop_settles_it_by_estimate(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(said("queued")), api_format="openai_responses")
    await promised(gateway)
    await asyncio.sleep(0.05)
    await gateway.app.surface.end()
    row = await settled(gateway)
    assert (row.status, row.usage.source.value) == (CallStatus.COMPLETED, "estimated")
