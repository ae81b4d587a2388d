"""The form that asks where a call would go now, and the answer in rows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.admin.pools import several
from gateway.admin.site import Site
from gateway.admin.visits import FormView, Visit
from gateway.control import explanations
from gateway.errors import GatewayError, InvalidFields
from gateway.model.registry import ApiFormat
from gateway.routing.explain import Explanation

FIELDS = ("api_key", "api_format", "agent", "business", "capability", "require")
ASKED = "explain"


class Explained(msgspec.Struct, frozen=True):
    """`found` None with a `fault` where such a call would be refused; both None and empty before anybody asked.

    `several` are the names that more backends than one have.
    """

    form: FormView
    found: Explanation | None
    fault: str
    keys: tuple[tuple[str, str], ...]
    several: frozenset[str]
    formats: tuple[tuple[str, str], ...] = tuple((one.value, one.value) for one in ApiFormat)


async def asked(site: Site, visit: Visit, given: Mapping[str, str]) -> Explained:
    """What the page's address asks for; `given` goes before it."""
    query = visit.request.query_params
    values = {name: query.get(name, "")[:500] for name in FIELDS}
    values["api_format"] = values["api_format"] or ApiFormat.OPENAI_CHAT.value
    names = several(site.desk.snapshot())
    named = [(key.id, key.name) for key in site.desk.snapshot().registry.api_keys]
    keys = (("", "One that may use everything"), *sorted(named, key=lambda key: key[1].lower()))
    if ASKED not in query:
        return Explained(FormView(values), None, "", keys, names)
    raw = {name: value for name, value in {**values, **given}.items() if value.strip()}
    try:
        return Explained(FormView(values), await explanations.explain(site.desk, raw, text=True), "", keys, names)
    except InvalidFields as error:
        return Explained(FormView(values, error.fields), None, error.message, keys, names)
    except GatewayError as error:
        return Explained(FormView(values), None, error.message, keys, names)
