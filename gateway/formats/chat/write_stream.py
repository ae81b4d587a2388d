"""OpenAI chat completions: the chunks of a stream, written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.formats.chat.endings import finish_reason, matched_field, write_usage
from gateway.formats.chat.thoughts import GEMINI, call_extra, detail_for
from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Signed,
    Stopped,
    Thinking,
    Told,
)
from gateway.model.calls import Usage

_FIELDS = {Kind.TEXT: "content", Kind.THINKING: "reasoning_content", Kind.REFUSAL: "refusal"}
_DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


class Writer:
    """One chunk for every piece of text or of arguments; signatures of thoughts as OpenRouter has them."""

    ping = b": ping\n\n"

    def __init__(self, told: Told) -> None:
        self._told = told
        self._usage: Usage = told.estimate
        self._head = b""
        self._tail = b""
        self._around: dict[int, tuple[bytes, bytes]] = {}  # what stands before and after a delta of each open part
        self._thoughts: dict[int, _Thought] = {}
        self._calls = 0
        self._silent: set[int] = set()  # open calls of functions without arguments so far
        self._details = 0
        self._call_signature = ""  # Google's, of the call that comes next
        self._refuses = False
        self._writes: dict[type, Callable[[Any], bytes]] = {
            Began: self._began,
            PartBegan: self._part_began,
            Signed: self._signed,
            PartEnded: self._part_ended,
            Measured: self._measured,
            Stopped: self._stopped,
            Ended: self._ended,
        }

    def write(self, event: Event) -> bytes:
        if type(event) is Delta:
            return self._delta(event)
        write = self._writes.get(type(event))
        return b"" if write is None else write(event)

    def _delta(self, event: Delta) -> bytes:
        around = self._around.get(event.index)
        if around is None:
            return b""
        if event.index in self._thoughts:
            self._thoughts[event.index].texts.append(event.text)
        elif self._silent:
            self._silent.discard(event.index)
        return around[0] + _encode(event.text) + around[1]

    def _began(self, event: Began) -> bytes:
        head = {
            "id": event.id or f"chatcmpl-{self._told.call_id}",
            "object": "chat.completion.chunk",
            "created": event.created or self._told.now,
            "model": self._told.model or event.model,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        # OpenAI tells those that want usage on every chunk that it is not there yet.
        self._tail = (b'],"usage":null}' if self._told.wants_usage else b"]}") + b"\n\n"
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: dict[str, object], stopped: Stopped | None = None) -> bytes:
        choice: dict[str, object] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        if stopped is not None:
            choice["finish_reason"] = finish_reason(stopped.stop, refuses=self._refuses)
            choice |= matched_field(stopped.stop_sequence)
        return self._head + _encode(choice) + self._tail

    def _part_began(self, event: PartBegan) -> bytes:
        if event.kind == Kind.TOOL_CALL:
            return self._call_began(event)
        said = self._loose_signature()
        if event.kind == Kind.THINKING:
            self._thoughts[event.index] = _Thought(event.id)
        self._refuses = self._refuses or event.kind == Kind.REFUSAL
        self._around[event.index] = self._split({_FIELDS[event.kind]: ""})
        return said

    def _call_began(self, event: PartBegan) -> bytes:
        place, kind = self._calls, "custom" if event.is_custom else "function"
        self._calls += 1
        field = "input" if event.is_custom else "arguments"
        call = {"index": place, "id": event.id, "type": kind, kind: {"name": event.name, field: ""}}
        call |= call_extra(self._call_signature)
        self._call_signature = ""
        if not event.is_custom:
            self._silent.add(event.index)
        self._around[event.index] = self._split({"tool_calls": [{"index": place, kind: {field: ""}}]})
        return self._chunk({"tool_calls": [call]})

    def _split(self, delta: dict[str, object]) -> tuple[bytes, bytes]:
        """A chunk with an empty string in its delta, as what stands before and after that string."""
        head, _, tail = _encode(delta).rpartition(b'""')
        ends = b',"logprobs":null,"finish_reason":null}'
        return self._head + b'{"index":0,"delta":' + head, tail + ends + self._tail

    def _signed(self, event: Signed) -> bytes:
        thought = self._thoughts.get(event.index)
        if thought is not None:
            thought.signature = event
        return b""

    def _part_ended(self, event: PartEnded) -> bytes:
        """A signed thought is told once more, whole and with its signature: so it can be sent back as it is.

        A function without arguments is called with an empty object.
        """
        if event.index in self._silent:
            return self._delta(Delta(event.index, "{}"))
        self._around.pop(event.index, None)
        thought = self._thoughts.pop(event.index, None)
        if thought is None or thought.signature is None:
            return b""
        text, signed = "".join(thought.texts), thought.signature
        if signed.origin == GEMINI and not text:
            said = self._loose_signature()
            self._call_signature = signed.signature
            return said
        return self._detail(Thinking(text, signed.signature, signed.origin, thought.id))

    def _detail(self, thought: Thinking) -> bytes:
        detail = detail_for(thought, self._details)
        self._details += 1
        return self._chunk({"reasoning_details": [detail]})

    def _loose_signature(self) -> bytes:
        """Google's signature where no call came after it."""
        if not self._call_signature:
            return b""
        thought = Thinking(signature=self._call_signature, origin=GEMINI)
        self._call_signature = ""
        return self._detail(thought)

    def _measured(self, event: Measured) -> bytes:
        self._usage = event.usage
        return b""

    def _stopped(self, event: Stopped) -> bytes:
        return self._loose_signature() + self._chunk({}, event)

    def _ended(self, _: Ended) -> bytes:
        if not self._told.wants_usage:
            return _DONE
        usage = self._head + b'],"usage":' + _encode(write_usage(self._usage)) + b"}\n\n"
        return usage + _DONE


class _Thought:
    """An open thought: its text so far, and its signature once it came."""

    __slots__ = ("id", "signature", "texts")

    def __init__(self, thought_id: str) -> None:
        self.id = thought_id
        self.texts: list[str] = []
        self.signature: Signed | None = None
