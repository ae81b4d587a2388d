"""`/api/admin/route-rules`."""

from __future__ import annotations

from gateway.api.collection import Collection, as_is, operations
from gateway.control import route_rules
from gateway.model.registry import RouteRule

OPERATIONS = operations(
    Collection(
        noun="route rule",
        path="/route-rules",
        table=route_rules.FIELDS,
        answer=RouteRule,
        listing=route_rules.listing,
        get=route_rules.get,
        create=route_rules.create,
        update=route_rules.update,
        delete=route_rules.delete,
        shown=as_is,
    )
)
