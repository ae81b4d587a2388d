"""Providers, from first to last."""

from __future__ import annotations

import json

import pytest

from gateway.control import providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from tests.desks import ANN, SYSTEM, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


async def test_a_provider_is_made_with_defaults_and_found_again(desk: Desk) -> None:
    made = await providers.create(desk, ANN, {"name": "OpenAI"})

    assert (made.name, made.preset, made.priority, made.is_active, made.metadata) == ("openai", "custom", 50, True, {})
    assert await providers.get(desk, made.id) == made
    assert await providers.listing(desk) == (made,)
    assert desk.snapshot().providers["openai"] == made


async def test_an_update_changes_only_what_was_sent(office: Office) -> None:
    made = await providers.create(office.desk, ANN, {"name": "a", "metadata": {"x": 1}})
    office.clock.advance(5)

    changed = await providers.update(office.desk, ANN, made.id, {"priority": 1})

    assert (changed.priority, changed.metadata, changed.created_at) == (1, {"x": 1}, made.created_at)
    assert changed.updated_at == made.updated_at + 5000


async def test_names_are_unique(desk: Desk) -> None:
    await providers.create(desk, ANN, {"name": "a"})
    other = await providers.create(desk, ANN, {"name": "b"})

    for attempt in (providers.create(desk, ANN, {"name": "A"}), providers.update(desk, ANN, other.id, {"name": "a"})):
        with pytest.raises(InvalidFields) as refused:
            await attempt
        assert refused.value.fields == {"name": "is taken: there is already a"}
    assert (await providers.update(desk, ANN, other.id, {"name": "b"})).name == "b"


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    for attempt in (
        providers.get(desk, "none"),
        providers.update(desk, ANN, "none", {}),
        providers.delete(desk, ANN, "none"),
    ):
        with pytest.raises(NotFound, match="no such provider"):
            await attempt


async def test_only_the_program_itself_makes_a_demo(desk: Desk) -> None:
    made = await providers.create(desk, SYSTEM, {"name": "demo", "preset": "demo"})
    with pytest.raises(InvalidFields, match="preset"):
        await providers.create(desk, ANN, {"name": "x", "preset": "demo"})
    assert made.preset == "demo"


async def test_every_change_has_an_audit_row_and_a_config_version(desk: Desk) -> None:
    version = desk.snapshot().version
    made = await providers.create(desk, ANN, {"name": "a"})
    await providers.update(desk, ANN, made.id, {"priority": 3})
    await providers.delete(desk, ANN, made.id)

    rows = await audit_rows(desk)

    assert [(row.action, row.object_kind, row.object_id) for row in rows] == [
        ("create", "provider", made.id),
        ("update", "provider", made.id),
        ("delete", "provider", made.id),
    ]
    assert {(row.actor_name, row.ip) for row in rows} == {("ann", "192.0.2.7")}
    assert [row.config_version for row in rows] == [version + 1, version + 2, version + 3]
    assert desk.snapshot().version == version + 3
    assert [(row.before is None, row.after is None) for row in rows] == [(True, False), (False, False), (False, True)]
    assert json.loads(rows[1].after or "")["priority"] == 3


async def test_a_refused_change_leaves_no_trace(desk: Desk) -> None:
    made = await providers.create(desk, ANN, {"name": "a"})
    before = desk.snapshot()

    with pytest.raises(InvalidFields):
        await providers.update(desk, ANN, made.id, {"name": "b", "id": "other", "created_at": 1})

    assert desk.snapshot() is before
    assert len(await audit_rows(desk)) == 1
    assert await providers.get(desk, made.id) == made
