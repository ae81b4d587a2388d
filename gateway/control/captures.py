"""What was kept of a call's headers and bodies: to look at, and to delete."""

from __future__ import annotations

import zlib

from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.model.captures import Captured, Part
from gateway.model.people import Actor
from gateway.store import calls, captures
from gateway.store.captures import StoredCapture
from gateway.vault import Vault


def sealed(vault: Vault, call_id: str, at: int, one: Captured) -> StoredCapture:
    """One part as it is stored. It takes a moment: not in the event loop."""
    content = vault.seal_bytes(zlib.compress(one.content), _binding(call_id, one.part))
    return StoredCapture(call_id, one.part.value, at, one.size, one.is_cut, content)


async def of_call(desk: Desk, call_id: str) -> tuple[Captured, ...]:
    """In the order of the parts; nothing where nothing was kept."""
    async with desk.db.read() as tx:
        found = {one.part: one for one in await captures.of_call(tx, call_id)}
    return tuple(_opened(desk.vault, found[part.value]) for part in Part if part.value in found)


async def delete(desk: Desk, actor: Actor, call_id: str) -> None:
    """Raises NotFound where there is no such call. The deletion is in the audit log, what it deletes is not."""
    async with desk.change(actor) as change:
        require(await calls.get(change.tx, call_id), "request")
        parts = await captures.delete_of_call(change.tx, call_id)
        change.note("delete_capture", "request", call_id, {"parts": parts}, None)


def _opened(vault: Vault, one: StoredCapture) -> Captured:
    part = Part(one.part)
    try:
        content = zlib.decompress(vault.unseal_bytes(one.sealed, _binding(one.call_id, part)))
    except (ValueError, zlib.error):
        return Captured(part, b"", one.size, one.is_cut, is_readable=False)
    return Captured(part, content, one.size, one.is_cut)


def _binding(call_id: str, part: Part) -> str:
    return f"captures:{call_id}:{part.value}"
