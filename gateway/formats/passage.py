"""How one call goes to a backend and its answer comes back: as it is, or through the intermediate form."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from gateway.formats import intermediate as form
from gateway.formats.blocks import Blocks
from gateway.formats.body import is_object
from gateway.formats.cost_shown import CostOf, CostSide, with_cost
from gateway.formats.foreign import without_foreign
from gateway.formats.in_turn import InTurn
from gateway.formats.intermediate import Answer, BadAnswer, Destination, Event, Kind, StreamReader, StreamWriter, Told
from gateway.formats.metering import AnswerFacts, Tap, covering
from gateway.formats.request import Request
from gateway.formats.side import StreamSide
from gateway.formats.sse import is_plain, is_whole_event, split_events
from gateway.formats.table import FORMATS, Format, Translation
from gateway.hiding import hiding
from gateway.model.calls import Usage
from gateway.model.registry import ApiFormat

MOST_NAMES, _LONGEST_NAME = 100, 100
"""Of what was dropped: a client may make up any number of fields."""


class Passage(msgspec.Struct, frozen=True):
    """`body` goes to the provider, as `upstream`'s path and headers say; `dropped` names what it could not carry.

    `asks_usage`: the body asks for the usage of a stream that the client did not ask for; it is hidden from it.
    `told` is set where the answer has to be translated back, `cost_of` where the client wants to read the cost.
    """

    request: Request
    upstream: Format
    body: bytes
    dropped: tuple[str, ...] = ()
    asks_usage: bool = False
    told: Told | None = None
    cost_of: CostOf | None = None

    __repr__ = hiding("body")

    @property
    def is_translated(self) -> bool:
        return self.told is not None

    def path_at(self, custom: str, model: str) -> str:
        """What follows an endpoint's base URL; `custom` takes the place of the format's own path."""
        action = "" if self.told is not None else self.request.action
        own = self.upstream.path(action, is_stream=self.request.is_stream)
        main = self.upstream.paths.get("")
        if custom and "{action}" not in custom and action and main and own.startswith(main):
            custom += own.removeprefix(main)
        return _path(custom or own, own, model)

    def stream(self) -> StreamSide:
        """The way back of a stream."""
        side: StreamSide
        if self.told is None:
            hides_usage = self.asks_usage and self.cost_of is None
            side = SameStream(self.upstream.new_tap, hides_usage=hides_usage)
        else:
            side = TranslatedStream(translation_of(self.upstream).reader(), self._client.writer(self.told))
        return side if self.cost_of is None else CostSide(side, self.cost_of)

    def whole(self, body: bytes) -> tuple[bytes, AnswerFacts]:
        """What the client gets of a whole answer with status 200, and what it says; translating may find a fault."""
        passed, facts = self._passed(body)
        if self.cost_of is None or facts.usage is None or facts.fault:
            return passed, facts
        return with_cost(passed, self.cost_of(facts.usage)), facts

    def _passed(self, body: bytes) -> tuple[bytes, AnswerFacts]:
        if self.request.action in self.upstream.free:
            # A number of tokens is no answer of a model's.
            return body, AnswerFacts("" if is_object(body) else "the provider's answer is not a JSON object", None, 0)
        facts = self.upstream.read_answer(body)
        if self.told is None or facts.fault:
            return body, facts
        try:
            answer = translation_of(self.upstream).read_whole(body)
        except BadAnswer as error:
            return body, AnswerFacts(str(error), facts.usage, facts.characters)
        if self.request.is_stream:
            # It was asked for a stream and told all at once: the client gets the stream that it asked for.
            passed = _all_at_once(answer, self._client.writer(self.told))
        else:
            passed = self._client.write_whole(answer, self.told)
        return passed, replace(facts, lost=answer.lost)

    @property
    def _client(self) -> Translation:
        return translation_of(FORMATS[self.request.api_format])


@functools.lru_cache(4096)
def _path(path: str, own: str, model: str) -> str:
    # A client may make up a model's name, and no name may lead to another path.
    name = quote(model, safe="")
    return path.replace("{model}", name).replace("{action}", own.rpartition("/")[2])


def translation_of(row: Format) -> Translation:
    assert row.translation is not None, "only conversations are sent to other formats"
    return row.translation


def same(request: Request, *, asks_usage: bool, model: str, cost_of: CostOf | None = None) -> Passage:
    """To an endpoint of the request's own format: only the model's name changes, and maybe what is told of usage.

    Thoughts that came from a provider of another format do not go there.
    """
    row = FORMATS[request.api_format]
    own = without_foreign(request)
    asking = row.asking_usage(own) if asks_usage else None
    return Passage(request, row, row.upstream_body(asking or own, model), (), asking is not None, None, cost_of)


def translated(
    request: Request, to: ApiFormat, destination: Destination, told: Told, cost_of: CostOf | None = None
) -> Passage:
    """To an endpoint of another format. Raises NotTranslatable or BadInput, naming the field."""
    prompt = translation_of(FORMATS[request.api_format]).read_prompt(request)
    written = translation_of(FORMATS[to]).write_prompt(prompt, destination)
    dropped = tuple(name[:_LONGEST_NAME] for name in dict.fromkeys((*prompt.lost, *written.dropped)))[:MOST_NAMES]
    asks_usage = request.is_stream and FORMATS[to].not_asking_usage is not None
    return Passage(request, FORMATS[to], written.body, dropped, asks_usage, told, cost_of)


def not_asking_usage(passage: Passage) -> Passage:
    """The same translated passage to a server that does not understand a stream's usage being asked for."""
    without = passage.upstream.not_asking_usage
    if without is None or not passage.asks_usage:
        return passage
    return replace(passage, body=without(passage.body), asks_usage=False)


