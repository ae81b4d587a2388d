"""A desk to operate, without the rest of the program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.control.desk import Desk
from tests.desks import Office, open_office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """With one provider key in its environment, OPENAI_API_KEY."""
    async with open_office(tmp_path, OPENAI_API_KEY="sk-from-the-environment") as opened:
        yield opened


@pytest.fixture
def desk(office: Office) -> Desk:
    return office.desk
