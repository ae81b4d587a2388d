"""What calls leave behind for Python's collector: nothing, so that it need not run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Scene, answer, hang, refused, stream

pytestmark = pytest.mark.anyio
CALLS = 12
_OURS = ("gateway", "uvicorn")


@contextlib.contextmanager
def left_behind() -> Iterator[Counter[str]]:
    """How many objects of which of our own types only the collector could free; at the end of the block."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    found: Counter[str] = Counter()
    try:
        yield found
        gc.collect()
        found.update(type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith(_OURS))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def often(found: Counter[str]) -> dict[str, int]:
    """Those that came with every call."""
    return {name: number for name, number in found.items() if number >= CALLS}


@pytest.mark.parametrize("scene", [answer(), refused(400)], ids=["answered", "refused by the provider"])
async def test_whole_calls_leave_no_cycles(gateway: RunningGateway, provider: MakeProvider, scene: Scene) -> None:
    await gateway.backend(await provider(scene))
    await gateway.call()

    with left_behind() as found:
        for _ in range(CALLS):
            await gateway.call()

    assert often(found) == {}


async def test_streams_leave_no_cycles(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(stream()))
    await gateway.call(stream=True)

    with left_behind() as found:
        for _ in range(CALLS):
            await gateway.call(stream=True)

    assert often(found) == {}


async def test_refused_calls_leave_no_cycles(gateway: RunningGateway) -> None:
    await gateway.call("unheard-of")

    with left_behind() as found:
        for _ in range(CALLS):
            assert (await gateway.call("unheard-of")).status_code == 404

    assert often(found) == {}


async def test_clients_that_leave_leave_no_cycles(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(hang()))

    with left_behind() as found:
        for _ in range(CALLS):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await gateway.call()
        await asyncio.sleep(0.1)

    assert often(found) == {}
