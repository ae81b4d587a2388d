"""What a new database is filled with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control import api_keys, backends, first_start
from gateway.control.desk import Desk
from gateway.control.first_start import DEMO_MODELS, Detected
from gateway.control.presets import PRESETS
from gateway.model.people import Actor
from gateway.model.registry import Price
from gateway.routing.snapshot import Snapshot
from tests.control.people import FakeClock, administrator, desk_at, dump

pytestmark = pytest.mark.anyio
OPENAI = Detected("openai", "openai", "OpenAI", "https://api.openai.com/v1", "OPENAI_API_KEY", ())
OLLAMA = Detected("ollama", "ollama", "Ollama", "http://127.0.0.1:11434/v1", None, ("Llama3:8b", "qwen"))
OTHER = Detected("vllm", "vllm-8081", "vLLM", "http://127.0.0.1:8081/v1", None, ("qwen",))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, FakeClock()) as desk:
        yield desk


def lanes(snapshot: Snapshot, code: str) -> list[tuple[str, str, str]]:
    found = snapshot.lanes[snapshot.models[code].id]
    return [(lane.backend.provider.name, lane.backend.pool.name, lane.upstream_name) for lane in found]


async def test_the_demo_is_in_both_pools_so_that_a_failover_can_be_seen(desk: Desk) -> None:
    await first_start.fill(desk, ())

    snapshot = desk.snapshot()
    for name in DEMO_MODELS:
        assert lanes(snapshot, f"demo/{name}") == [("demo", "primary", name), ("demo-spare", "fallback", name)]
        assert snapshot.models[f"demo/{name}"].price == Price(0, 0, 0, 0, 0)
    for backend in snapshot.backends.values():
        assert (backend.endpoint.first_byte_seconds, backend.endpoint.idle_seconds) == (3.0, 3.0)
        assert backend.key.sealed is None and backend.key.env_name is None


async def test_the_key_that_is_given_out_works_and_is_stored_as_a_hash(desk: Desk) -> None:
    key = await first_start.fill(desk, ())

    (stored,) = desk.snapshot().api_keys.values()
    assert stored.key_hash == desk.vault.hash_token(key)
    assert (stored.name, stored.allowed_models) == ("first key", None)
    assert key not in await dump(desk)


async def test_what_was_found_is_added_with_references_and_models(desk: Desk) -> None:
    await first_start.fill(desk, [OPENAI, OLLAMA, OTHER])

    snapshot = desk.snapshot()
    of_openai = snapshot.provider_backends[snapshot.providers["openai"].id]
    assert {one.endpoint.api_format for one in of_openai} == {one.api_format for one in PRESETS["openai"].endpoints}
    assert all(one.key.env_name == "OPENAI_API_KEY" and one.key.sealed is None for one in of_openai)
    assert set(lanes(snapshot, "llama3:8b")) == {("ollama", "primary", "Llama3:8b")}
    assert {provider for provider, _, _ in lanes(snapshot, "qwen")} == {"ollama", "vllm-8081"}
    assert snapshot.backends and all(backend.is_enabled for backend in snapshot.backends.values())


async def test_what_cannot_be_added_is_left_out_and_stops_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    private = Detected("openai", "openai", "OpenAI", "http://10.0.0.5/v1", "OPENAI_API_KEY", ())

    key = await first_start.fill(desk, [private, OLLAMA])

    assert key
    assert set(desk.snapshot().providers) == {"demo", "demo-spare", "ollama"}
    assert "OpenAI was found and not added" in caplog.text


async def test_it_is_due_once(desk: Desk) -> None:
    assert await first_start.is_due(desk)
    await first_start.fill(desk, ())

    assert not await first_start.is_due(desk)


async def test_it_is_still_due_after_a_password_was_set(desk: Desk) -> None:
    await administrator(desk)

    assert await first_start.is_due(desk)


async def test_a_start_that_was_cut_short_goes_on_where_it_stopped(desk: Desk) -> None:
    await first_start.fill(desk, [OLLAMA])
    (key,) = await api_keys.listing(desk)
    await api_keys.delete(desk, Actor("cli", "x", "x"), key.id)
    assert await first_start.is_due(desk)

    await first_start.fill(desk, [OLLAMA, OTHER])

    assert set(desk.snapshot().providers) == {"demo", "demo-spare", "ollama", "vllm-8081"}
    assert not await first_start.is_due(desk)


async def test_an_operator_who_removed_everything_is_not_given_it_back(desk: Desk) -> None:
    await first_start.fill(desk, ())
    await administrator(desk)
    operator = Actor("cli", "x", "x")
    for backend_id in list(desk.snapshot().backends):
        await backends.delete(desk, operator, backend_id)
    (key,) = await api_keys.listing(desk)
    await api_keys.delete(desk, operator, key.id)

    assert not await first_start.is_due(desk)
