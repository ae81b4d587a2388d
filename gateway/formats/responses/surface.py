"""OpenAI Responses: what routing reads of a request, and what metering reads of an answer."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats import conversation_facts as facts_of
from gateway.formats.metering import AnswerFacts, characters, count, error_message, members
from gateway.formats.request import Asked, Facts, Request
from gateway.formats.sse import event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.capabilities import CACHE_1H, JSON_SCHEMA, TOOLS, VISION
from gateway.model.registry import ApiFormat

MOST_TOKENS = 10_000_000
INPUT_TOKENS = "input_tokens"
COMPACT = "compact"
_LIMIT = "max_output_tokens"
_CONVERSATION = ("instructions", "input", "tools")
_KEPT_ELSEWHERE = ("previous_response_id", "prompt", "conversation")
_PICTURES = (b'"input_image"', b'"computer_screenshot"')
_COUNT = "response.input_tokens"
_NULL = msgspec.Raw(b"null")
_FAULT = "the provider reported an error"


def read_request(asked: Asked) -> Request:
    """Raises BadInput naming the field that is missing or of the wrong type.

    `input` may be missing where the conversation is at the provider.
    """
    fields = bodies.parse_object(asked.body)
    model = bodies.text_field(fields, "model")
    given = fields.get("input", _NULL)
    if bodies.is_null(given) and not any(facts_of.is_given(fields, name) for name in _KEPT_ELSEWHERE):
        raise BadInput("The field 'input' is missing.", param="input", code="missing_required_parameter")
    if not any(bodies.begins_with(given, first) for first in (b"n", b"[", b'"')):
        raise BadInput("The field 'input' must be a string or a list.", param="input", code="invalid_type")
    bodies.integer_field(fields, _LIMIT, 0, MOST_TOKENS)
    is_stream = bodies.bool_field(fields, "stream")
    return Request(
        api_format=ApiFormat.OPENAI_RESPONSES,
        model=model,
        is_stream=is_stream and not asked.action,
        fields=fields,
        action=asked.action,
        source=asked.body,
    )


def upstream_body(request: Request, model: str) -> bytes:
    """The client's fields with the provider's name of the model in its place."""
    return bodies.encode_object({**request.fields, "model": bodies.name(model)})


def previous_response(request: Request) -> str:
    """The id of the answer that this request goes on from; empty without one."""
    return facts_of.text_of(request.fields.get("previous_response_id"))


def keeps(request: Request) -> bool:
    """Whether the provider will keep the answer, so that another request can go on from it."""
    return not request.action and bytes(request.fields.get("store", b"true")) != b"false"


def count_answer(tokens: int) -> bytes:
    """The answer to a request to count tokens."""
    return msgspec.json.encode({"object": _COUNT, "input_tokens": tokens})


def facts(request: Request, default_output: int, session_header: str | None) -> Facts:
    """What routing goes by; `default_output` where the request sets no limit. Counting tokens uses none."""
    fields = request.fields
    session = "" if session_header is None else _session(request, session_header)
    capabilities = _capabilities(request)
    if request.action == INPUT_TOKENS:
        return Facts(capabilities=capabilities, session=session)
    limit = bodies.integer_field(fields, _LIMIT, 0, MOST_TOKENS)
    return Facts(
        capabilities=capabilities,
        tokens=facts_of.tokens_of(sum(len(fields[name]) for name in _CONVERSATION if name in fields)),
        most_input=facts_of.most_tokens_of(facts_of.size_of(fields)),
        most_output=default_output if limit is None else limit,
        session=session,
    )


def asked_characters(request: Request) -> int:
    """Characters of text in the instructions, the conversation and the tools."""
    fields = request.fields
    return sum(characters(bodies.decode_any(fields[name])) for name in _CONVERSATION if name in fields)


def _capabilities(request: Request) -> frozenset[str]:
    fields, found = request.fields, set()
    asked = fields.get("input", msgspec.Raw(b""))
    if facts_of.is_given(fields, "tools"):
        found.add(TOOLS)
    if b'"json_schema"' in facts_of.joined(fields, ("text",)):
        found.add(JSON_SCHEMA)
    if any(bodies.holds(asked, picture) for picture in _PICTURES):
        found.add(VISION)
    if any(facts_of.asks_for_an_hour_of_cache(part) for part in (asked, facts_of.joined(fields, ("tools",)))):
        found.add(CACHE_1H)
    return frozenset(found)


def _session(request: Request, header: str) -> str:
    fields = request.fields
    names = (facts_of.text_of(fields.get("prompt_cache_key")), facts_of.user_of(fields), header)
    before = [fields[name] for name in ("instructions", "tools") if name in fields]
    return facts_of.session_name(names, facts_of.beginning_of(request.model, before, fields.get("input")))


def read_usage(found: Any) -> Usage | None:
    """Responses' usage object. Its input tokens include those from and to a cache; here each is counted once."""
    if not isinstance(found, dict) or "input_tokens" not in found and "output_tokens" not in found:
        return None
    asked, output = count(found.get("input_tokens")), count(found.get("output_tokens"))
    inputs, outputs = members(found.get("input_tokens_details")), members(found.get("output_tokens_details"))
    read = min(count(inputs.get("cached_tokens")), asked)
    written = min(count(inputs.get("cache_write_tokens")), asked - read)
    return Usage(
        input=asked - read - written,
        output=output,
        cache_read=read,
        cache_creation=written,
        reasoning=min(count(outputs.get("reasoning_tokens")), output),
        source=UsageSource.REPORTED,
    )


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    item: Any = None
    part: Any = None
    response: Any = None
    error: Any = None
    message: Any = None
    code: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_STARTS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"response.failed", "response.cancelled"})
