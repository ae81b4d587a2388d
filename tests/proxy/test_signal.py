"""Who waits for a signal goes on in the step that brings it, and is cancelled as anybody is."""

from __future__ import annotations

import asyncio

import pytest

from gateway.proxy.signal import Signal

pytestmark = pytest.mark.anyio


class Waiting:
    """A task that waits for a signal, and what it has seen so far."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.signal = Signal(self.loop)
        self.seen: list[str] = []
        self.task = self.loop.create_task(self.run())

    async def run(self) -> str:
        try:
            await self.signal
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        self.seen.append("given")
        await asyncio.sleep(0)
        return "done"

    async def begun(self) -> Waiting:
        await asyncio.sleep(0)
        return self

    def between_tasks(self, *steps: object) -> asyncio.Future[list[str]]:
        """Do these where the loop reads from sockets, outside of any task; what the task had seen then."""
        seen: asyncio.Future[list[str]] = self.loop.create_future()

        def step() -> None:
            for each in steps:
                assert callable(each)
                each()
            seen.set_result(list(self.seen))

        self.loop.call_soon(step)
        return seen


async def test_the_task_goes_on_before_giving_returns() -> None:
    one = await Waiting().begun()
    assert await one.between_tasks(one.signal.give) == ["given"]
    assert await one.task == "done"


async def test_given_soon_it_goes_on_in_the_next_step() -> None:
    one = await Waiting().begun()
    assert await one.between_tasks(one.signal.give_soon) == []
    assert await one.task == "done"


async def test_given_by_another_task_it_goes_on_in_the_next_step() -> None:
    one = await Waiting().begun()
    one.signal.give()
    assert one.seen == []
    assert await one.task == "done"


async def test_given_before_anybody_waits_nobody_waits() -> None:
    one = Waiting()
    one.signal.give_soon()
    assert await one.task == "done"
    assert one.seen == ["given"]


async def test_it_is_given_once() -> None:
    one = await Waiting().begun()
    await one.between_tasks(one.signal.give, one.signal.give, one.signal.give_soon)
    assert await one.task == "done"
    assert one.seen == ["given"]
    assert one.signal.done() and not one.signal.cancel()


async def test_who_waits_can_be_cancelled() -> None:
    one = await Waiting().begun()
    one.task.cancel()
    assert one.signal.done()
    seen = await one.between_tasks(one.signal.give)
    with pytest.raises(asyncio.CancelledError):
        await one.task
    assert (seen, one.seen) == (["cancelled"], ["cancelled"])


async def test_cancelled_in_the_step_in_which_it_is_given_it_has_had_its_turn() -> None:
    one = await Waiting().begun()
    assert await one.between_tasks(one.signal.give, one.task.cancel) == ["given"]
    with pytest.raises(asyncio.CancelledError):
        await one.task
    assert one.seen == ["given"]


async def test_a_timeout_ends_the_waiting() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Signal(asyncio.get_running_loop())


async def test_the_task_keeps_its_own_context() -> None:
    signal = Signal(asyncio.get_running_loop())

    async def run() -> asyncio.Task[object] | None:
        await signal
        return asyncio.current_task()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(signal.give)
    assert await task is task
