"""Rows of `pending_sums`: what sums have come to with the calls of a batch, and is not in the tables of sums yet.

With thousands of API keys every call has rows of its own in `spends`, `provider_spend` and `last_uses`, on pages of
their own, where otherwise it shares them with its batch. So a batch with many notes them in one row, in the transaction
of its calls, and every few seconds they are written where they belong. Sums are absolute: the last one is right.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.store import last_uses, provider_spend, spends
from gateway.store.database import Tx
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend


class Sums(msgspec.Struct):
    """The latest of each: what owners spent by day, what was spent at providers, and when API keys were last used (Unix
    ms).
    """

    days: dict[tuple[str, int], DaySpend] = msgspec.field(default_factory=dict)
    providers: dict[str, StoredSpend] = msgspec.field(default_factory=dict)
    uses: dict[str, int] = msgspec.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.days) + len(self.providers) + len(self.uses)

    def note(self, days: Iterable[DaySpend], provider: StoredSpend | None) -> None:
        """Later than all that is there. A provider's sum of a period that is over is late, and left out."""
        for day in days:
            self.days[day.owner, day.day] = day
        if provider is not None:
            known = self.providers.get(provider.provider_id)
            if known is None or known.since <= provider.since:
                self.providers[provider.provider_id] = provider

    def note_use(self, api_key_id: str, at: int) -> None:
        self.uses[api_key_id] = max(at, self.uses.get(api_key_id, at))


_Noted = tuple[list[tuple[str, int, int]], list[tuple[str, int, int]], list[tuple[str, int]]]
_noted = msgspec.json.Decoder(_Noted)


async def note(tx: Tx, sums: Sums) -> None:
    """For later, in one row."""
    days = [(one.owner, one.day, one.nano) for one in sums.days.values()]
    at_providers = [(one.provider_id, one.used_nano, one.since) for one in sums.providers.values()]
    text = msgspec.json.encode((days, at_providers, list(sums.uses.items()))).decode()
    await tx.execute("INSERT INTO pending_sums (sums) VALUES (:sums)", {"sums": text})


async def save(tx: Tx, sums: Sums) -> None:
    """Into their tables. Nothing older may be pending."""
    if sums.providers:
        await provider_spend.save_many(tx, sums.providers.values())
    if sums.days:
        await spends.save_many(tx, sums.days.values())
    if sums.uses:
        await last_uses.save_many(tx, sums.uses.items())


async def pending(tx: Tx) -> Sums:
    """What the tables do not have yet."""
    found = Sums()
    async with tx.execute("SELECT sums FROM pending_sums ORDER BY number") as rows:
        for row in await rows.fetchall():
            days, at_providers, uses = _noted.decode(row[0])
            found.note((DaySpend(*one) for one in days), None)
            for one in at_providers:
                found.note((), StoredSpend(*one))
            for api_key_id, at in uses:
                found.note_use(api_key_id, at)
    return found


async def settle(tx: Tx) -> None:
    """Write what is pending into its tables. Whoever changes one of these sums by hand does this first."""
    await save(tx, await pending(tx))
    await tx.execute("DELETE FROM pending_sums")


async def days(tx: Tx) -> dict[tuple[str, int], int]:
    """What each owner spent on each day (nano-dollars), with what is pending."""
    stored = {(one.owner, one.day): one.nano for one in await spends.every(tx)}
    return stored | {key: one.nano for key, one in (await pending(tx)).days.items()}


async def at_providers(tx: Tx) -> list[StoredSpend]:
    """What was spent at each provider, with what is pending; by the provider's id."""
    found = Sums()
    for one in [*await provider_spend.every(tx), *(await pending(tx)).providers.values()]:
        found.note((), one)
    return [found.providers[provider_id] for provider_id in sorted(found.providers)]


async def uses(tx: Tx) -> dict[str, int]:
    """When each API key was last used (Unix ms), with what is pending; keys that never were are left out."""
    stored = await last_uses.every(tx)
    return stored | {key: max(at, stored.get(key, at)) for key, at in (await pending(tx)).uses.items()}
