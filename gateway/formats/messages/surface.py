"""Anthropic Messages: what routing reads of a request, and what metering reads of an answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats import conversation_facts as facts_of
from gateway.formats.metering import AnswerFacts, characters, count, covering, error_message, members
from gateway.formats.request import Asked, Facts, Request
from gateway.formats.sse import event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.capabilities import CACHE_1H, JSON_SCHEMA, TOOLS, VISION
from gateway.model.registry import ApiFormat

MOST_TOKENS = 10_000_000
COUNT_TOKENS = "count_tokens"
_PICTURE = re.compile(rb'"type"\s*:\s*"image"')
_CONVERSATION = ("system", "messages", "tools")
_CACHEABLE = (*_CONVERSATION, "cache_control")
_SHAPES = ("output_config", "output_format")


def read_request(asked: Asked) -> Request:
    """Raises BadInput naming the field that is missing or of the wrong type.

    `max_tokens` may be missing: whether it must be there is for the provider to say.
    """
    fields = bodies.parse_object(asked.body)
    model = bodies.text_field(fields, "model")
    messages = fields.get("messages")
    if messages is None:
        raise BadInput("The field 'messages' is missing.", param="messages", code="missing_required_parameter")
    if not bodies.begins_with(messages, b"["):
        raise BadInput("The field 'messages' must be a list.", param="messages", code="invalid_type")
    bodies.integer_field(fields, "max_tokens", 0, MOST_TOKENS)
    is_stream = bodies.bool_field(fields, "stream")
    return Request(
        api_format=ApiFormat.ANTHROPIC_MESSAGES,
        model=model,
        is_stream=is_stream and asked.action != COUNT_TOKENS,
        fields=fields,
        action=asked.action,
        source=asked.body,
    )


def upstream_body(request: Request, model: str) -> bytes:
    """The client's fields with the provider's name of the model in its place."""
    return bodies.encode_object({**request.fields, "model": bodies.name(model)})


def facts(request: Request, default_output: int, session_header: str | None) -> Facts:
    """What routing goes by; `default_output` where the request sets no limit. Counting tokens has no output."""
    fields = request.fields
    limit = bodies.integer_field(fields, "max_tokens", 0, MOST_TOKENS)
    return Facts(
        capabilities=_capabilities(request),
        tokens=facts_of.tokens_of(sum(len(fields[name]) for name in _CONVERSATION if name in fields)),
        most_input=facts_of.most_tokens_of(facts_of.size_of(fields)),
        most_output=0 if request.action == COUNT_TOKENS else (default_output if limit is None else limit),
        session="" if session_header is None else _session(request, session_header),
    )


def asked_characters(request: Request) -> int:
    """Characters of text in the system prompt, the conversation and the tools."""
    fields = request.fields
    return sum(characters(bodies.decode_any(fields[name])) for name in _CONVERSATION if name in fields)


def _capabilities(request: Request) -> frozenset[str]:
    fields, found = request.fields, set()
    if facts_of.is_given(fields, "tools"):
        found.add(TOOLS)
    if b'"json_schema"' in facts_of.joined(fields, _SHAPES):
        found.add(JSON_SCHEMA)
    # A long word is found sooner than a pattern.
    if request.holds("messages", b'"image"') and _PICTURE.search(fields["messages"]):
        found.add(VISION)
    if any(_keeps_an_hour(name, request) for name in _CACHEABLE if name in fields):
        found.add(CACHE_1H)
    return frozenset(found)


def _keeps_an_hour(name: str, request: Request) -> bool:
    if name == "cache_control":
        return facts_of.asks_for_an_hour_of_cache(b'"cache_control":' + bytes(request.fields[name]))
    return request.holds(name, facts_of.CACHED) and facts_of.asks_for_an_hour_of_cache(request.fields[name])


def _session(request: Request, header: str) -> str:
    fields = request.fields
    names = (facts_of.text_of(fields.get("prompt_cache_key")), facts_of.user_of(fields), header)
    before = [fields[name] for name in ("system", "tools") if name in fields]
    return facts_of.session_name(names, facts_of.beginning_of(request.model, before, fields["messages"]))


_TOLD = (
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    *("cache_creation", "output_tokens_details"),
)


def merged_usage(earlier: dict[str, Any], found: Any) -> dict[str, Any]:
    """What is known of usage after one more usage object: the newer number, but none is taken back to nothing.

    Counts of a stream grow, and some providers fill what they do not know with 0.
    """
    newer = members(found)
    return {**earlier, **{name: newer[name] for name in _TOLD if newer.get(name)}} if newer else earlier


def read_usage(found: Any) -> Usage | None:
    """Anthropic's usage object. Its input tokens exclude those from and to a cache; thoughts are part of the output."""
    if not isinstance(found, dict) or "input_tokens" not in found and "output_tokens" not in found:
        return None
    kept = members(found.get("cache_creation"))
    hour, minutes = count(kept.get("ephemeral_1h_input_tokens")), count(kept.get("ephemeral_5m_input_tokens"))
    created = max(count(found.get("cache_creation_input_tokens")), hour + minutes)
    output = count(found.get("output_tokens"))
    return Usage(
        input=count(found.get("input_tokens")),
        output=output,
        cache_read=count(found.get("cache_read_input_tokens")),
        cache_creation=created - hour,
        cache_creation_1h=hour,
        reasoning=min(count(members(found.get("output_tokens_details")).get("thinking_tokens")), output),
        source=UsageSource.REPORTED,
    )


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    content_block: Any = None
    message: Any = None
    usage: Any = None
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_EMPTY_AT_FIRST = {"text": "text", "thinking": "thinking"}


