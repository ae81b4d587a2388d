"""Stopped under load: streams end well, and the ledger is the provider's own account to the token (REL-02)."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.money import token_cost
from tests.soak.rig import PRICES, Rig, rigged, rounds

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SIGNALS = [
    (signal.SIGTERM,),
    (signal.SIGINT,),
    (signal.SIGTERM, signal.SIGTERM),
    (signal.SIGINT, signal.SIGINT),
]


def cost(given: int, taken: int) -> int:
    dollars = {name: round(float(price) * 10**9) for name, price in PRICES.items()}
    cached = given // 3
    return (
        token_cost(given - cached, dollars["input_price"])
        + token_cost(cached, dollars["cache_read_price"])
        + token_cost(taken, dollars["output_price"])
        + dollars["request_price"]
    )


def require_the_witness_account(rig: Rig) -> int:
    """Every answer that the provider finished is a row of that many tokens and that cost; how many."""
    reported = rig.rows(
        """
        SELECT input_tokens + cache_read_tokens, output_tokens, cost_nano FROM calls WHERE usage_source = 'reported'
        """
    )
    rows = {(given, taken): nano for given, taken, nano in reported}
    finished = {
        (given, taken): cost(given, taken) for given, taken, end in rig.witness.lines().values() if end == "finished"
    }
    assert rows == finished
    return len(finished)


@pytest.mark.parametrize("signals", SIGNALS[: rounds(2, 4)], ids=lambda signals: "+".join(one.name for one in signals))
async def test_a_stop_ends_streams_and_the_ledger_is_the_providers_account(
    signals: tuple[signal.Signals, ...], tmp_path: Path
) -> None:
    async with rigged(tmp_path) as rig:
        for _ in range(rounds(1, 5)):
            with rig.serving() as program:
                loading = asyncio.create_task(rig.load(program.url, rate=60, seconds=1.2, streams=0.6))
                await asyncio.sleep(1.0)
                code = await asyncio.to_thread(program.stop, *signals)
                await loading
            assert code == 0
            begun = [one for one in rig.sent if one.status == 200]
            assert [one for one in begun if one.ended is None] == []
            assert require_the_witness_account(rig) > 20
            wal = rig.database.with_name("gateway.db-wal")
            assert not wal.exists() or wal.stat().st_size == 0
            rig.prove()


async def test_a_stream_that_outlasts_the_grace_ends_with_one_error_event(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.witness.chunks, rig.witness.pause = 400, 0.05
        with rig.serving("--grace-seconds", "1") as program:
            loading = asyncio.create_task(rig.load(program.url, rate=50, seconds=0.6, streams=1.0))
            await asyncio.sleep(1.2)
            code = await asyncio.to_thread(program.stop)
            await loading
        assert code == 0 and len(rig.sent) == 30
        for one in rig.sent:
            assert one.status == 200 and one.ended is not None
            assert one.text.count('"error"') == 1 and "[DONE]" not in one.text
            assert "stopping" in one.text.strip().split("\n")[-1]
        rows = rig.rows("SELECT DISTINCT status, error_code, usage_source, output_tokens > 0 FROM calls")
        assert rows == [("failed", "stream_broken", "estimated", 1)]
        assert {end for _, _, end in rig.witness.lines().values()} == {"aborted"}
        rig.prove()
