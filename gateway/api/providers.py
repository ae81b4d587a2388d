"""`/api/admin/providers`."""

from __future__ import annotations

from gateway.api.collection import Collection, as_is, operations
from gateway.control import providers
from gateway.control.fields import with_choices
from gateway.control.presets import OFFERED_CODES
from gateway.model.registry import Provider

OPERATIONS = operations(
    Collection(
        noun="provider",
        path="/providers",
        table=with_choices(providers.FIELDS, "preset", OFFERED_CODES),
        answer=Provider,
        listing=providers.listing,
        get=providers.get,
        create=providers.create,
        update=providers.update,
        delete=providers.delete,
        shown=as_is,
    )
)
