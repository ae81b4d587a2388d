"""The ledger is proved: what is as it should be passes, and every single thing that is not is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.model.calls import CallStatus, Usage, UsageSource
from gateway.model.registry import Price
from gateway.ops.verify_ledger import fault_of, verify
from gateway.store.database import open_reader
from gateway.store.ledger_sums import Priced
from tests.conftest import MakeProvider
from tests.harness import RunningGateway, running_gateway
from tests.provider import CHAT_ANSWER, answer

pytestmark = pytest.mark.anyio

PRICE = Price(3_000_000_000, 15_000_000_000, 300_000_000, 3_750_000_000, 1_000)
USAGE = Usage(input=1000, output=7, cache_read=11, cache_creation=13, source=UsageSource.REPORTED)
COST = 3_000_000 + 105_000 + 3_300 + 48_750 + 1_000
ROW = Priced("req_1", CallStatus.COMPLETED, USAGE, PRICE, COST, 800_000, 2_526_440)


def test_a_row_follows_from_its_tokens_and_prices() -> None:
    assert fault_of(ROW) == ""
    assert fault_of(replace(ROW, price=None, cost_nano=None, actual_nano=None)) == ""
    assert fault_of(replace(ROW, usage=Usage(), cost_nano=0, actual_nano=0, rate_multiplier=None)) == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(ROW, cost_nano=COST + 1), "its tokens and prices come to $0.00315805"),
        (replace(ROW, cost_nano=None), "costs nothing known"),
        (replace(ROW, price=None), "come to nothing known"),
        (replace(ROW, actual_nano=2_526_441), "its multiplier makes it $0.00252644"),
        (replace(ROW, actual_nano=None), "actually costs nothing known"),
    ],
)
def test_a_row_that_does_not_says_why(wrong: Priced, said: str) -> None:
    assert said in fault_of(wrong)


@pytest.fixture
async def used(tmp_path: Path, provider: MakeProvider) -> AsyncIterator[RunningGateway]:
    """A gateway that served five calls of a user's key and two of a key with a balance, at a quota's provider."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 100}}
    async with running_gateway(tmp_path) as gateway:
        made = await gateway.backend(await provider(answer({**CHAT_ANSWER, "usage": usage})))
        bearer = {"authorization": f"Bearer {gateway.management_token}"}

        async def send(method: str, path: str, **body: object) -> dict[str, str]:
            got = await gateway.client.request(method, f"/api/admin{path}", headers=bearer, json=body)
            assert got.status_code < 300, got.text
            return dict(got.json())

        prices = {"input_price": "3", "output_price": "15", "cache_read_price": "0.3", "request_price": "0.001"}
        await send("PATCH", f"/models/{made.models[0].id}", **prices)
        await send("PATCH", f"/providers/{made.provider.id}", monthly_quota="100")
        await send("PATCH", f"/provider-keys/{made.key.id}", rate_multiplier="0.8")
        await send("POST", "/users", username="bea", password="a-long-and-odd-password", quota="50")
        owned = await send("POST", "/api-keys", name="owned", user_id="bea", budget="10")
        alone = await send("POST", "/api-keys", name="alone")
        await send("POST", f"/api-keys/{alone['id']}/top-ups", amount="5")
        for key in [owned["key"]] * 5 + [alone["key"]] * 2:
            got = await gateway.call(headers={"authorization": f"Bearer {key}"})
            assert got.status_code == 200
        await gateway.rows()
        yield gateway


async def told(gateway: RunningGateway) -> list[str]:
    async with open_reader(gateway.desk.settings.database) as tx:
        return (await verify(tx)).differences


async def test_what_a_gateway_wrote_is_proved_while_it_runs(used: RunningGateway) -> None:
    async with open_reader(used.desk.settings.database) as tx:
        verdict = await verify(tx)

    assert verdict.differences == []
    assert (verdict.calls, verdict.sums, verdict.providers, verdict.balances) == (7, 3, 1, 1)


TAMPERED = [
    ("UPDATE calls SET cost_nano = cost_nano + 1 WHERE id = (SELECT min(id) FROM calls)", "tokens and prices"),
    ("UPDATE calls SET output_tokens = 21 WHERE id = (SELECT max(id) FROM calls)", "tokens and prices"),
    ("UPDATE calls SET rate_multiplier = 900000 WHERE id = (SELECT max(id) FROM calls)", "its multiplier"),
    ("DELETE FROM calls WHERE id = (SELECT min(id) FROM calls)", "user:"),
    ("UPDATE spends SET nano = nano - 1 WHERE owner LIKE 'user:%'", "on 20"),
    ("DELETE FROM spends WHERE owner LIKE 'api_key:%'", "api_key:"),
    ("INSERT INTO spends VALUES ('user:nobody', 3, 5)", "user:nobody spent $0.000000005 on 1970-01-04"),
    ("UPDATE provider_spend SET used_nano = used_nano + 1", "provider p1"),
    ("UPDATE api_keys SET credited_nano = credited_nano + 1 WHERE credited_nano > 0", "API key alone"),
    ("DELETE FROM top_ups", "API key alone"),
    ("INSERT INTO reservations SELECT id, '{}', 0, started_at FROM calls LIMIT 1", "still reserved"),
]


@pytest.mark.parametrize(("statement", "said"), TAMPERED, ids=[statement[:40] for statement, _ in TAMPERED])
async def test_whatever_is_changed_behind_its_back_is_told(used: RunningGateway, statement: str, said: str) -> None:
    async with used.desk.db.write() as tx:
        await tx.execute(statement)

    differences = await told(used)

    assert any(said in line for line in differences), differences


async def test_what_deleted_calls_had_cost_still_counts(used: RunningGateway) -> None:
    async with used.desk.db.write() as tx:
        await tx.execute(
            """
            INSERT INTO carried_spends
            SELECT charged_at / 86400000, api_key_id, coalesce(user_id, ''), provider_id, count(*), sum(cost_nano),
                   sum(actual_nano)
            FROM calls GROUP BY 1, 2, 3, 4
            """
        )
        await tx.execute("DELETE FROM calls")

    assert await told(used) == []
