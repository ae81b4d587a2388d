"""Which passwords are good enough, and what checking one costs."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.control import passwords
from gateway.errors import InvalidFields, RateLimited


@pytest.mark.parametrize(
    "password", ["nine green kettles", "hG7#pq2Lx!vb", "прекрасная погода", "🐟🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔"]
)
def test_a_long_unusual_password_is_good(password: str) -> None:
    passwords.require_good(password, "ada")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "password1234",
        "Password2026!",
        "123456789012",
        "qwertyuiop123",
        "administrator",
        "changeme!!!!",
        "letmein12345",
        "correcthorsebatterystaple",
        "ada.lovelace",
        "ada.lovelace1",
        "x" * 300,
        "nine green \ud800 kettles",
    ],
)
def test_a_short_common_or_own_name_password_is_refused(password: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        passwords.require_good(password, "ada.lovelace")

    assert set(refusal.value.fields) == {"password"}


@pytest.mark.anyio
async def test_a_password_matches_its_own_hash_only() -> None:
    stored = await passwords.hash_new("nine green kettles")

    assert await passwords.matches(stored, "nine green kettles")
    assert not await passwords.matches(stored, "nine green kettle")
    assert not await passwords.matches(stored, stored)
    assert not await passwords.matches(None, "nine green kettles")
    assert not await passwords.matches(stored, "\ud800")


@pytest.mark.anyio
async def test_more_than_twenty_in_the_queue_are_sent_away_and_the_loop_stays_free() -> None:
    stored = await passwords.hash_new("nine green kettles")
    lags = []

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - began - 0.005)

    watching = asyncio.create_task(watch())
    outcomes = await asyncio.gather(
        *(passwords.matches(stored, "nine green kettles") for _ in range(50)), return_exceptions=True
    )
    watching.cancel()

    assert outcomes.count(True) == 21
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 29
    assert sorted(lags)[int(len(lags) * 0.95)] < 0.05
    assert await passwords.matches(stored, "nine green kettles")
