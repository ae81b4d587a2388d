"""Backends as rows: those of one key together, told by the loudest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.admin.pools import key_groups, key_rows, several
from gateway.control import backends, endpoints, pools, provider_keys
from gateway.control.backends import BackendMade
from gateway.control.pool_stats import BackendStats
from gateway.model.registry import ApiFormat
from gateway.routing.snapshot import Backend
from tests.desks import ANN, Office, open_office

pytestmark = pytest.mark.anyio


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path) as opened:
        yield opened


@pytest.fixture
async def openai(office: Office) -> BackendMade:
    """A key for seven API formats."""
    return await backends.create(office.desk, ANN, {"name": "openai", "preset": "openai", "models": ["m"]})


def stats(office: Office) -> list[BackendStats]:
    return [backend for pool in pools.stats(office.desk) for backend in pool.backends]


def of_format(office: Office, name: str) -> Backend:
    return next(one for one in office.desk.snapshot().backends.values() if one.endpoint.api_format == name)


async def test_a_key_is_one_row_whose_formats_begin_with_chats(office: Office, openai: BackendMade) -> None:
    (row,) = key_rows(stats(office))

    assert row.main.stats.api_format == "openai_chat"
    assert len(row.backends) == 7
    assert [one.stats.api_format for one in row.shown] == ["openai_chat", "openai_responses"]
    assert len(row.others) == 5
    assert "openai_audio" in row.others


async def test_what_needs_attention_speaks_for_its_key_and_is_shown(office: Office, openai: BackendMade) -> None:
    images, speech = of_format(office, "openai_images"), of_format(office, "openai_audio")
    office.desk.state.of(images.id).rest(office.clock.mono() + 41, "rate limited")
    office.desk.state.of(speech.id).in_flight = 3
    office.desk.state.of(openai.backend_id).in_flight = 2

    (row,) = key_rows(stats(office))

    assert (row.lead.stats.api_format, row.lead.state, row.lead.seconds) == ("openai_images", "cooling", 41)
    assert [one.stats.api_format for one in row.shown] == ["openai_chat", "openai_responses", "openai_images"]
    assert row.in_flight == 5


async def test_of_a_key_that_is_partly_disabled_an_enabled_backend_speaks(office: Office) -> None:
    await backends.create(office.desk, ANN, {"name": "gemini", "preset": "gemini"})
    chat = of_format(office, "gemini_generate")
    await endpoints.update(office.desk, ANN, chat.endpoint.id, {"is_active": False})

    (row,) = key_rows(stats(office))

    assert (row.main.stats.id, row.others) == (chat.id, ())
    assert (row.main.state, row.lead.stats.api_format) == ("disabled", "openai_embeddings")


async def test_keys_keep_the_order_of_their_first_backends_under_their_pools(
    office: Office, openai: BackendMade
) -> None:
    await provider_keys.create(office.desk, ANN, {"provider_id": "openai", "name": "late", "internal_priority": 90})
    await backends.create(office.desk, ANN, {"name": "spare", "base_url": "https://s.example", "pool": "fallback"})

    groups = key_groups(pools.stats(office.desk))

    assert [(pool, [row.main.stats.name for row in rows]) for pool, rows in groups] == [
        ("primary", ["openai/main", "openai/late"]),
        ("fallback", ["spare/main"]),
    ]


async def test_only_names_that_several_backends_have_need_their_format(office: Office, openai: BackendMade) -> None:
    await backends.create(office.desk, ANN, {"name": "solo", "base_url": "https://s.example"})

    assert several(office.desk.snapshot()) == {"openai/main"}
    assert {one.endpoint.api_format for one in office.desk.snapshot().backends.values()} < set(ApiFormat)
