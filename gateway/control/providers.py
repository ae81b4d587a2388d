"""What an operator can do to providers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, limit, read, with_choices
from gateway.control.lookup import require, require_free_name
from gateway.control.permissions import follow_provider
from gateway.control.presets import PRESETS, codes_for
from gateway.control.versions import editable, require_current
from gateway.ids import new_id
from gateway.model.people import Actor
from gateway.model.registry import BillingType, Provider
from gateway.store import providers

FIELDS: Table = (
    Field("name", Kind.SLUG, "Unique short name, as in `name/model`.", required=True),
    Field("display_name", Kind.TEXT, "Name for people.", default=""),
    Field(
        "preset",
        Kind.CHOICE,
        "Which known provider it is.",
        default="custom",
        choices=tuple(PRESETS),
    ),
    Field("priority", Kind.INT, "Lower goes first among providers of a pool.", default=50, least=0, most=1000),
    Field("is_active", Kind.BOOL, "Whether calls may be sent to it.", default=True),
    Field("description", Kind.PARAGRAPH, "What it is for.", default=""),
    Field("website", Kind.WEBSITE, "Where its console or its prices are.", default=""),
    Field(
        "billing_type",
        Kind.CHOICE,
        "How it is paid; a free tier has no actual cost.",
        default=BillingType.PAY_AS_YOU_GO.value,
        choices=tuple(BillingType),
    ),
    Field(
        "monthly_quota",
        Kind.DOLLARS,
        "Dollars that may be spent before the quota begins anew; null unlimited, 0 refuses.",
        nullable=True,
    ),
    Field("quota_reset_days", Kind.INT, "Days until the quota begins anew.", default=30, least=1, most=366),
    Field("quota_expires_at", Kind.TIME, "When the quota ends for good; null is never.", nullable=True),
    limit("rpm_limit", "Requests per minute, over all its keys"),
    limit("concurrent_limit", "Calls at the same time, over all its keys", 100_000),
    Field(
        "max_retries",
        Kind.INT,
        "Further attempts of one call at this provider; null as many as the pool allows.",
        nullable=True,
        least=0,
        most=20,
    ),
    Field("metadata", Kind.OBJECT, "Anything you want to keep with it.", default={}),
)


async def listing(desk: Desk) -> tuple[Provider, ...]:
    """By priority, then name."""
    async with desk.db.read() as tx:
        return await providers.every(tx)


async def get(desk: Desk, provider_id: str) -> Provider:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await providers.get(tx, provider_id), "provider")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> Provider:
    values = read(with_choices(FIELDS, "preset", codes_for(actor)), raw, partial=False, text=text)
    async with desk.change(actor) as change:
        return await add(change, values)


async def update(
    desk: Desk, actor: Actor, provider_id: str, raw: Mapping[str, object], *, text: bool = False
) -> Provider:
    values = read(editable(with_choices(FIELDS, "preset", codes_for(actor))), raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await providers.get(change.tx, provider_id), "provider")
        require_current(before, values, "provider")
        return await revise(change, before, values)


async def delete(desk: Desk, actor: Actor, provider_id: str) -> None:
    """With its endpoints, keys and mappings; models stay. Raises NotFound."""
    async with desk.change(actor) as change:
        await remove(change, require(await providers.get(change.tx, provider_id), "provider"))


async def add(change: Change, values: Values) -> Provider:
    provider = Provider(id=new_id(), **_typed(values), created_at=change.at, updated_at=change.at)
    require_free_name(await providers.every(change.tx), provider.name, provider.id)
    await providers.insert(change.tx, provider)
    change.note("create", "provider", provider.id, None, provider)
    return provider


async def revise(change: Change, before: Provider, values: Values) -> Provider:
    after = replace(before, **_typed(values), updated_at=change.at, version=before.version + 1)
    require_free_name(await providers.every(change.tx), after.name, after.id)
    await providers.update(change.tx, after)
    await follow_provider(change, before.name, after.name)
    change.note("update", "provider", after.id, before, after)
    return after


async def remove(change: Change, provider: Provider) -> None:
    await providers.delete(change.tx, provider.id)
    change.note("delete", "provider", provider.id, provider, None)


def _typed(values: Values) -> Values:
    if "billing_type" not in values:
        return values
    return {**values, "billing_type": BillingType(values["billing_type"])}
