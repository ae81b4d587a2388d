"""Turns as Anthropic wants them: roles alternate, the user begins, and results stand right behind their calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import Audio, File, Image, Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult
from gateway.formats.intermediate import Turn as AnyTurn
from gateway.model.registry import ApiFormat

_INSTRUCTIONS = (Role.SYSTEM, Role.DEVELOPER)
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
BEGINNING = "(The assistant begins.)"
"""What the user says where the conversation begins with the assistant: Anthropic takes none that does."""


class Conversation(msgspec.Struct, frozen=True):
    """`system` are the instructions at the start; of `turns` the first is the user's, and roles alternate."""

    system: tuple[Text, ...]
    turns: tuple[AnyTurn, ...]


def arranged(turns: Sequence[AnyTurn], dropped: set[str]) -> Conversation:
    """The same conversation in Anthropic's order. Raises NotTranslatable where it cannot be put so.

    Later instructions become text of the user's where they stand, for few models take them as such. What has no place
    in a turn is named in `dropped`. Ids of calls that Anthropic does not take, or that occur twice, are replaced.
    """
    told = _with_a_user([kept for turn in turns if (kept := _kept(turn, dropped)).parts])
    count = next((index for index, turn in enumerate(told) if turn.role not in _INSTRUCTIONS), len(told))
    system = tuple(part for turn in told[:count] for part in turn.parts if isinstance(part, Text))
    weave = _Weave()
    for turn in told[count:]:
        weave.add(turn)
    return Conversation(system, weave.turns())


def _with_a_user(turns: list[AnyTurn]) -> list[AnyTurn]:
    """Where there are only instructions, the last of them is what is asked."""
    if not turns:
        raise NotTranslatable("The conversation has no text, and Anthropic takes none that is empty.", "messages")
    if any(turn.role not in _INSTRUCTIONS for turn in turns):
        return turns
    return [*turns[:-1], replace(turns[-1], role=Role.USER)]


_NO_ROOM: dict[Role, dict[type, str]] = {
    Role.ASSISTANT: {Image: "messages.image", File: "messages.file", Audio: "messages.audio"},
    Role.USER: {Thinking: "thinking"},
}
_MISPLACED: dict[Role, dict[type, str]] = {
    Role.ASSISTANT: {ToolResult: "results of tools"},
    Role.USER: {ToolCall: "calls of tools", Audio: "audio"},
}


def _kept(turn: AnyTurn, dropped: set[str]) -> AnyTurn:
    """The turn without what Anthropic refuses in it: empty text, thoughts of another provider, pictures it drew."""
    if turn.name:
        dropped.add("messages.name")
    role = turn.role
    if role in _INSTRUCTIONS:
        if not all(isinstance(part, Text) for part in turn.parts):
            raise NotTranslatable("Instructions for Anthropic are made of text only.", "messages")
        role = Role.SYSTEM
    parts = [part for part in turn.parts if _has_room(role, part, dropped)]
    return AnyTurn(role, tuple(parts))


def _has_room(role: Role, part: Part, dropped: set[str]) -> bool:
    if misplaced := _MISPLACED.get(role, {}).get(type(part)):
        raise NotTranslatable(f"Anthropic takes no {misplaced} in a message of the {role.value}'s.", "messages")
    name = _NO_ROOM.get(role, {}).get(type(part), "")
    if isinstance(part, Thinking) and not _is_own(part):
        name = "thinking"
    if name:
        dropped.add(name)
        return False
    return not (isinstance(part, Text | Refusal) and not part.text.strip())


def _is_own(part: Thinking) -> bool:
    return part.origin is ApiFormat.ANTHROPIC_MESSAGES and bool(part.signature)


class _Message(msgspec.Struct):
    role: Role
    parts: list[Part] = msgspec.field(default_factory=list)
    results: list[ToolResult] = msgspec.field(default_factory=list)


class _Weave(msgspec.Struct):
    """Messages so far. A result is kept with the message that has its call, until all are put in a row.

    `open` are the calls without a result: by their id the messages that they stand in and the ids they were given.
    """

    messages: list[_Message] = msgspec.field(default_factory=list)
    open: dict[str, list[tuple[_Message, str]]] = msgspec.field(default_factory=dict)
    taken: set[str] = msgspec.field(default_factory=set)

    def add(self, turn: AnyTurn) -> None:
        for part in turn.parts:
            if isinstance(part, ToolResult):
                self._add_result(part)
            else:
                self._add_part(Role.ASSISTANT if turn.role is Role.ASSISTANT else Role.USER, part)

    def turns(self) -> tuple[AnyTurn, ...]:
        if unanswered := next(iter(self.open), None):
            raise NotTranslatable(f"The tool call '{unanswered[:100]}' has no result.", "messages")
        turns: list[AnyTurn] = []
        for message in self.messages:
            self._append(turns, message.role, message.parts)
            if message.results:
                self._append(turns, Role.USER, message.results)
        if turns and turns[0].role is Role.ASSISTANT:
            turns.insert(0, AnyTurn(Role.USER, (Text(BEGINNING),)))
        return tuple(turns)

    def _append(self, turns: list[AnyTurn], role: Role, parts: Sequence[Part]) -> None:
        if turns and turns[-1].role is role:
            turns[-1] = replace(turns[-1], parts=(*turns[-1].parts, *parts))
        else:
            turns.append(AnyTurn(role, tuple(parts)))

    def _add_part(self, role: Role, part: Part) -> None:
        last = self.messages[-1] if self.messages else None
        if last is None or last.role is not role or last.results:
            last = _Message(role)
            self.messages.append(last)
        if isinstance(part, ToolCall):
            given = self._id_for(part.id)
            self.open.setdefault(part.id, []).append((last, given))
            part = replace(part, id=given)
        last.parts.append(part)

    def _add_result(self, result: ToolResult) -> None:
        waiting = self.open.get(result.call_id)
        if not waiting:
            raise NotTranslatable(
                f"A tool's result belongs to no call before it: '{result.call_id[:100]}'.", "messages"
            )
        message, given = waiting.pop(0)
        if not waiting:
            del self.open[result.call_id]
        message.results.append(replace(result, call_id=given))

    def _id_for(self, asked: str) -> str:
        """`asked` where Anthropic takes it; else what is left of it and a hash of it, the same in every request."""
        given = asked
        if not _ID.fullmatch(asked):
            short = blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
            given = f"{_NOT_IN_ID.sub('_', asked)[:50]}_{short}"
        base, number = given, 1
        while given in self.taken:
            number += 1
            given = f"{base}_{number}"
        self.taken.add(given)
        return given
