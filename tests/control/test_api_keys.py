"""API keys."""

from __future__ import annotations

import pytest

from gateway.control import api_keys
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from gateway.store import last_uses
from tests.desks import ANN
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio


async def test_the_plain_key_is_given_once_and_only_its_hash_is_kept(desk: Desk) -> None:
    plain, made = await api_keys.create(desk, ANN, {"name": "laptop"})

    assert plain.startswith("sk-gw-")
    assert len(plain) > 45
    assert (made.prefix, made.tail) == (plain[:10], plain[-4:])
    assert desk.snapshot().api_keys[desk.vault.hash_token(plain)] == made
    stored = b"".join(path.read_bytes() for path in desk.settings.data_dir.iterdir())
    assert plain.encode() not in stored
    assert plain[10:-4] not in "".join(f"{row.after}" for row in await audit_rows(desk))
    assert "key_hash" not in "".join(f"{row.after}" for row in await audit_rows(desk))


async def test_null_allows_every_model_and_an_empty_list_none(desk: Desk) -> None:
    _, free = await api_keys.create(desk, ANN, {"name": "a"})
    _, nothing = await api_keys.create(desk, ANN, {"name": "b", "allowed_models": []})
    _, some = await api_keys.create(desk, ANN, {"name": "c", "allowed_models": ["GPT-5"]})

    assert [key.may_use("gpt-5") for key in (free, nothing, some)] == [True, False, True]
    opened = await api_keys.update(desk, ANN, nothing.id, {"allowed_models": None})
    assert opened.allowed_models is None


async def test_an_end_is_taken_as_milliseconds_or_a_date(desk: Desk) -> None:
    _, by_number = await api_keys.create(desk, ANN, {"name": "a", "expires_at": 1_893_456_000_000})
    _, by_date = await api_keys.create(desk, ANN, {"name": "a", "expires_at": "2030-01-01"}, text=True)
    assert by_number.expires_at == by_date.expires_at == 1_893_456_000_000


async def test_a_key_is_changed_listed_and_deleted(desk: Desk) -> None:
    plain, made = await api_keys.create(desk, ANN, {"name": "a", "rpm_limit": 0})
    changed = await api_keys.update(desk, ANN, made.id, {"rpm_limit": 5, "is_active": False, "name": "b"})

    assert (changed.name, changed.rpm_limit, changed.is_active, changed.key_hash) == ("b", 5, False, made.key_hash)
    assert await api_keys.listing(desk) == (changed,)
    await api_keys.delete(desk, ANN, made.id)
    assert desk.vault.hash_token(plain) not in desk.snapshot().api_keys
    with pytest.raises(NotFound):
        await api_keys.get(desk, made.id)


@pytest.mark.parametrize("field", ["key_hash", "prefix", "tail", "id", "created_at", "owner", "role"])
async def test_the_hidden_columns_cannot_be_written(desk: Desk, field: str) -> None:
    _, made = await api_keys.create(desk, ANN, {"name": "a"})
    with pytest.raises(InvalidFields) as refused:
        await api_keys.update(desk, ANN, made.id, {field: "x"})
    assert list(refused.value.fields) == [field]


async def test_a_name_is_needed_and_may_be_there_twice(desk: Desk) -> None:
    for name in ("", "   ", "x" * 101, None):
        with pytest.raises(InvalidFields):
            await api_keys.create(desk, ANN, {"name": name})
    await api_keys.create(desk, ANN, {"name": "a"})
    await api_keys.create(desk, ANN, {"name": "a"})


async def test_the_last_use_of_a_key_is_known(desk: Desk) -> None:
    _, used = await api_keys.create(desk, ANN, {"name": "a"})
    await api_keys.create(desk, ANN, {"name": "b"})
    async with desk.db.write() as tx:
        await last_uses.save_many(tx, [(used.id, 77)])
    assert await api_keys.last_used(desk) == {used.id: 77}
