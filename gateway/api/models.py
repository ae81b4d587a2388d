"""`/api/admin/models`. Prices are exact decimal strings in dollars."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.api.collection import Collection, operations
from gateway.control import models, routable
from gateway.control.desk import Desk
from gateway.model.registry import Model
from gateway.money import exact_dollars


@dataclass(frozen=True, slots=True)
class ModelShown:
    """A public model; prices are null where it is unpriced. `notes` say what an operator should know of it."""

    id: str
    code: str
    display_name: str
    status: str
    input_price: str | None
    output_price: str | None
    cache_read_price: str | None
    cache_creation_price: str | None
    request_price: str | None
    created_at: int
    updated_at: int
    description: str
    aliases: tuple[str, ...]
    capabilities: tuple[str, ...] | None
    context_limit: int | None
    output_limit: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    family: str
    knowledge_cutoff: str
    version: int
    notes: tuple[str, ...]


def model_shown(desk: Desk, row: Model) -> ModelShown:
    price = row.price
    return ModelShown(
        id=row.id,
        code=row.code,
        display_name=row.display_name,
        status=row.status.value,
        input_price=None if price is None else exact_dollars(price.input),
        output_price=None if price is None else exact_dollars(price.output),
        cache_read_price=None if price is None else exact_dollars(price.cache_read),
        cache_creation_price=None if price is None else exact_dollars(price.cache_creation),
        request_price=None if price is None else exact_dollars(price.per_request),
        created_at=row.created_at,
        updated_at=row.updated_at,
        description=row.description,
        aliases=row.aliases,
        capabilities=row.capabilities,
        context_limit=row.context_limit,
        output_limit=row.output_limit,
        input_modalities=row.input_modalities,
        output_modalities=row.output_modalities,
        family=row.family,
        knowledge_cutoff=row.knowledge_cutoff,
        version=row.version,
        notes=routable.notes(desk.snapshot(), row),
    )


OPERATIONS = operations(
    Collection(
        noun="model",
        path="/models",
        table=models.FIELDS,
        answer=ModelShown,
        listing=models.listing,
        get=models.get,
        create=models.create,
        update=models.update,
        delete=models.delete,
        shown=model_shown,
    )
)
