"""OpenAI chat completions: the chunks of a stream, read."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.formats.chat.answer import arguments_text, made_id, text_or_empty
from gateway.formats.chat.endings import is_failure, read_stop
from gateway.formats.chat.surface import read_usage
from gateway.formats.chat.thoughts import GEMINI, call_signature_of, details_of, plain_of, thought_of
from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Failed,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Signed,
    Stop,
    Stopped,
    Thinking,
)
from gateway.formats.metering import count, error_message
from gateway.formats.sse import DONE, event_payload


class _Function(msgspec.Struct, gc=False):
    name: Any = None
    arguments: msgspec.Raw = msgspec.Raw(b"null")
    input: Any = None


class _Call(msgspec.Struct):
    index: Any = None
    id: Any = None
    function: _Function | None = None
    custom: _Function | None = None
    extra_content: Any = None


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: Any = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    audio: Any = None
    annotations: Any = None
    images: Any = None


class _Choice(msgspec.Struct):
    index: Any = 0
    delta: _Delta | None = None
    finish_reason: Any = None
    stop_reason: Any = None
    logprobs: Any = None


class _Chunk(msgspec.Struct):
    id: Any = None
    model: Any = None
    created: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_LEGACY = -1  # the place of the one call of an older server
_UNCARRIED = ("audio", "annotations", "images")


class _OpenCall:
    """A tool call that is being told. Its part begins once its name is whole: with the first of its arguments."""

    __slots__ = ("call_id", "is_custom", "name", "part", "signature")

    def __init__(self, call_id: str, *, is_custom: bool) -> None:
        self.call_id = call_id
        self.is_custom = is_custom
        self.name = ""
        self.signature = ""
        self.part: int | None = None


class Reader:
    """Keeps calls apart by their index, and text, thoughts and refusals as one part each until another begins."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self._id = ""
        self._has_begun = False
        self._is_over = False
        self._stop: Stop | None = None
        self._parts = 0
        self._kind: Kind | None = None  # of the open part that is not a call
        self._open = 0
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._has_plain_thoughts = False
        self._refuses = False

    def read(self, event: bytes) -> list[Event]:
        if self._is_over:
            return []
        payload = event_payload(event)
        if not payload:
            return []
        if payload == DONE:
            return self._end()
        try:
            chunk = _CHUNK.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.lost.add("chunks")
            return []
        return self._read_chunk(chunk)

    def end(self) -> list[Event]:
        return self._end() if self._stop is not None else []

    def _end(self) -> list[Event]:
        """The answer is whole; some servers say that without a reason."""
        if self._is_over or not self._has_begun:
            return []
        events = self._stopped(_Choice()) if self._stop is None else []
        self._is_over = True
        return [*events, Ended()]

    def _read_chunk(self, chunk: _Chunk) -> list[Event]:
        if chunk.error:
            return self._failed(error_message(chunk.error))
        events: list[Event] = []
        if not self._has_begun:
            self._has_begun = True
            self._id = text_or_empty(chunk.id)
            events.append(Began(self._id, text_or_empty(chunk.model), count(chunk.created)))
        for choice in chunk.choices or ():
            if choice.index not in (0, None):
                self.lost.add("choices")
            elif self._stop is None and not self._is_over:
                self._read_choice(choice, events)
        if chunk.usage is not None and (usage := read_usage(chunk.usage)) is not None:
            # What a failed answer used counts too, and nothing comes after its failure.
            events.insert(len(events) - self._is_over, Measured(usage))
        return events

    def _failed(self, message: str) -> list[Event]:
        self._is_over = True
        return [Failed(message or "The provider reported an error.")]

    def _read_choice(self, choice: _Choice, events: list[Event]) -> None:
        if choice.delta is not None:
            self._read_delta(choice.delta, events)
        if choice.logprobs:
            self.lost.add("logprobs")
        if choice.finish_reason:
            if is_failure(choice.finish_reason):
                events += self._failed("The provider's model failed.")
            else:
                events += self._stopped(choice)

    def _read_delta(self, delta: _Delta, events: list[Event]) -> None:
        content = delta.content
        if type(content) is str and content and self._kind is Kind.TEXT:
            events.append(Delta(self._open, content))
        elif content:
            self._said(Kind.TEXT, _content_text(content), events)
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._thought(delta, events)
        if delta.refusal:
            self._refuses = True
            self._said(Kind.REFUSAL, text_or_empty(delta.refusal), events)
        if delta.tool_calls or delta.function_call is not None:
            self._called(delta, events)
        if delta.audio or delta.annotations or delta.images:
            self.lost.update(name for name in _UNCARRIED if getattr(delta, name))

    def _said(self, kind: Kind, text: str, events: list[Event]) -> None:
        """Text of a part that is not a call; a part of another kind ends before it."""
        if not text:
            return
        if self._kind is not kind:
            self._close(events)
            self._kind, self._open = kind, self._begin(kind, events)
        events.append(Delta(self._open, text))

    def _begin(self, kind: Kind, events: list[Event], thought_id: str = "") -> int:
        index = self._parts
        self._parts += 1
        events.append(PartBegan(index, kind, thought_id))
        return index

    def _close(self, events: list[Event]) -> None:
        if self._kind is not None:
            events.append(PartEnded(self._open))
            self._kind = None

    def _thought(self, delta: _Delta, events: list[Event]) -> None:
        """Text of thoughts comes under one name or another; with both, that in the details is the same once more."""
        found = {
            "reasoning_content": delta.reasoning_content,
            "reasoning": delta.reasoning,
            "reasoning_details": delta.reasoning_details,
        }
        if plain := plain_of(found):
            self._has_plain_thoughts = True
            self._said(Kind.THINKING, plain, events)
        for detail in details_of(found):
            thought = thought_of(detail)
            if thought is not None:
                self._detail(thought, events, is_alone=detail.get("type") == "reasoning.encrypted")

    def _detail(self, thought: Thinking, events: list[Event], *, is_alone: bool) -> None:
        if thought.text and not self._has_plain_thoughts:
            self._said(Kind.THINKING, thought.text, events)
        if not thought.signature or thought.origin is None:
            return
        if is_alone or self._kind is not Kind.THINKING:
            self._close(events)
            self._kind, self._open = Kind.THINKING, self._begin(Kind.THINKING, events, thought.id)
        events.append(Signed(self._open, thought.signature, thought.origin))
        self._close(events)

    def _called(self, delta: _Delta, events: list[Event]) -> None:
        for call in delta.tool_calls or ():
            opened = self._call_at(call, events)
            self._read_call(opened, call, events)
        if delta.function_call is not None:
            call = _Call(index=_LEGACY, function=delta.function_call)
            self._read_call(self._call_at(call, events), call, events)

    def _call_at(self, call: _Call, events: list[Event]) -> _OpenCall:
        """The call that this one continues, else a new one.

        Some servers leave the index out, and Google gives it 0 for all: another id with a name is another call.
        """
        call_id = text_or_empty(call.id)
        place = call.index if isinstance(call.index, int) else None
        found = self._by_index.get(place) if place is not None else (self._calls[-1] if self._calls else None)
        if found is None or (call_id and call_id != found.call_id and _is_named(call)):
            self._begin_calls(events)
            found = _OpenCall(call_id or made_id(self._id, len(self._calls)), is_custom=call.custom is not None)
            self._calls.append(found)
        if place is not None:
            self._by_index[place] = found
        return found

    def _read_call(self, opened: _OpenCall, call: _Call, events: list[Event]) -> None:
        opened.signature = opened.signature or call_signature_of(call.extra_content)
        told = call.custom or call.function
        if told is None:
            return
        name = text_or_empty(told.name)
        if opened.part is None and name and name != opened.name:  # a few repeat it, and a few tell it piece by piece
            opened.name += name
        more = text_or_empty(told.input) if opened.is_custom else arguments_text(told.arguments)
        if more:
            if opened.part is None:
                self._begin_call(opened, events)
            events.append(Delta(opened.part or 0, more))

    def _begin_calls(self, events: list[Event]) -> None:
        for opened in self._calls:
            if opened.part is None:
                self._begin_call(opened, events)

    def _begin_call(self, opened: _OpenCall, events: list[Event]) -> None:
        self._close(events)
        if opened.signature:
            self._detail(Thinking(signature=opened.signature, origin=GEMINI), events, is_alone=True)
        opened.part = self._parts
        self._parts += 1
        events.append(PartBegan(opened.part, Kind.TOOL_CALL, opened.call_id, opened.name, opened.is_custom))

    def _stopped(self, choice: _Choice) -> list[Event]:
        events: list[Event] = []
        self._begin_calls(events)
        self._close(events)
        events += [PartEnded(call.part) for call in self._calls if call.part is not None]
        calls = bool(self._calls)
        stopped = read_stop(choice.finish_reason, choice.stop_reason, calls=calls, refuses=self._refuses)
        self._stop = stopped[0]
        return [*events, Stopped(*stopped)]


def _is_named(call: _Call) -> bool:
    told = call.custom or call.function
    return told is not None and bool(told.name)


def _content_text(content: Any) -> str:
    """A string, or as Mistral has it a list of parts."""
    if isinstance(content, list):
        return "".join(text_or_empty(part.get("text")) for part in content if isinstance(part, dict))
    return text_or_empty(content)
