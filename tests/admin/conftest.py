"""Somebody who is signed in to the admin site."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.admin.browsing import Operator, visitor
from tests.harness import RunningGateway


@pytest.fixture
async def guest(gateway: RunningGateway) -> AsyncIterator[Operator]:
    """Somebody who has only an address."""
    someone = visitor(gateway)
    async with someone.client:
        yield someone


@pytest.fixture
async def operator(guest: Operator) -> Operator:
    """The administrator, signed in through the setup link."""
    answer = await guest.set_up()
    assert answer.status_code == 303, answer.text
    return guest
