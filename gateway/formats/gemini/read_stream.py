"""Gemini streamGenerateContent: the chunks of a stream, read."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.formats.gemini import chunks
from gateway.formats.gemini.chunks import CHUNK, Candidate, Chunk, text_or_empty
from gateway.formats.gemini.endings import is_failure, read_stop, read_usage
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
)
from gateway.formats.metering import error_message, message_of
from gateway.formats.sse import event_payload
from gateway.model.calls import UsageSource
from gateway.model.registry import ApiFormat


class Reader:
    """Text and thoughts are one part each until another kind begins; a call comes whole.

    The stream has no last mark: what comes after the reason for its end is usage, and its close is its end.
    """

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self._id = ""
        self._has_begun = False
        self._is_over = False
        self._has_stopped = False
        self._parts = 0
        self._calls = 0
        self._kind: Kind | None = None

    def read(self, event: bytes) -> list[Event]:
        if self._is_over:
            return []
        payload = event_payload(event)
        if not payload:
            return []
        try:
            chunk = CHUNK.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._unreadable(payload)
        return self._read_chunk(chunk)

    def end(self) -> list[Event]:
        if self._is_over or not self._has_stopped:
            return []
        self._is_over = True
        return [Ended()]

    def _unreadable(self, payload: bytes) -> list[Event]:
        """A list is how Google tells an error of a stream that is an array."""
        if payload.startswith(b"[") and (message := message_of(payload)):
            return self._failed(message)
        self.lost.add("chunks")
        return []

    def _failed(self, message: str) -> list[Event]:
        self._is_over = True
        return [Failed(message or "The provider reported an error.")]

    def _read_chunk(self, chunk: Chunk) -> list[Event]:
        if chunk.error:
            return self._failed(error_message(chunk.error))
        events: list[Event] = []
        if not self._has_begun:
            self._has_begun = True
            self._id = text_or_empty(chunk.responseId)
            events.append(Began(self._id, text_or_empty(chunk.modelVersion)))
        if not self._has_stopped:
            self._read_candidates(chunk, events)
        if chunk.usageMetadata is not None:
            # What a failed answer used counts too, and nothing comes after its failure.
            self._measure(chunk.usageMetadata, events, len(events) - self._is_over)
        return events

    def _measure(self, found: Any, events: list[Event], place: int) -> None:
        """Every chunk tells what was used up to it: an estimate, until the answer has stopped."""
        usage = read_usage(found)
        if usage is not None:
            told = usage if self._has_stopped or self._is_over else replace(usage, source=UsageSource.ESTIMATED)
            events.insert(place, Measured(told))

    def _read_candidates(self, chunk: Chunk, events: list[Event]) -> None:
        for candidate in chunk.candidates or ():
            if candidate.index not in (0, None):
                self.lost.add("candidates")
            elif not (self._has_stopped or self._is_over):
                self._read_candidate(candidate, events)
        if not chunk.candidates and chunks.block_reason(chunk):
            self._stop(Stop.FILTER, events)

    def _read_candidate(self, candidate: Candidate, events: list[Event]) -> None:
        if candidate.content is not None:
            for part in candidate.content.parts or ():
                self._read_part(part, events)
        if candidate.groundingMetadata or candidate.citationMetadata or candidate.logprobsResult:
            self.lost |= chunks.lost_of(candidate)
        if not candidate.finishReason:
            return
        if is_failure(candidate.finishReason):
            events += self._failed("The provider's model failed to write its answer.")
        else:
            self._stop(read_stop(candidate.finishReason, calls=self._calls > 0), events)

    def _read_part(self, part: chunks.Part, events: list[Event]) -> None:
        text = part.text
        is_thought = part.thought is True
        if type(text) is str and text and not is_thought and not part.thoughtSignature:
            self._said(Kind.TEXT, text, events)
            return
        text = text_or_empty(text)
        signature, origin = chunks.seal_of(part)
        if is_thought:
            self._thought(text, signature, origin, events)
            return
        if signature:
            self._close(events)
            self._thought("", signature, origin, events)
        if part.functionCall is not None:
            self._called(part.functionCall, events)
        elif text:
            self._said(Kind.TEXT, text, events)
        if part.inlineData is not None:
            self.lost.add("parts.inlineData")
        self.lost |= chunks.lost_of_part(part)

    def _said(self, kind: Kind, text: str, events: list[Event]) -> None:
        if self._kind is not kind:
            self._open(kind, events)
        events.append(Delta(self._parts - 1, text))

    def _open(self, kind: Kind, events: list[Event]) -> None:
        """Only one part is open at a time."""
        self._close(events)
        self._kind = kind
        events.append(PartBegan(self._parts, kind))
        self._parts += 1

    def _close(self, events: list[Event]) -> None:
        if self._kind is not None:
            events.append(PartEnded(self._parts - 1))
            self._kind = None

    def _thought(self, text: str, signature: str, origin: ApiFormat, events: list[Event]) -> None:
        """A signature ends the thought that it stands on."""
        if text:
            self._said(Kind.THINKING, text, events)
        if signature:
            if self._kind is not Kind.THINKING:
                self._open(Kind.THINKING, events)
            events.append(Signed(self._parts - 1, signature, origin))
            self._close(events)

    def _called(self, given: chunks.Call, events: list[Event]) -> None:
        self._close(events)
        call = chunks.call_of(given, self._id, self._calls)
        self._calls += 1
        index = self._parts
        self._parts += 1
        events.append(PartBegan(index, Kind.TOOL_CALL, call.id, call.name, call.is_custom))
        if call.arguments:
            events.append(Delta(index, call.arguments))
        events.append(PartEnded(index))

    def _stop(self, stop: Stop, events: list[Event]) -> None:
        self._close(events)
        self._has_stopped = True
        events.append(Stopped(stop))