class SameStream:
    """Every event as it came, but a usage chunk that only we asked for."""

    __slots__ = ("_blocks", "_hides_usage", "ping", "tap")
    tells_errors = True
    lost: tuple[str, ...] = ()

    def __init__(self, new_tap: Callable[[], Tap], *, hides_usage: bool) -> None:
        self.tap = new_tap()
        self._blocks = Blocks(self.tap, new_tap)
        self._hides_usage = hides_usage
        self.ping = b""

    def pass_on(self, event: bytes) -> bytes:
        return b"" if self.tap.read(event) and self._hides_usage else event

    def pass_block(self, block: bytes) -> bytes | None:
        if not is_plain(block):
            return None
        of_usage = self._blocks.read(block)
        if self._hides_usage:
            for event in of_usage:
                block = block.replace(event, b"", 1)
        return block

    def rest(self, rest: bytes) -> bytes:
        return self.pass_on(rest) if is_whole_event(rest) else b""


class TranslatedStream:
    """Every event read in the provider's format and written in the client's."""

    __slots__ = ("_in_turn", "_reader", "_writer", "ping", "tap", "tells_errors")

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._in_turn = InTurn()
        self._writer = writer
        self.ping = writer.ping
        self.tells_errors = False
        self.tap: Tap = EventTap()

    @property
    def lost(self) -> tuple[str, ...]:
        return tuple(sorted(self._reader.lost))

    def pass_on(self, event: bytes) -> bytes:
        return self._written(self._reader.read(event))

    def pass_block(self, block: bytes) -> bytes:
        return b"".join([self._written(self._reader.read(event)) for event in split_events(block)])

    def rest(self, rest: bytes) -> bytes:
        last = self._reader.read(rest) if is_whole_event(rest) else []
        return self._written([*last, *self._reader.end()])

    def _written(self, events: list[Event]) -> bytes:
        assert isinstance(self.tap, EventTap)
        for event in events:
            self.tap.note(event)
        return b"".join(map(self._writer.write, self._in_turn.arranged(events)))


class EventTap(msgspec.Struct):
    """A metering.Tap of events in the intermediate form. `told` is the usage as the stream told it last."""

    has_output: bool = False
    is_finished: bool = False
    error: str = ""
    told: Usage | None = None
    characters: int = 0
    said: str = ""
    answer_id: str = ""

    @property
    def usage(self) -> Usage | None:
        return None if self.told is None else covering(self.told, self.characters)

    def read(self, event: bytes) -> bool:
        """Wire events are read by the stream's reader."""
        return False

    def note(self, event: Event) -> None:
        if isinstance(event, form.Delta):
            self.has_output = self.has_output or bool(event.text)
            self.characters += len(event.text)
        elif isinstance(event, form.PartBegan):
            self.has_output = self.has_output or event.kind is Kind.TOOL_CALL
        elif isinstance(event, form.Measured):
            self.told = event.usage
        elif isinstance(event, form.Stopped):
            self.has_output = True
        elif isinstance(event, form.Ended):
            self.is_finished = True
        elif isinstance(event, form.Failed):
            self.error = event.message or "the provider reported an error"


def _all_at_once(answer: Answer, writer: StreamWriter) -> bytes:
    return b"".join(map(writer.write, events_of(answer)))


def events_of(answer: Answer) -> Iterator[Event]:
    """The stream that a whole answer would have been. Pictures and sound have no place in one."""
    yield form.Began(answer.id, answer.model, answer.created)
    index = 0
    for part in answer.parts:
        told = list(_part_events(index, part))
        yield from told
        index += bool(told)
    if answer.usage is not None:
        yield form.Measured(answer.usage)
    yield form.Stopped(answer.stop, answer.stop_sequence)
    yield form.Ended()


def _part_events(index: int, part: form.Part) -> Iterator[Event]:
    if isinstance(part, form.Text | form.Refusal):
        yield form.PartBegan(index, Kind.TEXT if isinstance(part, form.Text) else Kind.REFUSAL)
        yield form.Delta(index, part.text)
    elif isinstance(part, form.Thinking):
        yield form.PartBegan(index, Kind.THINKING, part.id)
        if part.text:
            yield form.Delta(index, part.text)
        if part.signature and part.origin is not None:
            yield form.Signed(index, part.signature, part.origin)
    elif isinstance(part, form.ToolCall):
        yield form.PartBegan(index, Kind.TOOL_CALL, part.id, part.name, part.is_custom)
        yield form.Delta(index, part.arguments)
    else:
        return
    yield form.PartEnded(index)
