"""What may be written to each noun: one table per noun drives the JSON API, the HTML forms and OpenAPI.

Only the fields of a table can be set; anything else that is sent is named as a fault (SEC-05).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.control import form_text, kinds, price_kinds, registry_kinds
from gateway.errors import InvalidFields
from gateway.model.people import Period

Values = dict[str, Any]

_MOST_OBJECTS = 1000


class Kind(StrEnum):
    """What a field holds. After each the Python type that `read` gives."""

    TEXT = "text"  # str, one line
    SLUG = "slug"  # str, lower case, fit for an address
    LABEL = "label"  # str, without a slash
    MODEL_CODE = "model_code"  # str, lower case, without spaces
    INT = "int"  # int
    NUMBER = "number"  # float
    BOOL = "bool"  # bool
    CHOICE = "choice"  # str
    URL = "url"  # str
    DOLLARS = "dollars"  # int, nano-dollars
    TIME = "time"  # int, Unix milliseconds
    SECRET = "secret"  # str; write-only  # noqa: S105  # a kind, not a secret
    SECRETS = "secrets"  # tuple[str, ...], each maybe with a name before it; write-only
    STRINGS = "strings"  # tuple[str, ...]
    MODEL_CODES = "model_codes"  # tuple[str, ...]
    MODELS = "models"  # dict of public name to upstream name
    HEADERS = "headers"  # dict[str, str]
    OBJECT = "object"  # dict[str, JSON]
    PARAGRAPH = "paragraph"  # str, several lines
    WEBSITE = "website"  # str, an http address or empty
    PROXY = "proxy"  # str, the URL of an outbound proxy or empty; write-only
    FORMATS = "formats"  # tuple[str, ...], API formats
    CAPABILITIES = "capabilities"  # tuple[str, ...], normalised and sorted
    NAMES = "names"  # tuple[str, ...], model codes or `prefix*`
    UPSTREAM_ALIASES = "upstream_aliases"  # tuple[UpstreamAlias, ...]
    PRICE_TIERS = "price_tiers"  # tuple[PriceTier, ...]
    MULTIPLIER = "multiplier"  # int, millionths
    MULTIPLIERS = "multipliers"  # dict of API format to millionths
    PRIORITIES = "priorities"  # dict of API format to int
    BY_MODEL = "by_model"  # dict of model code or * to tuple[str, ...], capabilities
    OBJECTS = "objects"  # list of values, each as the field's own table reads them


class Field(msgspec.Struct, frozen=True):
    """`default` is what a left-out field becomes; `least` and `most` bound a number, `most` a text's length.

    `fixed` fields are set at creation only. `about` is one line for people. `of` is the table of each object in a
    list of at most `most` objects.
    """

    name: str
    kind: Kind
    about: str
    required: bool = False
    nullable: bool = False
    fixed: bool = False
    default: object = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    of: Sequence[Field] = ()


Table = Sequence[Field]


def read(table: Table, raw: Mapping[str, object], *, partial: bool, text: bool) -> Values:
    """The values of `raw` by field name, checked; raises InvalidFields with every fault at once.

    Whole (`partial=False`): left-out fields get their default, required ones are a fault. Partial: only what was
    sent. `text=False` takes JSON types as they are; `text=True` takes strings from a form, where an empty one
    means null or the default, and an empty checkbox false (a form sends a hidden empty value before the box).
    """
    faults = _unknown(table, raw)
    values: Values = {}
    for field in table:
        given = raw.get(field.name, _ABSENT)
        if given is not _ABSENT and partial and field.fixed:
            faults[field.name] = "cannot be changed"
            continue
        if text and isinstance(given, str):
            given = _from_form(field, given, partial, faults)
        if given is _ABSENT and not partial:
            _leave_out(field, values, faults)
        elif given is _DEFAULT:
            values[field.name] = field.default
        elif given is not _ABSENT:
            _take(field, given, values, faults)
    if faults:
        raise InvalidFields(faults)
    return values


def limit(name: str, about: str, most: int = 1_000_000) -> Field:
    """A limit: null is none at all, 0 refuses everything."""
    return Field(name, Kind.INT, f"{about}; null unlimited, 0 refuses.", nullable=True, least=0, most=most)


def money_limit(name: str, about: str) -> tuple[Field, Field]:
    """A limit of money and its period: null is none at all, 0 refuses everything."""
    period = f"When {name} begins anew, at midnight UTC: weeks on Monday, none never."
    return (
        Field(name, Kind.DOLLARS, f"{about} in dollars; null unlimited, 0 refuses.", nullable=True),
        Field(f"{name}_period", Kind.CHOICE, period, default=Period.MONTHLY.value, choices=tuple(Period)),
    )


def money_as_stored(values: Values, name: str) -> Values:
    """With the values of a `money_limit` under the names and types of the nouns."""
    found = dict(values)
    if name in found:
        found[f"{name}_nano"] = found.pop(name)
    if f"{name}_period" in found:
        found[f"{name}_period"] = Period(found[f"{name}_period"])
    return found


def with_choices(table: Table, name: str, choices: tuple[str, ...]) -> Table:
    """The table with other choices for one field."""
    return [replace(field, choices=choices) if field.name == name else field for field in table]


class _Absent:
    """Told apart from null, which is a value."""


_ABSENT = _Absent()
_DEFAULT = _Absent()


def _unknown(table: Table, raw: Mapping[str, object]) -> dict[str, str]:
    names = [field.name for field in table]
    faults = {}
    for name in raw:
        if name not in names:
            near = difflib.get_close_matches(name[:100], names, n=1)
            faults[name[:100]] = f"is not a field here; did you mean {near[0]}?" if near else "is not a field here"
    return faults


def _from_form(field: Field, given: str, partial: bool, faults: dict[str, str]) -> object:
    """What a form's string says, in JSON's types; `_ABSENT` or `_DEFAULT` where it says nothing."""
    stripped = given.strip()
    if stripped:
        try:
            return _FORM_READERS.get(field.kind, str)(stripped)
        except ValueError as error:
            faults[field.name] = str(error)
            return _ABSENT
    if field.kind is Kind.BOOL:
        return False
    if field.kind in (Kind.SECRET, Kind.PROXY) and partial:
        return _ABSENT
    if field.nullable:
        return None
    if partial:
        return "" if field.required else _DEFAULT
    return _ABSENT


def _leave_out(field: Field, values: Values, faults: dict[str, str]) -> None:
    if field.required:
        faults.setdefault(field.name, "is required")
    else:
        values[field.name] = field.default


def _take(field: Field, given: object, values: Values, faults: dict[str, str]) -> None:
    if given is None:
        if field.nullable:
            values[field.name] = None
        else:
            faults[field.name] = "must not be null"
        return
    if field.kind is Kind.OBJECTS:
        _take_objects(field, given, values, faults)
        return
    try:
        values[field.name] = _read_one(field, given)
    except ValueError as error:
        faults[field.name] = str(error)


def _take_objects(field: Field, given: object, values: Values, faults: dict[str, str]) -> None:
    """Each object whole; what is wrong with one is told under `name[index].field`."""
    most = int(field.most or _MOST_OBJECTS)
    if not isinstance(given, list) or not 1 <= len(given) <= most:
        faults[field.name] = f"must be a list of 1 to {most} objects"
        return
    found = values[field.name] = []
    for index, item in enumerate(given):
        place = f"{field.name}[{index}]"
        if not isinstance(item, dict):
            faults[place] = "must be an object"
            continue
        try:
            found.append(read(field.of, item, partial=False, text=False))
        except InvalidFields as error:
            faults.update({f"{place}.{name}": fault for name, fault in error.fields.items()})


def _read_one(field: Field, given: object) -> object:
    bounded = _BOUNDED_READERS.get(field.kind)
    if bounded is not None:
        return bounded(given, field.least, field.most)
    if field.kind is Kind.CHOICE:
        return kinds.choice(given, field.choices)
    return _READERS[field.kind](given)


_BOUNDED_READERS: Mapping[Kind, Callable[[object, float | None, float | None], object]] = MappingProxyType(
    {
        Kind.INT: kinds.integer,
        Kind.NUMBER: kinds.number,
        Kind.TEXT: kinds.line,
    }
)

_READERS: Mapping[Kind, Callable[[object], object]] = MappingProxyType(
    {
        Kind.SLUG: kinds.slug,
        Kind.LABEL: kinds.label,
        Kind.MODEL_CODE: kinds.model_code,
        Kind.BOOL: kinds.boolean,
        Kind.URL: kinds.url,
        Kind.DOLLARS: kinds.dollars,
        Kind.TIME: kinds.time,
        Kind.SECRET: kinds.secret,
        Kind.SECRETS: registry_kinds.secret_lines,
        Kind.STRINGS: kinds.strings,
        Kind.MODEL_CODES: kinds.model_codes,
        Kind.MODELS: kinds.models,
        Kind.HEADERS: kinds.headers,
        Kind.OBJECT: kinds.json_object,
        Kind.PARAGRAPH: registry_kinds.paragraph,
        Kind.WEBSITE: registry_kinds.website,
        Kind.PROXY: registry_kinds.proxy,
        Kind.FORMATS: registry_kinds.formats,
        Kind.CAPABILITIES: registry_kinds.capabilities,
        Kind.NAMES: registry_kinds.names,
        Kind.UPSTREAM_ALIASES: registry_kinds.upstream_aliases,
        Kind.PRICE_TIERS: price_kinds.price_tiers,
        Kind.MULTIPLIER: registry_kinds.multiplier,
        Kind.MULTIPLIERS: registry_kinds.multipliers,
        Kind.PRIORITIES: registry_kinds.priorities,
        Kind.BY_MODEL: registry_kinds.capabilities_by_model,
    }
)

_FORM_READERS: Mapping[Kind, Callable[[str], object]] = MappingProxyType(
    {
        Kind.INT: form_text.integer,
        Kind.NUMBER: form_text.number,
        Kind.BOOL: form_text.checkbox,
        Kind.TIME: form_text.moment,
        Kind.PROXY: form_text.nothing_or,
        Kind.SECRETS: str.splitlines,
        Kind.STRINGS: form_text.items,
        Kind.MODEL_CODES: form_text.items,
        Kind.MODELS: form_text.pairs,
        Kind.HEADERS: form_text.headers,
        Kind.OBJECT: form_text.json_object,
        Kind.FORMATS: form_text.items,
        Kind.CAPABILITIES: form_text.items,
        Kind.NAMES: form_text.items,
        Kind.UPSTREAM_ALIASES: form_text.upstream_aliases,
        Kind.PRICE_TIERS: price_kinds.from_form,
        Kind.MULTIPLIERS: form_text.pairs,
        Kind.PRIORITIES: form_text.integer_pairs,
        Kind.BY_MODEL: form_text.lists,
    }
)
