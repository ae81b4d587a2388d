"""Names to addresses: asked once, kept a while, and never at the cost of somebody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.proxy import names as module
from gateway.proxy.names import Names

pytestmark = pytest.mark.anyio


class Resolver:
    """Answers 192.0.2.1 as soon as it may; a name that begins with `bad` is unknown."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        self.may_answer.wait(5)
        if host.startswith("bad"):
            raise OSError(-2, "Name or service not known")
        return ["192.0.2.1"]


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    made = Resolver()
    yield made
    made.may_answer.set()


@pytest.mark.parametrize("literal", ["192.0.2.7", "2001:db8::1", "[2001:db8::1]"])
async def test_an_address_is_looked_up_nowhere(resolver: Resolver, literal: str) -> None:
    names = Names(resolver)
    assert await names.addresses(literal, 443) == [literal.strip("[]")]
    names.close()
    assert resolver.asked == []


async def test_an_answer_is_kept_and_all_who_ask_at_once_share_it(resolver: Resolver) -> None:
    names = Names(resolver)
    resolver.may_answer.clear()
    asking = [asyncio.create_task(names.addresses("a.test", 443)) for _ in range(20)]
    await asyncio.sleep(0.02)
    resolver.may_answer.set()
    assert await asyncio.gather(*asking) == [["192.0.2.1"]] * 20
    assert await names.addresses("a.test", 443) == ["192.0.2.1"]
    await names.addresses("a.test", 80)
    await names.addresses("b.test", 443)
    names.close()
    assert resolver.asked == ["a.test", "a.test", "b.test"]


async def test_a_kept_answer_is_asked_for_again_after_a_while(resolver: Resolver) -> None:
    names = Names(resolver, good_seconds=0.5)
    for _ in range(3):
        await names.addresses("a.test", 443)
    await asyncio.sleep(0.6)
    await names.addresses("a.test", 443)
    names.close()
    assert len(resolver.asked) == 2


async def test_a_failure_says_so_and_is_tried_again_soon(resolver: Resolver) -> None:
    names = Names(resolver, bad_seconds=0.5)
    for _ in range(3):
        with pytest.raises(OSError, match="bad.test cannot be resolved"):
            await names.addresses("bad.test", 443)
    assert len(resolver.asked) == 1
    await asyncio.sleep(0.6)
    with pytest.raises(OSError, match="cannot be resolved"):
        await names.addresses("bad.test", 443)
    names.close()
    assert len(resolver.asked) == 2


async def test_who_leaves_does_not_take_the_answer_from_the_others(resolver: Resolver) -> None:
    names = Names(resolver)
    resolver.may_answer.clear()
    first, second = (asyncio.create_task(names.addresses("a.test", 443)) for _ in range(2))
    await asyncio.sleep(0.02)
    first.cancel()
    resolver.may_answer.set()
    assert await second == ["192.0.2.1"]
    assert first.cancelled()
    names.close()


async def test_an_answer_that_nobody_waits_for_any_more_troubles_nobody(resolver: Resolver) -> None:
    names = Names(resolver, bad_seconds=0.0)
    resolver.may_answer.clear()
    asking = asyncio.create_task(names.addresses("bad.test", 443))
    await asyncio.sleep(0.02)
    asking.cancel()
    await asyncio.wait({asking})
    resolver.may_answer.set()
    await asyncio.sleep(0.02)
    names.close()


async def test_no_more_names_are_kept_than_a_bound(resolver: Resolver) -> None:
    names = Names(resolver)
    for number in range(module._MOST_NAMES + 20):
        await names.addresses(f"{number}.test", 443)
    assert len(names._known) == module._MOST_NAMES
    await names.addresses("0.test", 443)
    await names.addresses(f"{module._MOST_NAMES}.test", 443)
    names.close()
    assert resolver.asked[-1] == "0.test"


async def test_a_name_that_no_resolver_could_know_is_unknown() -> None:
    names = Names()
    for host in ("a..test", "x" * 70 + ".test", "nothing.invalid"):
        with pytest.raises(OSError, match="cannot be resolved"):
            await names.addresses(host, 443)
    names.close()
