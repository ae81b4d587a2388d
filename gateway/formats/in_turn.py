"""Calls of tools that a provider tells at the same time, told one after the other."""

from __future__ import annotations

import msgspec

from gateway.formats.intermediate import Delta, Event, Kind, PartBegan, PartEnded, Signed

_decode = msgspec.json.Decoder().decode


class _Part(msgspec.Struct):
    """A part that has begun. `text` is what it has said, `held` what of it waits for its turn."""

    is_function: bool
    text: list[str] = msgspec.field(default_factory=list)
    held: list[Event] = msgspec.field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing can follow: an object of arguments is closed, while free text may always go on."""
        if not self.is_function or not self.text:
            return False
        try:
            return isinstance(_decode("".join(self.text)), dict)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False


class InTurn:
    """The same events, but from the beginning of a call to its end nothing of another part.

    Chat completions may go on with any call at any time; in Messages and Responses one part ends before the next
    begins, and clients rely on it. Nothing waits where the calls of a stream come one after the other.
    """

    __slots__ = ("_ended", "_parts")

    def __init__(self) -> None:
        self._parts: dict[int, _Part] = {}
        self._ended: set[int] = set()

    def arranged(self, events: list[Event]) -> list[Event]:
        found: list[Event] = []
        for event in events:
            if type(event) is PartBegan and (self._parts or event.kind is Kind.TOOL_CALL):
                is_function = event.kind is Kind.TOOL_CALL and not event.is_custom
                self._parts[event.index] = _Part(is_function, held=[event])
                self._tell(found)
            elif self._ended or self._parts:
                self._goes_on(event, found)
            else:
                found.append(event)
        return found

    def _goes_on(self, event: Event, found: list[Event]) -> None:
        if not isinstance(event, Delta | Signed | PartEnded):
            found.append(event)
            return
        part = self._parts.get(event.index)
        if part is not None:
            part.held.append(event)
            self._tell(found)
        elif event.index not in self._ended:
            found.append(event)

    def _tell(self, found: list[Event]) -> None:
        """All that the first part has said; and where it is over, of the next one."""
        while self._parts:
            index, part = next(iter(self._parts.items()))
            found += part.held
            part.text += [event.text for event in part.held if isinstance(event, Delta)]
            is_over = any(isinstance(event, PartEnded) for event in part.held)
            part.held.clear()
            if not is_over:
                if len(self._parts) == 1 or not part.is_whole:
                    return
                found.append(PartEnded(index))
            self._ended.add(index)
            del self._parts[index]
