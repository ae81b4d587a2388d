"""A new secret for an API key, with a time in which the old one still works."""

from __future__ import annotations

import pytest

from gateway.control import api_keys
from gateway.control.desk import Desk
from gateway.errors import Forbidden, InvalidFields, NotAuthenticated, NotFound
from gateway.proxy.credentials import authenticate
from tests.desks import ANN, Office
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

HOUR = 3600


def is_good(desk: Desk, secret: str) -> bool:
    try:
        authenticate(desk.snapshot(), desk.vault, secret, desk.clock.wall_ms())
    except NotAuthenticated:
        return False
    return True


async def test_both_secrets_work_until_the_grace_is_over(office: Office) -> None:
    desk = office.desk
    old, key = await api_keys.create(desk, ANN, {"name": "laptop"})

    new, after = await api_keys.rotate(desk, ANN, key.id, {"grace_hours": 2})

    assert (after.id, after.prefix, after.tail) == (key.id, new[:10], new[-4:])
    assert (is_good(desk, old), is_good(desk, new)) == (True, True)
    office.clock.advance(2 * HOUR - 1)
    assert is_good(desk, old)
    office.clock.advance(1)
    assert (is_good(desk, old), is_good(desk, new)) == (False, True)


async def test_without_grace_the_old_secret_is_over_at_once(desk: Desk) -> None:
    old, key = await api_keys.create(desk, ANN, {"name": "laptop"})

    new, _ = await api_keys.rotate(desk, ANN, key.id, {"grace_hours": "0"}, text=True)

    assert (is_good(desk, old), is_good(desk, new)) == (False, True)


async def test_of_many_secrets_the_last_two_work(desk: Desk) -> None:
    secret, key = await api_keys.create(desk, ANN, {"name": "laptop"})
    secrets = [secret] + [(await api_keys.rotate(desk, ANN, key.id, {}))[0] for _ in range(3)]

    assert [is_good(desk, one) for one in secrets] == [False, False, True, True]


async def test_a_rotation_is_audited_without_any_hash(desk: Desk) -> None:
    _, key = await api_keys.create(desk, ANN, {"name": "laptop"})
    await api_keys.rotate(desk, ANN, key.id, {})

    row = (await audit_rows(desk))[-1]
    assert (row.action, row.object_id) == ("rotate", key.id)
    assert "hash" not in str(row.before) + str(row.after)


async def test_a_grace_that_means_nothing_is_refused(desk: Desk) -> None:
    _, key = await api_keys.create(desk, ANN, {"name": "laptop"})
    for grace in (-1, 721, "soon", None):
        with pytest.raises(InvalidFields):
            await api_keys.rotate(desk, ANN, key.id, {"grace_hours": grace})
    with pytest.raises(NotFound):
        await api_keys.rotate(desk, ANN, "nobody", {})


async def test_a_locked_key_is_refused_with_a_word_of_its_own_and_opens_again(desk: Desk) -> None:
    secret, key = await api_keys.create(desk, ANN, {"name": "laptop", "is_locked": True, "note": "two\nlines"})

    with pytest.raises(Forbidden) as caught:
        is_good(desk, secret)
    assert caught.value.code == "key_locked"
    assert (await api_keys.get(desk, key.id)).note == "two\nlines"

    await api_keys.update(desk, ANN, key.id, {"is_locked": False})
    assert is_good(desk, secret)


async def test_a_disabled_or_ended_key_does_not_tell_that_it_is_locked(office: Office) -> None:
    fields = {"name": "x", "is_locked": True, "is_active": False}
    secret, _ = await api_keys.create(office.desk, ANN, fields)

    assert not is_good(office.desk, secret)
