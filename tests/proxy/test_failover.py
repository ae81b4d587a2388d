"""Trouble before the first real output goes to the next backend; after it, never."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.model.calls import CallStatus
from gateway.routing.bounds import key_requests
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Pause, Scene, answer, delta, drop, hang, hello_stream, limited, raw, refused, sse, stream

pytestmark = pytest.mark.anyio

FAILING: list[tuple[str, Scene, str]] = [
    ("closes without a word", drop(), "failed"),
    ("server error", refused(500), "failed"),
    ("overloaded", refused(529), "failed"),
    ("redirect", answer({}, 302, {"location": "http://127.0.0.1:1/"}), "failed"),
    ("bad key", refused(401, "Incorrect API key"), "credentials_refused"),
    ("no money", refused(402), "credentials_refused"),
    ("forbidden", refused(403), "credentials_refused"),
    ("limited", limited(30), "rate_limited"),
    ("HTML with 200", answer(b"<html>hello</html>", headers={"content-type": "text/html"}), "failed"),
    ("empty 200", answer(b""), "failed"),
    ("error with 200", answer({"error": {"message": "boom"}}), "failed"),
    ("no choices", answer({"object": "chat.completion"}), "failed"),
    (
        "truncated JSON",
        raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"),
        "failed",
    ),
    ("not HTTP", raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "failed"),
    ("compressed", answer(b"\x1f\x8b", headers={"content-encoding": "gzip"}), "failed"),
    ("unknown parameter", refused(400, "Unsupported parameter: 'seed'", code="unsupported_parameter"), "not_served"),
    ("model gone", refused(404, "The model does not exist", code="model_not_found"), "not_served"),
]
FAILING_STREAMS: list[tuple[str, Scene, str]] = [
    ("role, then cut", stream(sse(delta(role=True)), cut=True), "failed"),
    ("role, then end", stream(sse(delta(role=True))), "failed"),
    ("nothing", stream([]), "failed"),
    ("error first", stream(sse({"error": {"message": "overloaded"}})), "failed"),
    ("error after role", stream(sse(delta(role=True), {"error": {"message": "overloaded"}})), "failed"),
    ("pings, then cut", stream([b": ping\n\n"] * 3, cut=True), "failed"),
]


@pytest.mark.parametrize(("name", "scene", "outcome"), FAILING, ids=[case[0] for case in FAILING])
async def test_the_next_backend_answers(
    gateway: RunningGateway, provider: MakeProvider, name: str, scene: Scene, outcome: str
) -> None:
    bad, good = await provider(scene), await provider()
    await gateway.backend(bad)
    await gateway.backend(good, pool="fallback")

    got = await gateway.call()

    assert got.status_code == 200
    assert got.headers["x-gateway-attempts"] == "2"
    row = await gateway.row()
    assert [attempt.outcome for attempt in row.attempts] == [outcome, "ok"]
    assert [attempt.pool for attempt in row.attempts] == ["primary", "fallback"]
    assert row.attempts[0].error
    assert (row.status, row.code, row.pool) == (CallStatus.COMPLETED, 200, "fallback")


@pytest.mark.parametrize(("name", "scene", "outcome"), FAILING_STREAMS, ids=[case[0] for case in FAILING_STREAMS])
async def test_start_frames_are_held_back_so_that_the_next_backend_can_answer(
    gateway: RunningGateway, provider: MakeProvider, name: str, scene: Scene, outcome: str
) -> None:
    bad, good = await provider(scene), await provider(stream())
    await gateway.backend(bad)
    await gateway.backend(good, pool="fallback")

    got = await gateway.call(stream=True, stream_options={"include_usage": True})

    assert got.content == b"".join(hello_stream())
    assert [attempt.outcome for attempt in (await gateway.row()).attempts] == [outcome, "ok"]


async def test_an_unreachable_backend_costs_nothing_but_the_try(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    good = await provider()
    await gateway.backend(good, pool="fallback")
    gone = await provider()
    gone.origin = "http://127.0.0.1:1"
    made = await gateway.backend(gone, rpm_limit=5)

    got = await gateway.call()

    assert got.status_code == 200
    assert "could not connect" in (await gateway.row()).attempts[0].error
    bucket = gateway.desk.state.buckets.get(key_requests(made.key))
    assert bucket is not None
    assert bucket.level == 5


async def test_a_silent_backend_is_left_after_its_first_byte_bound(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    left = asyncio.Event()
    silent, good = await provider(hang(left)), await provider(stream())
    await gateway.backend(silent, timeout_seconds=0.3)
    await gateway.backend(good, pool="fallback")

    began = time.monotonic()
    got = await gateway.call(stream=True)

    assert got.status_code == 200
    assert time.monotonic() - began < 2
    await asyncio.wait_for(left.wait(), 1)


async def test_a_client_fault_goes_back_unmodified_and_penalises_nobody(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    body = b'{"error":  {"message":"messages.0.content: bad","type":"invalid_request_error","param":null,"code":null}}'
    picky, other = await provider(answer(body, 400)), await provider()
    made = await gateway.backend(picky)
    await gateway.backend(other, pool="fallback")

    got = await gateway.call()

    assert (got.status_code, got.content) == (400, body)
    assert not other.heard
    state = gateway.desk.state.of(made.backend_id)
    assert (state.fault, state.failures, state.streak, state.in_flight) == ("", 0, 0, 0)
    row = await gateway.row()
    assert (row.status, row.code, row.error_code) == (CallStatus.FAILED, 400, "client_fault")
    assert row.cost_nano == 0


async def test_a_stream_that_breaks_after_output_ends_with_an_error_event_and_no_second_backend(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    cut, other = await provider(stream(sse(delta(role=True), delta("Hel")), cut=True)), await provider(stream())
    await gateway.backend(cut)
    await gateway.backend(other, pool="fallback")

    got = await gateway.call(stream=True)

    assert b"Hel" in got.content
    assert b"[DONE]" not in got.content
    assert b'"error":{' in got.content.split(b"\n\n")[-2]
    assert not other.heard
    row = await gateway.row()
    assert (row.status, row.error_code) == (CallStatus.FAILED, "stream_broken")


async def test_a_torn_event_is_not_passed_on(gateway: RunningGateway, provider: MakeProvider) -> None:
    torn = [*sse(delta("Hel")), b'data: {"choices":[{"delta":{"con']
    await gateway.backend(await provider(stream(torn, cut=True)))

    got = await gateway.call(stream=True)

    events = [event for event in got.content.split(b"\n\n") if event]
    assert len(events) == 2
    assert b"broke off" in events[1]


async def test_our_key_is_cut_out_of_a_last_error_event_too(gateway: RunningGateway, provider: MakeProvider) -> None:
    quoting = sse(delta("Hel"), {"error": {"message": "bad key sk-provider-secret-0001"}})
    await gateway.backend(await provider(stream([quoting[0], quoting[1].rstrip(b"\n")])))

    got = await gateway.call(stream=True)

    assert b"bad key ***" in got.content
    assert "sk-provider-secret-0001" not in got.text + str(await gateway.rows())


@pytest.mark.parametrize("asked", [True, False])
async def test_a_last_event_without_its_empty_line_counts_as_any_other(
    gateway: RunningGateway, provider: MakeProvider, asked: bool
) -> None:
    parts = hello_stream()
    unended = [*parts[:-2], parts[-2].rstrip(b"\n")]
    await gateway.backend(await provider(stream(unended)))

    got = await gateway.call(stream=True, **({"stream_options": {"include_usage": True}} if asked else {}))

    assert got.content == b"".join(unended if asked else parts[:-2])
    assert (await gateway.row()).usage.output == 2


async def test_an_error_event_of_the_provider_passes_and_counts_as_its_failure(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    parts = sse(delta("Hel"), {"error": {"message": "boom"}})
    made = await gateway.backend(await provider(stream(parts)))

    got = await gateway.call(stream=True)

    assert got.content == b"".join(parts)
    assert "boom" in gateway.desk.state.of(made.backend_id).fault
    assert (await gateway.row()).status is CallStatus.FAILED


async def test_a_stream_that_falls_silent_is_ended(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(stream([*sse(delta("Hel")), Pause(20)])), timeout_seconds=0.5)
    began = time.monotonic()

    got = await gateway.call(stream=True)

    assert time.monotonic() - began < 3
    assert b'"error":{' in got.content


async def test_no_more_than_the_pools_attempts_are_made(gateway: RunningGateway, provider: MakeProvider) -> None:
    backends = [await provider(refused(500)) for _ in range(6)]
    for one in backends:
        await gateway.backend(one)

    got = await gateway.call()

    assert (got.status_code, got.json()["error"]["type"]) == (502, "upstream_error")
    assert sum(len(one.heard) for one in backends) == 4


async def test_a_key_that_every_backend_refuses_never_shows_the_client_a_401(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(refused(401, "Incorrect API key provided: sk-provider-secret-0001")))

    got = await gateway.call()

    assert (got.status_code, got.json()["error"]["code"]) == (502, "upstream_credentials_exhausted")
    assert got.headers["x-should-retry"] == "false"
    assert "sk-provider-secret-0001" not in got.text
    assert "sk-provider-secret-0001" not in str(await gateway.rows())


async def test_a_key_that_rests_because_it_was_refused_is_no_limit_to_come_back_after(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(refused(401)))
    await gateway.call()

    got = await gateway.call()

    assert (got.status_code, got.json()["error"]["code"]) == (502, "upstream_credentials_exhausted")
    assert [skip.reason for skip in (await gateway.row()).skips] == ["key_refused"]


async def test_more_limited_backends_than_attempts_are_still_told_as_a_limit(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    for seconds in (90, 80, 70, 60, 50, 40):
        await gateway.backend(await provider(limited(seconds)))

    got = await gateway.call()

    assert got.status_code == 429
    assert 0 < int(got.headers["retry-after"]) <= 90


async def test_a_provider_without_money_is_told_as_a_limit_that_a_retry_does_not_mend(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(limited(error={"code": "insufficient_quota"})))

    got = await gateway.call()

    assert (got.status_code, got.headers["x-should-retry"]) == (429, "false")
    assert int(got.headers["retry-after"]) == 3600
    assert [skip.reason for skip in (await gateway.row()).skips] == ["out_of_quota"]


async def test_lower_priority_goes_first_and_weight_decides_among_equals(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    second, heavy, light, off = [await provider() for _ in range(4)]
    await gateway.backend(second, priority=20)
    await gateway.backend(heavy, priority=10, weight=9)
    await gateway.backend(light, priority=10, weight=1)
    await gateway.backend(off, priority=0, weight=0)

    for _ in range(60):
        assert (await gateway.call()).status_code == 200

    assert (len(second.heard), len(off.heard)) == (0, 0)
    assert len(heavy.heard) > len(light.heard) > 0


async def test_a_kept_connection_that_the_provider_closed_is_opened_again(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await provider()
    await gateway.backend(made)
    assert (await gateway.call()).status_code == 200
    made.always = answer(headers={"connection": "close"})

    codes = [(await gateway.call()).status_code for _ in range(3)]

    assert codes == [200, 200, 200]
