"""What every test may ask for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.harness import RunningGateway, running_gateway
from tests.place import Place
from tests.provider import Provider, Scene, scripted_provider

# However busy the machine is: what a test proves does not depend on how fast it does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """The whole gateway over a real socket, with its demo backends and one API key."""
    async with running_gateway(tmp_path) as running:
        yield running


MakeProvider = Callable[..., Awaitable[Provider]]


@pytest.fixture
async def provider() -> AsyncIterator[MakeProvider]:
    """`await provider(scene, …)`: a scripted provider that plays these in turn, the last one for ever."""
    async with contextlib.AsyncExitStack() as opened:

        async def make(*scenes: Scene) -> Provider:
            made = await opened.enter_async_context(scripted_provider(scenes[-1] if scenes else None))
            return made.then(*scenes[:-1])

        yield make


@pytest.fixture
async def place(tmp_path: Path, provider: MakeProvider) -> AsyncIterator[Place]:
    async with running_gateway(tmp_path) as gateway:
        first, second = await provider(), await provider()
        made = await gateway.backend(first)
        spare = await gateway.backend(second, pool="fallback")
        yield Place(gateway, first, second, made, spare)