_TYPE_AND_TEXT = 2


class StreamTap:
    """metering.Tap for Messages.

    The output that `message_start` tells is only a beginning: until `message_delta` tells the rest, `usage` has at
    least as many output tokens as the characters that came make, and is an estimate.
    """

    __slots__ = ("_is_told", "_known", "characters", "error", "has_output", "is_finished", "said")
    answer_id = ""

    def __init__(self) -> None:
        self.has_output = False
        self.is_finished = False
        self.error = ""
        self.characters = 0
        self.said = ""
        self._known: dict[str, Any] = {}
        self._is_told = False

    @property
    def usage(self) -> Usage | None:
        usage = read_usage(self._known)
        if usage is None or self._is_told:
            return usage
        return covering(replace(usage, source=UsageSource.ESTIMATED), self.characters)

    def read(self, event: bytes) -> bool:
        """Take note of one whole event; False, for no event of Messages is only for metering."""
        self.said = ""
        payload = event_payload(event)
        if not payload:
            return False
        try:
            said = _EVENT.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if said.type == "content_block_delta":
            self._read_delta(said.delta)
        elif isinstance(said.type, str):
            self._read_frame(said.type, said)
        return False

    def _read_delta(self, delta: Any) -> None:
        if not isinstance(delta, dict):
            return
        kind = delta.get("type")
        name = _TEXTS.get(kind) if isinstance(kind, str) else None
        if name is None:
            self.has_output = True
            return
        text = delta.get(name)
        if isinstance(text, str) and text:
            self.has_output = True
            self.characters += len(text)
            self.said = text if len(delta) == _TYPE_AND_TEXT else ""

    def _read_frame(self, kind: str, said: _Event) -> None:
        if kind == "content_block_start":
            block = members(said.content_block)
            name = block.get("type")
            empty = _EMPTY_AT_FIRST.get(name) if isinstance(name, str) else None
            self.has_output = self.has_output or empty is None or bool(block.get(empty))
        elif kind == "message_start":
            self._known = merged_usage(self._known, members(said.message).get("usage"))
        elif kind == "message_delta":
            self._known = merged_usage(self._known, said.usage)
            self._is_told = self._is_told or "output_tokens" in members(said.usage)
            self.has_output = self.has_output or bool(members(said.delta).get("stop_reason"))
        elif kind == "message_stop":
            self.is_finished = self.has_output = True
        elif kind == "error":
            self.error = error_message(said.error) or "the provider reported an error"


class _Answer(msgspec.Struct):
    content: Any = None
    stop_reason: Any = None
    usage: Any = None
    error: Any = None
    input_tokens: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> AnswerFacts:
    """Look at a whole answer with status 200. A count of tokens is one too, and used none."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return AnswerFacts("the provider's answer is not a JSON object", None, 0)
    if answer.error:
        return AnswerFacts(error_message(answer.error) or "the provider reported an error", None, 0)
    if answer.content is None and isinstance(answer.input_tokens, int):
        return AnswerFacts("", Usage(), 0)
    if not isinstance(answer.content, list):
        return AnswerFacts("the provider's answer has no content", None, 0)
    if not answer.content and not answer.stop_reason:
        return AnswerFacts("the provider's answer is empty", None, 0)
    return AnswerFacts("", read_usage(answer.usage), characters(answer.content))
