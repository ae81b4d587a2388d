"""Rows of `mappings`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from gateway.model.registry import ModelMapping, PriceOverride, UpstreamAlias
from gateway.store.columns import optional_json, optional_tuple, tiers, tiers_json
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[ModelMapping, ...]:
    return await _select(tx, None, None, None)


async def get(tx: Tx, mapping_id: str) -> ModelMapping | None:
    found = await _select(tx, mapping_id, None, None)
    return found[0] if found else None


async def of_provider(tx: Tx, provider_id: str) -> tuple[ModelMapping, ...]:
    return await _select(tx, None, provider_id, None)


async def of_model(tx: Tx, model_id: str) -> tuple[ModelMapping, ...]:
    return await _select(tx, None, None, model_id)


async def insert(tx: Tx, mapping: ModelMapping) -> None:
    await tx.execute(
        """
        INSERT INTO mappings (
          id, provider_id, model_id, upstream_name, is_active, created_at, updated_at, aliases, input_price,
          output_price, cache_read_price, cache_creation_price, request_price, capabilities, is_available,
          version, cache_creation_1h_price, price_tiers)
        VALUES (
          :id, :provider_id, :model_id, :upstream_name, :is_active, :created_at, :updated_at, :aliases,
          :input_price, :output_price, :cache_read_price, :cache_creation_price, :request_price,
          :capabilities, :is_available, :version, :cache_creation_1h_price, :price_tiers)
        """,
        _columns(mapping),
    )


async def update(tx: Tx, mapping: ModelMapping) -> None:
    await tx.execute(
        """
        UPDATE mappings SET
          upstream_name = :upstream_name, is_active = :is_active, updated_at = :updated_at,
          aliases = :aliases, input_price = :input_price, output_price = :output_price,
          cache_read_price = :cache_read_price, cache_creation_price = :cache_creation_price,
          request_price = :request_price, capabilities = :capabilities, is_available = :is_available,
          version = :version, cache_creation_1h_price = :cache_creation_1h_price, price_tiers = :price_tiers
        WHERE id = :id
        """,
        _columns(mapping),
    )


async def delete(tx: Tx, mapping_id: str) -> None:
    await tx.execute("DELETE FROM mappings WHERE id = :id", {"id": mapping_id})


async def _select(
    tx: Tx, mapping_id: str | None, provider_id: str | None, model_id: str | None
) -> tuple[ModelMapping, ...]:
    async with tx.execute(
        """
        SELECT
          id, provider_id, model_id, upstream_name, is_active, created_at, updated_at, aliases,
          input_price, output_price, cache_read_price, cache_creation_price, request_price, capabilities,
          is_available, version, cache_creation_1h_price, price_tiers
        FROM mappings
        WHERE (:id IS NULL OR id = :id) AND (:provider_id IS NULL OR provider_id = :provider_id)
          AND (:model_id IS NULL OR model_id = :model_id)
        ORDER BY created_at, id
        """,
        {"id": mapping_id, "provider_id": provider_id, "model_id": model_id},
    ) as rows:
        return tuple(_mapping(row) for row in await rows.fetchall())


def _mapping(row: sqlite3.Row) -> ModelMapping:
    return ModelMapping(
        id=row[0],
        provider_id=row[1],
        model_id=row[2],
        upstream_name=row[3],
        is_active=bool(row[4]),
        created_at=row[5],
        updated_at=row[6],
        aliases=_aliases(row[7]),
        price=PriceOverride(row[8], row[9], row[10], row[11], row[12], row[16], tiers(row[17])),
        capabilities=optional_tuple(row[13]),
        is_available=bool(row[14]),
        version=row[15],
    )


def _aliases(column: str) -> tuple[UpstreamAlias, ...]:
    return tuple(UpstreamAlias(name, priority, tuple(formats)) for name, priority, formats in json.loads(column))


def _alias_json(aliases: Sequence[UpstreamAlias]) -> str:
    return json.dumps([(alias.name, alias.priority, alias.api_formats) for alias in aliases])


def _columns(mapping: ModelMapping) -> dict[str, object]:
    return {
        "id": mapping.id,
        "provider_id": mapping.provider_id,
        "model_id": mapping.model_id,
        "upstream_name": mapping.upstream_name,
        "is_active": mapping.is_active,
        "created_at": mapping.created_at,
        "updated_at": mapping.updated_at,
        "aliases": _alias_json(mapping.aliases),
        "input_price": mapping.price.input,
        "output_price": mapping.price.output,
        "cache_read_price": mapping.price.cache_read,
        "cache_creation_price": mapping.price.cache_creation,
        "request_price": mapping.price.per_request,
        "capabilities": optional_json(mapping.capabilities),
        "is_available": mapping.is_available,
        "version": mapping.version,
        "cache_creation_1h_price": mapping.price.cache_creation_1h,
        "price_tiers": tiers_json(mapping.price.tiers),
    }
