"""Many provider keys at once: one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.control import kinds
from gateway.control import provider_keys as key_control
from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import chosen
from gateway.errors import InvalidFields
from gateway.model.people import Actor
from gateway.model.registry import ProviderKey
from gateway.store import providers

_SHARED = ("provider_id", "pool", "api_formats", "secret_note")
FIELDS: Table = (
    Field(
        "api_keys",
        Kind.SECRETS,
        "One a line: a secret or `env:NAME`, before it a name for the key if wanted.",
        required=True,
    ),
    *(field for field in key_control.FIELDS if field.name in _SHARED),
)


async def paste(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> tuple[ProviderKey, ...]:
    """One key for each line, all of them or none. Raises InvalidFields: `api_keys` then says which lines are wrong."""
    values = read(FIELDS, raw, partial=False, text=text)
    lines = values.pop("api_keys")
    async with desk.change(actor) as change:
        provider = chosen(await providers.every(change.tx), values["provider_id"], "provider_id", "provider")
        defaults = read(key_control.FIELDS, {"provider_id": provider.id}, partial=False, text=False)
        return await _add_all(desk, change, {**defaults, **values, "provider_id": provider.id}, lines)


async def _add_all(desk: Desk, change: Change, shared: Values, lines: Sequence[str]) -> tuple[ProviderKey, ...]:
    faults: list[str] = []
    made: list[ProviderKey] = []
    seen: dict[str, int] = {}
    for number, name, secret in _read(lines):
        first = seen.setdefault(secret, number)
        try:
            if first != number:
                raise ValueError(f"is the same as line {first}")
            wanted = {"name": kinds.label(name) if name else "", "api_key": kinds.secret(secret)}
            made.append(await key_control.add(desk, change, {**shared, **wanted}))
        except ValueError as error:
            faults.append(f"line {number} {error}")
        except InvalidFields as error:
            faults += [f"line {number}: {field} {fault}" for field, fault in _of_lines(error).items()]
    if faults:
        raise InvalidFields({"api_keys": "; ".join(faults)})
    if not made:
        raise InvalidFields({"api_keys": "must hold at least one key"})
    return tuple(made)


def _read(lines: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Number, name and secret of each line that is not empty. Only the last word is the secret."""
    for number, line in enumerate(lines, start=1):
        if line:
            name, _, secret = line.rpartition(" ")
            yield number, name.strip(), secret


def _of_lines(error: InvalidFields) -> Mapping[str, str]:
    """The faults of one line. Raises the error again where it is about what all of them share."""
    if error.fields.keys() - {"name", "api_key"}:
        raise error
    return error.fields
