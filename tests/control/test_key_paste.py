"""Many provider keys at once: one a line."""

from __future__ import annotations

import pytest

from gateway.control import endpoints, key_paste, provider_keys, providers, rotations
from gateway.control.desk import Desk
from gateway.errors import InvalidFields
from tests.desks import ANN

pytestmark = pytest.mark.anyio

FIRST, SECOND = "sk-first-0123456789abcd", "sk-second-0123456789abc"


@pytest.fixture(autouse=True)
async def provider(desk: Desk) -> None:
    await providers.create(desk, ANN, {"name": "acme"})
    await endpoints.create(desk, ANN, {"provider_id": "acme", "base_url": "https://a.example/v1"})


async def test_each_line_is_a_key_of_its_own(desk: Desk) -> None:
    pasted = f"\n{FIRST}\r\n\n  team key   {SECOND}  \nenv:OPENAI_API_KEY\n"
    wanted = {"provider_id": "acme", "api_keys": pasted, "pool": "fallback", "secret_note": "from the console"}
    made = await key_paste.paste(desk, ANN, wanted, text=True)

    assert [(key.name, key.masked) for key in made] == [
        ("main", "sk-f…abcd"),
        ("team key", "sk-s…9abc"),
        ("key-2", "env:OPENAI_API_KEY"),
    ]
    assert sorted(key.id for key in await provider_keys.listing(desk)) == sorted(key.id for key in made)
    assert len({key.pool_id for key in made}) == 1
    assert [one.note for one in await rotations.history(desk, made[1].id)] == ["from the console"]


async def test_every_bad_line_is_named_and_nothing_is_made(desk: Desk) -> None:
    lines = [FIRST, "caf\u00e9-0123456789", "", "bad/name sk-x-0123456789", FIRST, "env:HOME", f"main {SECOND}"]

    with pytest.raises(InvalidFields) as refused:
        await key_paste.paste(desk, ANN, {"provider_id": "acme", "api_keys": lines})

    faults = refused.value.fields["api_keys"].split("; line")
    assert [fault.removeprefix("line").split()[0] for fault in faults] == ["2", "4", "5", "6:", "7:"]
    assert "is the same as line 1" in faults[2]
    assert "there is already main" in faults[4]
    assert FIRST not in str(refused.value) and SECOND not in str(refused.value)
    assert await provider_keys.listing(desk) == ()


@pytest.mark.parametrize("nothing", ["", " \n\n"])
async def test_no_line_at_all_is_a_fault(desk: Desk, nothing: str) -> None:
    with pytest.raises(InvalidFields, match="api_keys"):
        await key_paste.paste(desk, ANN, {"provider_id": "acme", "api_keys": nothing}, text=True)


async def test_what_all_lines_share_is_told_once(desk: Desk) -> None:
    for field, wrong in (("provider_id", "nobody"), ("pool", "nowhere"), ("api_formats", [])):
        with pytest.raises(InvalidFields) as refused:
            wanted = {"provider_id": "acme", "api_keys": [FIRST, SECOND], field: wrong}
            await key_paste.paste(desk, ANN, wanted)
        assert list(refused.value.fields) == [field]


async def test_there_is_an_end_to_what_is_pasted(desk: Desk) -> None:
    with pytest.raises(InvalidFields, match="at most 200 lines"):
        await key_paste.paste(desk, ANN, {"provider_id": "acme", "api_keys": ["x"] * 201})
    for wrong in ("one text", [1]):
        with pytest.raises(InvalidFields, match="list of strings"):
            await key_paste.paste(desk, ANN, {"provider_id": "acme", "api_keys": wrong})
