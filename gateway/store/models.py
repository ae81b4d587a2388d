"""Rows of `models`."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.registry import Model, ModelStatus, Price
from gateway.store.columns import optional_json, optional_tuple, tiers, tiers_json
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[Model, ...]:
    return await _select(tx, None, None)


async def get(tx: Tx, model_id: str) -> Model | None:
    found = await _select(tx, model_id, None)
    return found[0] if found else None


async def by_code(tx: Tx, code: str) -> Model | None:
    found = await _select(tx, None, code)
    return found[0] if found else None


async def search(tx: Tx, status: ModelStatus | None, text: str) -> tuple[Model, ...]:
    """Newest change first; `text` is inside its names or those that providers have for it, None and "" are any.

    Letters count whatever their case, as far as SQLite knows it (A to Z).
    """
    async with tx.execute(
        """
        SELECT
          id, code, display_name, status, input_price, output_price, cache_read_price,
          cache_creation_price, request_price, created_at, updated_at, description, aliases, capabilities,
          context_limit, output_limit, input_modalities, output_modalities, family, knowledge_cutoff,
          version, cache_creation_1h_price, price_tiers
        FROM models
        WHERE (:status IS NULL OR status = :status)
          AND (:text = '' OR instr(code, lower(:text)) OR instr(lower(display_name), lower(:text))
               OR EXISTS (SELECT 1 FROM json_each(models.aliases) WHERE instr(value, lower(:text)))
               OR EXISTS (
                 SELECT 1 FROM mappings JOIN providers ON providers.id = mappings.provider_id
                 WHERE mappings.model_id = models.id
                   AND (instr(lower(upstream_name), lower(:text)) OR instr(lower(providers.name), lower(:text))
                        OR instr(lower(providers.display_name), lower(:text)))))
        ORDER BY updated_at DESC, code
        """,
        {"status": None if status is None else status.value, "text": text},
    ) as rows:
        return tuple(_model(row) for row in await rows.fetchall())


async def insert(tx: Tx, model: Model) -> None:
    await tx.execute(
        """
        INSERT INTO models (
          id, code, display_name, status, input_price, output_price, cache_read_price, cache_creation_price,
          request_price, created_at, updated_at, description, aliases, capabilities, context_limit,
          output_limit, input_modalities, output_modalities, family, knowledge_cutoff, version,
          cache_creation_1h_price, price_tiers)
        VALUES (
          :id, :code, :display_name, :status, :input_price, :output_price, :cache_read_price,
          :cache_creation_price, :request_price, :created_at, :updated_at, :description, :aliases,
          :capabilities, :context_limit, :output_limit, :input_modalities, :output_modalities, :family,
          :knowledge_cutoff, :version, :cache_creation_1h_price, :price_tiers)
        """,
        _columns(model),
    )


async def update(tx: Tx, model: Model) -> None:
    await tx.execute(
        """
        UPDATE models SET
          code = :code, display_name = :display_name, status = :status, input_price = :input_price,
          output_price = :output_price, cache_read_price = :cache_read_price,
          cache_creation_price = :cache_creation_price, request_price = :request_price,
          updated_at = :updated_at, description = :description, aliases = :aliases,
          capabilities = :capabilities, context_limit = :context_limit, output_limit = :output_limit,
          input_modalities = :input_modalities, output_modalities = :output_modalities, family = :family,
          knowledge_cutoff = :knowledge_cutoff, version = :version,
          cache_creation_1h_price = :cache_creation_1h_price, price_tiers = :price_tiers
        WHERE id = :id
        """,
        _columns(model),
    )


async def delete(tx: Tx, model_id: str) -> None:
    """Takes its mappings with it; refused by the database while a route rule points at it."""
    await tx.execute("DELETE FROM models WHERE id = :id", {"id": model_id})


async def _select(tx: Tx, model_id: str | None, code: str | None) -> tuple[Model, ...]:
    async with tx.execute(
        """
        SELECT
          id, code, display_name, status, input_price, output_price, cache_read_price,
          cache_creation_price, request_price, created_at, updated_at, description, aliases, capabilities,
          context_limit, output_limit, input_modalities, output_modalities, family, knowledge_cutoff,
          version, cache_creation_1h_price, price_tiers
        FROM models
        WHERE (:id IS NULL OR id = :id) AND (:code IS NULL OR code = :code)
        ORDER BY code
        """,
        {"id": model_id, "code": code},
    ) as rows:
        return tuple(_model(row) for row in await rows.fetchall())


def _model(row: sqlite3.Row) -> Model:
    return Model(
        id=row[0],
        code=row[1],
        display_name=row[2],
        status=ModelStatus(row[3]),
        price=price_of(row[4], row[5], row[6], row[7], row[8], row[21]),
        created_at=row[9],
        updated_at=row[10],
        description=row[11],
        aliases=tuple(json.loads(row[12])),
        capabilities=optional_tuple(row[13]),
        context_limit=row[14],
        output_limit=row[15],
        input_modalities=tuple(json.loads(row[16])),
        output_modalities=tuple(json.loads(row[17])),
        family=row[18],
        knowledge_cutoff=row[19],
        version=row[20],
        price_tiers=tiers(row[22]) or (),
    )


def price_of(
    given: int | None,
    out: int | None,
    cache_read: int | None,
    cache_creation: int | None,
    per_request: int | None,
    cache_creation_1h: int | None = None,
) -> Price | None:
    """None without token prices. A cached token whose price is not known costs what an input token costs."""
    if given is None or out is None:
        return None
    return Price(
        input=given,
        output=out,
        cache_read=given if cache_read is None else cache_read,
        cache_creation=given if cache_creation is None else cache_creation,
        per_request=per_request or 0,
        cache_creation_1h=cache_creation_1h,
    )


def _columns(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "code": model.code,
        "display_name": model.display_name,
        "status": model.status.value,
        "input_price": model.price and model.price.input,
        "output_price": model.price and model.price.output,
        "cache_read_price": model.price and model.price.cache_read,
        "cache_creation_price": model.price and model.price.cache_creation,
        "request_price": model.price and model.price.per_request,
        "created_at": model.created_at,
        "updated_at": model.updated_at,
        "description": model.description,
        "aliases": json.dumps(model.aliases),
        "capabilities": optional_json(model.capabilities),
        "context_limit": model.context_limit,
        "output_limit": model.output_limit,
        "input_modalities": json.dumps(model.input_modalities),
        "output_modalities": json.dumps(model.output_modalities),
        "family": model.family,
        "knowledge_cutoff": model.knowledge_cutoff,
        "version": model.version,
        "cache_creation_1h_price": model.price and model.price.cache_creation_1h,
        "price_tiers": tiers_json(model.price_tiers),
    }
