"""`/api/admin/mappings`."""

from __future__ import annotations

from gateway.api.collection import Collection, as_is, operations
from gateway.control import mappings
from gateway.model.registry import ModelMapping

OPERATIONS = operations(
    Collection(
        noun="mapping",
        path="/mappings",
        table=mappings.FIELDS,
        answer=ModelMapping,
        listing=mappings.listing,
        get=mappings.get,
        create=mappings.create,
        update=mappings.update,
        delete=mappings.delete,
        shown=as_is,
    )
)
