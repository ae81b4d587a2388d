"""No page and no list goes through all of what grows with calls: every statement that they run is asked for its plan.

What runs is what SQLite says ran, so a new page or a new statement cannot be forgotten here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from msgspec.structs import replace

from gateway.admin.routes import PAGES
from gateway.api.routes import all_operations
from gateway.model.calls import Attribution
from gateway.ops import retention, rollups
from gateway.store import calls
from gateway.store.database import READERS, Database
from tests.admin.browsing import Operator, visitor
from tests.harness import RunningGateway
from tests.store.rows import call, failed

pytestmark = pytest.mark.anyio

GROWING = (
    *("calls", "attempts", "captures", "stored_responses", "late_calls", "hourly_sums", "daily_sums"),
    *("usage_reports", "audit"),
)
"""Tables that have a row for a call, an hour, a report or a change; the others have one for what somebody set up, or
keep so many of each."""
ALLOWED = {
    "SELECT call_id FROM late_calls ORDER BY call_id LIMIT": "the first few of a queue that is empty most of the time",
    "NOT EXISTS (SELECT 1 FROM late_calls)": "the first row answers",
    "(SELECT count(*) FROM captures)": "captures are kept for days, and their narrowest index is all that is read",
}
_SCANS = re.compile(rf"SCAN ({'|'.join(GROWING)})\b")
_NOT_ASKED = re.compile(r"/setup|/login|/events|/openapi|upstream-models|/providers/\{id\}/models|\{token\}")
FILTERS = (
    *("", "key={key}", "user=ann", "user={user}", "model=gpt", "provider=openai", "provider={provider}"),
    *("backend=openai/main", "status=failed", "status=cancelled", "status=crashed", "status=completed"),
    *("code=404", "code=200", "code=5xx", "code=2xx", "text=broken", "text=nothing+has+this", "session=s1"),
    *("range=1h", "range=7d", "range=30d", "range=90d", "before={call}", "before={call}&status=failed"),
    *("key={key}&model=gpt", "key={key}&text=broken", "session=s1&status=failed", "model=gpt&range=7d"),
    *("provider=openai&status=failed&range=30d", "key=nobody", "key=nobody&status=failed", "user=ann&code=2xx"),
)
USES = (
    *("range=24h", "range=7d&bucket=hour&group=api_key", "range=30d&group=api_key&subgroup=model&metric=cost"),
    *("range=90d&group=user&subgroup=model", "range=24h&group=user&subgroup=provider_key", "range=1h"),
    *("range=30d&group=model&metric=p95_first", "range=30d&group=provider&model=gpt", "range=7d&group=provider_key"),
)


@dataclass(slots=True)
class Heard:
    """Statements as they ran, with their values, by the first path that ran them."""

    path: str = "before any page"
    statements: dict[str, str] = field(default_factory=dict)

    def hear(self, statement: str) -> None:
        shape = re.sub(r"'(?:[^']|'')*'|\b\d+\b", "?", statement)
        self.statements.setdefault(shape, f"{self.path}\n{statement}")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for found in self.statements.values():
            path, _, statement = found.partition("\n")
            if re.match(r"\s*(SELECT|WITH|DELETE|UPDATE|INSERT)\b", statement):
                yield path, statement


@pytest.fixture
async def heard(gateway: RunningGateway) -> AsyncIterator[Heard]:
    """What the connections that read are asked."""
    found, db = Heard(), gateway.desk.db
    readers = [await db._readers.get() for _ in range(READERS)]
    for reader in readers:
        await reader.set_trace_callback(found.hear)
        db._readers.put_nowait(reader)
    yield found


async def plan_of(db: Database, statement: str) -> list[str]:
    async with db.read() as tx, tx.execute(f"EXPLAIN QUERY PLAN {statement}") as rows:
        return [row[3] for row in await rows.fetchall()]


async def scans(db: Database, heard: Heard) -> list[str]:
    found = []
    for path, statement in list(heard):
        if not any(part in statement for part in ALLOWED):
            found += [f"{path}: {step}\n{statement}" for step in await plan_of(db, statement) if _SCANS.match(step)]
    return found


async def lived_in(gateway: RunningGateway) -> dict[str, str]:
    """A gateway that had some calls, and the ids of what there is of each kind."""
    now, auth = gateway.desk.clock.wall_ms(), {"authorization": f"Bearer {gateway.management_token}"}
    ids = {"key": "", "user": "", "provider": "", "call": call(3).id, "requests": call(3).id}
    for path in {operation.path for operation in all_operations() if operation.method == "GET"}:
        if "{" not in path and not _NOT_ASKED.search(path):
            answer = await gateway.client.get(path, headers=auth)
            is_list = answer.status_code == 200 and answer.content.startswith(b'{"items":[{"')
            ids[path.rpartition("/")[2]] = str(answer.json()["items"][0].get("id", "")) if is_list else ""
    ids |= {"key": ids["api-keys"], "keys": ids["api-keys"], "user": ids["users"], "provider": ids["providers"]}
    rows = [call(number, started_at=now - number * 1000, api_key_id=ids["key"]) for number in range(1, 6)]
    rows += [failed(number, 404, started_at=now - 90_000_000, provider_id=ids["provider"]) for number in range(6, 9)]
    async with gateway.desk.db.write() as tx:
        await calls.insert_many(tx, [replace(row, attribution=Attribution(session="s1")) for row in rows])
    await rollups.catch_up(gateway.desk.db, gateway.desk.clock, pair_calls=1)
    return ids


def filled(path: str, ids: dict[str, str]) -> str:
    """With the id of its kind; a kind that has none keeps what stands there, and is asked for all the same."""
    kind = path.split("/")[3 if path.startswith("/api/") else 2] if path.count("/") > 2 else ""
    return re.sub(r"\{(id|format)\}", lambda found: "csv" if found[1] == "format" else ids.get(kind) or "none", path)


async def ask(client: httpx.AsyncClient, heard: Heard, path: str, **headers: str) -> None:
    heard.path = path
    answer = await client.get(path, headers=headers)
    assert answer.status_code < 500, f"{path}: {answer.text}"


async def test_no_page_and_no_list_goes_through_a_table_that_grows(gateway: RunningGateway, heard: Heard) -> None:
    operator: Operator = visitor(gateway)
    async with operator.client as browser:
        assert (await operator.set_up()).status_code == 303
        ids = await lived_in(gateway)
        pages = [filled(path, ids) for method, path, _ in PAGES if method == "GET" and not _NOT_ASKED.search(path)]
        pages += [f"/admin/requests?{one.format(**ids)}" for one in FILTERS]
        pages += [f"/admin/requests.csv?{one.format(**ids)}" for one in FILTERS]
        pages += [f"/admin/usage?{one}" for one in USES] + ["/admin/requests/agents?session=s1"]
        pages += ["/admin?range=1h", "/admin?range=7d", "/admin?range=30d", "/admin/audit?action=update&actor=ann"]
        for path in pages:
            await ask(browser, heard, path)

    token = f"Bearer {gateway.management_token}"
    for operation in all_operations():
        if operation.method == "GET" and not _NOT_ASKED.search(operation.path):
            await ask(gateway.client, heard, filled(operation.path, ids), authorization=token)

    assert len(list(heard)) > 60, "the pages were heard"
    assert sum("FROM calls" in statement for _, statement in heard) > 20
    assert await scans(gateway.desk.db, heard) == []


async def test_what_runs_beside_the_calls_goes_through_no_table_that_grows(
    gateway: RunningGateway, heard: Heard
) -> None:
    """Sums and retention look every few seconds or minutes, whether there is anything to do or not."""
    await lived_in(gateway)
    db, settings = gateway.desk.db, gateway.desk.snapshot().settings
    await db._writer.set_trace_callback(heard.hear)
    heard.path = "sums and retention"
    await rollups.catch_up(db, gateway.desk.clock)
    await retention.tidy(db, replace(settings, retention_days=1), gateway.desk.clock.wall_ms() + 10**9)

    assert sum("DELETE FROM calls" in statement for _, statement in heard) == 1
    assert await scans(db, heard) == []


async def test_a_statement_that_goes_through_all_calls_would_be_told(gateway: RunningGateway, heard: Heard) -> None:
    async with gateway.desk.db.read() as tx, tx.execute("SELECT count(*) FROM calls WHERE code = 200") as rows:
        await rows.fetchall()
    assert [found.split("\n")[0] for found in await scans(gateway.desk.db, heard)] == ["before any page: SCAN calls"]
