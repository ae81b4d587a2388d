"""Forms that are made from a noun's table of fields: what stands in each field, and how it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.admin.wording import stamp
from gateway.control.fields import Field, Kind, Table
from gateway.money import exact_dollars, exact_factor

NOTHING = "none"
"""What takes away something that an empty field would leave as it is."""

_AREAS = frozenset(
    {Kind.PARAGRAPH, Kind.HEADERS, Kind.OBJECT, Kind.MODEL_CODES, Kind.MULTIPLIERS, Kind.PRIORITIES, Kind.BY_MODEL}
)
_MONO = frozenset({Kind.URL, Kind.PROXY, Kind.SECRET, Kind.HEADERS, Kind.OBJECT})
_NUMERIC: Mapping[Kind, str] = MappingProxyType(
    {Kind.INT: "numeric", Kind.NUMBER: "decimal", Kind.DOLLARS: "decimal", Kind.MULTIPLIER: "decimal"}
)
_UNWRITTEN = frozenset({Kind.SECRET, Kind.PROXY})


class FieldLook(msgspec.Struct, frozen=True):
    """One field of a form. `kind` is text, password, area, check or choice; `about` is the help under it.

    `shade` is a CSS class, `attrs` further attributes of the input, `options` values and words of a choice.
    """

    name: str
    words: str
    kind: str
    about: str
    shade: str
    attrs: Mapping[str, str]
    options: tuple[tuple[str, str], ...] = ()


class Group(msgspec.Struct, frozen=True):
    """Fields that belong together, under a heading."""

    legend: str
    fields: tuple[FieldLook, ...]


class FormPlan(msgspec.Struct, frozen=True):
    """Which fields of `table` a form shows, by heading, with labels that its names do not give by themselves."""

    table: Table
    groups: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str]
    help: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """With the version that is sent along."""
        return frozenset({"version", *(name for names in self.groups.values() for name in names)})

    @property
    def shown(self) -> frozenset[str]:
        return self.names - {"version"}

    def looks(self, options: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType({})) -> tuple[Group, ...]:
        """`options` are the choices of single fields, with words of their own."""
        by_name = {one.name: one for one in self.table}
        return tuple(
            Group(legend, tuple(self._look(by_name[name], options.get(name, ())) for name in names))
            for legend, names in self.groups.items()
        )

    def values(self, row: Any) -> dict[str, str]:
        """What stands in each field for this row; what is only ever written stays empty."""
        found = {
            one.name: text_of(one, getattr(row, one.name))
            for one in self.table
            if one.name in self.shown and one.kind not in _UNWRITTEN
        }
        return {**dict.fromkeys(self.shown, ""), **found, "version": str(row.version)}

    def given(self, form: Mapping[str, str]) -> dict[str, object]:
        """The posted fields that are of this form."""
        return {name: value for name, value in form.items() if name in self.names}

    def _look(self, of: Field, options: tuple[tuple[str, str], ...]) -> FieldLook:
        return FieldLook(
            name=of.name,
            words=self.words.get(of.name, of.name.replace("_", " ").capitalize()),
            kind="choice" if options else _shape(of.kind),
            about=self.help.get(of.name, of.about),
            shade="input-mono" if of.kind in _MONO else "",
            attrs=_attributes(of),
            options=options or tuple((choice, choice.replace("_", " ")) for choice in of.choices),
        )


def text_of(of: Field, value: Any) -> str:
    """A stored value as somebody would type it."""
    if value is None:
        return ""
    if of.kind is Kind.BOOL:
        return "on" if value else ""
    return _WRITERS.get(of.kind, str)(value)


def _shape(kind: Kind) -> str:
    if kind in _AREAS:
        return "area"
    return {Kind.BOOL: "check", Kind.CHOICE: "choice", Kind.SECRET: "password"}.get(kind, "text")


def _attributes(of: Field) -> dict[str, str]:
    """`inputmode` chooses the keyboard that a phone shows."""
    found = {"autocomplete": "off"}
    if of.required:
        found["required"] = ""
    if of.kind in _NUMERIC:
        found["inputmode"] = _NUMERIC[of.kind]
    return found


def _number(value: float) -> str:
    return str(value).removesuffix(".0")


def _time(value: int) -> str:
    return stamp(value).replace(".000Z", "Z")


def _lines(items: Iterable[str]) -> str:
    return "\n".join(items)


def _words(items: Iterable[str]) -> str:
    return ", ".join(items)


def _headers(found: Mapping[str, str]) -> str:
    return _lines(f"{name}: {value}" for name, value in found.items())


def _object(found: Mapping[str, object]) -> str:
    return json.dumps(found, ensure_ascii=False, indent=2) if found else ""


def _numbers(found: Mapping[str, int]) -> str:
    return _lines(f"{name} = {number}" for name, number in found.items())


def _lists(found: Mapping[str, Iterable[str]]) -> str:
    return _lines(f"{name} = {_words(items)}" for name, items in found.items())


def _factors(found: Mapping[str, int]) -> str:
    return _lines(f"{name} = {exact_factor(factor)}" for name, factor in found.items())


_WRITERS: Mapping[Kind, Callable[[Any], str]] = MappingProxyType(
    {
        Kind.NUMBER: _number,
        Kind.DOLLARS: exact_dollars,
        Kind.TIME: _time,
        Kind.STRINGS: _words,
        Kind.FORMATS: _words,
        Kind.CAPABILITIES: _words,
        Kind.MODEL_CODES: _lines,
        Kind.HEADERS: _headers,
        Kind.OBJECT: _object,
        Kind.MULTIPLIER: exact_factor,
        Kind.MULTIPLIERS: _factors,
        Kind.PRIORITIES: _numbers,
        Kind.BY_MODEL: _lists,
    }
)
