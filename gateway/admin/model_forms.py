"""Models and mappings as the fields of a form, and their looks in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.admin.wording import exact
from gateway.control.price_kinds import for_form
from gateway.control.prices import PRICES, TIERS
from gateway.model.checks import CheckStatus
from gateway.model.registry import Model, ModelMapping, ModelStatus, Price, PriceTable, UpstreamAlias
from gateway.money import exact_dollars

FIELDS = frozenset(
    {
        *("code", "display_name", "description", "aliases", "capabilities", "context_limit", "output_limit"),
        *("input_modalities", "output_modalities", "family", "knowledge_cutoff", "version"),
        *PRICES,
        TIERS,
    }
)
MAPPING_FIELDS = frozenset(
    {"upstream_name", "aliases", "capabilities", "is_active", "is_available", "version", *PRICES, TIERS},
)

NOTHING = "none"
"""What stands in a field of capabilities for an empty set; an empty field is an unknown one."""

LOOKS: Mapping[ModelStatus, str] = MappingProxyType(
    {
        ModelStatus.DRAFT: "",
        ModelStatus.ENABLED: "good",
        ModelStatus.DISABLED: "warn",
        ModelStatus.DEPRECATED: "bad",
    }
)
CHECK_LOOKS: Mapping[CheckStatus, str] = MappingProxyType(
    {CheckStatus.HEALTHY: "good", CheckStatus.DEGRADED: "warn", CheckStatus.UNHEALTHY: "bad"}
)


def model_values(model: Model) -> dict[str, str]:
    """The model as the form shows it. Prices that follow the input price are left empty, so that they go on to."""
    return {
        "code": model.code,
        "display_name": model.display_name,
        "description": model.description,
        "aliases": "\n".join(model.aliases),
        "capabilities": _set_words(model.capabilities),
        "context_limit": _number(model.context_limit),
        "output_limit": _number(model.output_limit),
        "input_modalities": ", ".join(model.input_modalities),
        "output_modalities": ", ".join(model.output_modalities),
        "family": model.family,
        "knowledge_cutoff": model.knowledge_cutoff,
        "version": str(model.version),
        **_price_values(model.price),
        TIERS: for_form(model.price_tiers or None),
    }


def mapping_values(mapping: ModelMapping) -> dict[str, str]:
    return {
        "upstream_name": mapping.upstream_name,
        "aliases": "\n".join(_alias_words(alias) for alias in mapping.aliases),
        "capabilities": _set_words(mapping.capabilities),
        "is_active": "on" if mapping.is_active else "",
        "is_available": "on" if mapping.is_available else "",
        "version": str(mapping.version),
        **{name: _dollars(getattr(mapping.price, part)) for name, part in PRICES.items()},
        TIERS: for_form(mapping.price.tiers),
    }


def given(form: Mapping[str, str], fields: frozenset[str]) -> dict[str, object]:
    """The posted fields in the noun's terms."""
    found: dict[str, object] = {name: value for name, value in form.items() if name in fields}
    if form.get("capabilities", "").strip().lower() == NOTHING:
        found["capabilities"] = []
    return found


def price_words(table: PriceTable | None) -> str:
    """`$0.15 in, $0.60 out` per million tokens of the smallest calls; empty without a price."""
    if table is None:
        return ""
    price = table.base
    words = [f"${exact_dollars(price.input)} in", f"${exact_dollars(price.output)} out"]
    if price.per_request:
        words.append(f"${exact_dollars(price.per_request)} a request")
    if table.tiers:
        words.append(f"others above {exact(table.tiers[0].above)}")
    return ", ".join(words)


def _price_values(price: Price | None) -> dict[str, str]:
    if price is None:
        return dict.fromkeys(PRICES, "")
    return {
        "input_price": exact_dollars(price.input),
        "output_price": exact_dollars(price.output),
        "cache_read_price": "" if price.cache_read == price.input else exact_dollars(price.cache_read),
        "cache_creation_price": "" if price.cache_creation == price.input else exact_dollars(price.cache_creation),
        "request_price": exact_dollars(price.per_request) if price.per_request else "",
        "cache_creation_1h_price": _dollars(price.cache_creation_1h),
    }


def _set_words(words: tuple[str, ...] | None) -> str:
    return "" if words is None else ", ".join(words) or NOTHING


def _alias_words(alias: UpstreamAlias) -> str:
    return " ".join((alias.name, str(alias.priority), *alias.api_formats))


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _dollars(nano: int | None) -> str:
    return "" if nano is None else exact_dollars(nano)
