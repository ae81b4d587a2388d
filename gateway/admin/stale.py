"""A form that was sent after somebody else's change: what they made of each field beside what was typed."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.admin.visits import FormView

_WORDS = (
    "Somebody else changed this meanwhile. What is there now is told beside each field that differs; save again to "
    "put yours in its place."
)


def beside(typed: Mapping[str, str], there: Mapping[str, str], shown: frozenset[str]) -> FormView:
    """`typed` kept, on top of the version that is `there`: sent once more it is taken."""
    differing = {
        name: f"is now {there[name]}" if there[name].strip() else "is empty now"
        for name in shown
        if name in typed and name in there and _plain(typed[name]) != _plain(there[name])
    }
    values = {**there, **{name: value for name, value in typed.items() if name in shown}}
    return FormView({**values, "version": there["version"]}, {"form": _WORDS, **differing}, shown)


def _plain(value: str) -> list[str]:
    return value.split()