_EMPTY_AT_FIRST = frozenset({"message", "reasoning"})


class StreamTap:
    """metering.Tap for Responses. `answer_id` is what the provider calls the answer, empty until it said so."""

    __slots__ = ("answer_id", "characters", "error", "has_output", "is_finished", "said", "usage")

    def __init__(self) -> None:
        self.has_output = False
        self.is_finished = False
        self.error = ""
        self.usage: Usage | None = None
        self.characters = 0
        self.said = ""
        self.answer_id = ""

    def read(self, event: bytes) -> bool:
        """Take note of one whole event; False, for no event of Responses is only for metering."""
        payload = event_payload(event)
        if not payload:
            return False
        try:
            said = _EVENT.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if isinstance(said.delta, str):
            self.characters += len(said.delta)
            self.has_output = self.has_output or bool(said.delta)
        elif isinstance(said.type, str):
            self._read_frame(said.type, said)
        elif said.error:
            self.error = error_message(said.error) or _FAULT
        return False

    def _read_frame(self, kind: str, said: _Event) -> None:
        if kind in _STARTS:
            self._read_response(members(said.response))
        elif kind in _ENDS:
            self._read_response(members(said.response))
            self.has_output = self.is_finished = True
        elif kind in _FAILURES:
            response = members(said.response)
            self._read_response(response)
            self.error = error_message(response.get("error")) or _FAULT
        elif kind == "error":
            self.error = error_message(said.error) or error_message({"message": said.message, "code": said.code})
            self.error = self.error or _FAULT
        elif not _is_empty(kind, said):
            self.has_output = True

    def _read_response(self, response: dict[str, Any]) -> None:
        found = response.get("id")
        if isinstance(found, str) and found:
            self.answer_id = found
        self.usage = read_usage(response.get("usage")) or self.usage


def _is_empty(kind: str, said: _Event) -> bool:
    """Whether an event only opens what has no content yet, or is a sign of life."""
    if kind == "response.output_item.added":
        item = members(said.item)
        kind_of_item = item.get("type")
        is_opened = isinstance(kind_of_item, str) and kind_of_item in _EMPTY_AT_FIRST
        return is_opened and not any(item.get(name) for name in ("content", "summary"))
    if kind in ("response.content_part.added", "response.reasoning_summary_part.added"):
        part = members(said.part)
        return not part.get("text") and not part.get("refusal")
    return not kind.startswith("response.") or kind.endswith(".delta")


class _Answer(msgspec.Struct):
    id: Any = None
    object: Any = None
    status: Any = None
    output: Any = None
    usage: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> AnswerFacts:
    """Look at a whole answer with status 200. A count of tokens is one too, and used none; so is one that is only
    accepted, to be worked on in the background.
    """
    answer = _decoded(body)
    if answer is None:
        return AnswerFacts("the provider's answer is not a JSON object", None, 0)
    if answer.object == _COUNT:
        return AnswerFacts("", Usage(), 0)
    usage = read_usage(answer.usage)
    if answer.status in ("failed", "cancelled") or answer.error and answer.status != "completed":
        return AnswerFacts(error_message(answer.error) or _FAULT, usage, 0)
    if not isinstance(answer.output, list):
        return AnswerFacts("the provider's answer has no output", usage, 0)
    return AnswerFacts(
        fault="",
        usage=usage,
        characters=sum(_characters(item) for item in answer.output),
        is_pending=answer.status in ("queued", "in_progress"),
        answer_id=answer.id if isinstance(answer.id, str) else "",
    )


def _decoded(body: bytes) -> _Answer | None:
    try:
        return _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


_SAID = ("content", "summary", "arguments", "input", "name")


def _characters(item: Any) -> int:
    return sum(characters(members(item).get(name)) for name in _SAID)
