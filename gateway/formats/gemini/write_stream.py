"""Gemini streamGenerateContent: the chunks of a stream, written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.formats.gemini.answer import Block, call_block, ending, malformed_call
from gateway.formats.gemini.endings import write_usage
from gateway.formats.gemini.seals import GEMINI, sealed
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
    Stop,
    Stopped,
    Told,
    ToolCall,
)
from gateway.formats.sse import plain_event

_encode = msgspec.json.Encoder().encode


class _OpenCall(msgspec.Struct):
    """A call that is not told yet: Gemini's calls come whole, and in the order that the model made them."""

    call: PartBegan
    arguments: list[str] = msgspec.field(default_factory=list)
    is_whole: bool = False


class Writer:
    """One chunk for every piece of text, one for every call. The last one, with the reason and the usage, is written
    when the answer is known to be complete.
    """

    # Google's SDK for Python takes a comment for a chunk; an empty line says nothing to anyone.
    ping = b"\n"

    def __init__(self, told: Told) -> None:
        self._told = told
        self._usage = told.estimate
        self._tail: Block = {}
        self._around: dict[bool, tuple[bytes, bytes]] = {}  # before and after text, of a thought or not
        self._thoughts: dict[int, str] = {}  # open thoughts, and Google's signature of each
        self._silent: set[int] = set()  # of these the ones without text
        self._calls: dict[int, _OpenCall] = {}
        self._seal = ""  # Google's signature of the part that comes next
        self._malformed = ""
        self._refuses = False
        self._stop = Stop.END
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
        opened = self._calls.get(event.index)
        if opened is not None:
            opened.arguments.append(event.text)
            return b""
        is_thought = event.index in self._thoughts
        if is_thought:
            self._silent.discard(event.index)
        elif self._seal:
            return self._part({"text": event.text} | self._next_seal())
        before, after = self._around[is_thought]
        return before + _encode(event.text) + after

    def _began(self, event: Began) -> bytes:
        model, answer_id = self._told.model or event.model, event.id or self._told.call_id
        self._tail = {"modelVersion": model, "responseId": answer_id}
        for is_thought in (True, False):
            part = {"text": ""} | ({"thought": True} if is_thought else {})
            before, _, after = self._part(part).partition(b'"text":""')
            self._around[is_thought] = (before + b'"text":', after)
        return b""

    def _chunk(self, candidate: Block, usage: Block | None = None) -> bytes:
        told = {"candidates": [candidate]} | ({"usageMetadata": usage} if usage else {}) | self._tail
        return plain_event(_encode(told))

    def _part(self, part: Block) -> bytes:
        return self._chunk({"content": {"parts": [part], "role": "model"}, "index": 0})

    def _next_seal(self) -> Block:
        seal, self._seal = self._seal, ""
        return {"thoughtSignature": seal} if seal else {}

    def _part_began(self, event: PartBegan) -> bytes:
        if event.kind == Kind.THINKING:
            self._thoughts[event.index] = ""
            self._silent.add(event.index)
        elif event.kind == Kind.TOOL_CALL:
            self._calls[event.index] = _OpenCall(event)
        elif event.kind == Kind.REFUSAL:
            self._refuses = True
        return b""

    def _signed(self, event: Signed) -> bytes:
        if event.origin == GEMINI and event.index in self._silent:
            self._thoughts[event.index] = event.signature
            return b""
        seal = sealed(event.signature, event.origin)
        return self._part({"text": "", "thought": True, "thoughtSignature": seal})

    def _part_ended(self, event: PartEnded) -> bytes:
        if opened := self._calls.get(event.index):
            opened.is_whole = True
            return self._whole_calls()
        if seal := self._thoughts.pop(event.index, ""):
            before = self._loose_seal()
            self._seal = seal
            return before
        return b""

    def _whole_calls(self) -> bytes:
        """Those that no call before them is waited for."""
        told = b""
        for index, opened in list(self._calls.items()):
            if not opened.is_whole:
                break
            del self._calls[index]
            told += self._call(opened)
        return told

    def _call(self, opened: _OpenCall) -> bytes:
        began = opened.call
        call = ToolCall(began.id, began.name, "".join(opened.arguments), is_custom=began.is_custom)
        block = call_block(call)
        if block is None:
            self._malformed = self._malformed or malformed_call(call)
            return b""
        return self._part(block | self._next_seal())

    def _loose_seal(self) -> bytes:
        """A signature that no part came after."""
        return self._part({"text": ""} | self._next_seal()) if self._seal else b""

    def _measured(self, event: Measured) -> bytes:
        self._usage = event.usage
        return b""

    def _stopped(self, event: Stopped) -> bytes:
        self._stop = event.stop
        return self._loose_seal()

    def _ended(self, _: Ended) -> bytes:
        candidate: Block = {"content": {"parts": [{"text": ""}], "role": "model"}}
        candidate |= ending(self._stop, self._malformed, refuses=self._refuses)
        return self._chunk(candidate, dict(write_usage(self._usage)))
