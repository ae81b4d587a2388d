"""The one form between formats: what a conversation, an answer and a stream say, whichever format says it.

A call that stays in its format never comes here. Each format reads its own requests and answers into this form, and
writes them out of it; nothing here knows a format. Whatever this form has no place for is named in `lost`, in the
words of the format that it was read from. Values that must not change by a byte (schemas, arguments of tools) are
kept as the text they came as.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from gateway.hiding import hiding
from gateway.model.calls import Usage
from gateway.model.registry import ApiFormat


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"


class Text(msgspec.Struct, frozen=True):
    """`cache` is how long a provider's prompt cache is asked to keep everything up to here: `5m`, `1h` or empty."""

    text: str
    cache: str = ""


class Image(msgspec.Struct, frozen=True):
    """By `url`, as `data` in base64 with its `media_type`, or by `file_id`. `detail` is how closely to look."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""
    file_id: str = ""
    cache: str = ""

    __repr__ = hiding("data")


class Audio(msgspec.Struct, frozen=True):
    """`data` in base64, `media_type` such as audio/wav."""

    data: str
    media_type: str

    __repr__ = hiding("data")


class File(msgspec.Struct, frozen=True):
    """A document: by `url`, as `data` in base64 with its `media_type`, or by `file_id`."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    name: str = ""
    file_id: str = ""
    cache: str = ""

    __repr__ = hiding("data")


class Thinking(msgspec.Struct, frozen=True):
    """`text` a person may read, and `signature`, which only the provider of format `origin` can: a proof of the text,
    or the thoughts themselves, encrypted. Without `text` it is such a proof alone, and belongs to the part after it.
    `id` is what the provider calls it.
    """

    text: str = ""
    signature: str = ""
    origin: ApiFormat | None = None
    id: str = ""

    __repr__ = hiding("signature")


class ToolCall(msgspec.Struct, frozen=True):
    """`arguments` are JSON as the text they came as, empty for none. A `custom` tool's are free text.

    `namespace` is the group of tools that `name` is in, where there is one.
    """

    id: str
    name: str
    arguments: str
    is_custom: bool = False
    namespace: str = ""


class ToolResult(msgspec.Struct, frozen=True):
    """What came of the call `call_id`. Parts: Text, Image, File. `name` is the tool's, where the format tells it."""

    call_id: str
    parts: tuple[Part, ...]
    is_error: bool = False
    name: str = ""
    is_custom: bool = False
    cache: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """The model's own words for why it does not answer."""

    text: str


Part = Text | Image | Audio | File | Thinking | ToolCall | ToolResult | Refusal


class Turn(msgspec.Struct, frozen=True):
    """One message. Results of tools are parts of a USER turn, calls of tools parts of an ASSISTANT turn.

    Turns are as the format had them: a writer joins or splits them as its own format wants.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call. `schema` of its arguments is raw JSON, None where none was given.

    `is_custom` takes free text instead, its `grammar` raw JSON where there is one.
    """

    name: str
    description: str = ""
    schema: msgspec.Raw | None = None
    is_strict: bool | None = None
    is_custom: bool = False
    grammar: msgspec.Raw | None = None
    cache: str = ""


class ChoiceMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(msgspec.Struct, frozen=True):
    """NAMED means exactly the tool `name`; `allowed` limits AUTO and REQUIRED to these, where it is not empty."""

    mode: ChoiceMode
    name: str = ""
    allowed: tuple[str, ...] = ()


class Reasoning(msgspec.Struct, frozen=True):
    """How much to think first: in a word (`none`, `minimal`, `low`, `medium`, `high`, `xhigh`) or in at most `budget`
    tokens, whichever the format said; reasoning.py turns one into the other. `is_shown` None is the format's own way;
    `summary` is Responses' word.
    """

    effort: str = ""
    budget: int | None = None
    is_shown: bool | None = None
    summary: str = ""


class ShapeKind(StrEnum):
    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class Shape(msgspec.Struct, frozen=True):
    """What the answer's text must look like. `schema` is raw JSON, only with JSON_SCHEMA."""

    kind: ShapeKind
    name: str = ""
    schema: msgspec.Raw | None = None
    is_strict: bool | None = None
    description: str = ""


class Prompt(msgspec.Struct, frozen=True):
    """A whole request. None and empty mean that the client did not say.

    `user` is who the client says that it asks for. `metadata` is raw JSON. `extras` are further top-level fields that
    more than one format has under the same name and meaning (SHARED_FIELDS), raw; a writer takes those of its format
    and names the others as dropped. `lost` are names that the reader had no place for.
    """

    turns: tuple[Turn, ...]
    is_stream: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    reasoning: Reasoning | None = None
    shape: Shape | None = None
    verbosity: str = ""
    top_logprobs: int | None = None
    user: str = ""
    cache_key: str = ""
    service_tier: str = ""
    metadata: msgspec.Raw | None = None
    extras: Mapping[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    lost: tuple[str, ...] = ()


SHARED_FIELDS = frozenset({"store", "prompt_cache_retention"})
"""Fields of chat and Responses alike that mean nothing elsewhere."""


class Destination(msgspec.Struct, frozen=True):
    """Where a request is written for: the provider's name of the model, and the most tokens that it can answer."""

    model: str
    output_limit: int | None = None


class Written(msgspec.Struct, frozen=True):
    """A body, and the names of what it could not carry, in the words of the client's format where it named them."""

    body: bytes
    dropped: tuple[str, ...] = ()

    __repr__ = hiding("body")


class Stop(StrEnum):
    """Why an answer ended. CONTEXT: the model's context window is full. PAUSE: it wants to go on when asked again."""

    END = "end"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    STOP_SEQUENCE = "stop_sequence"
    FILTER = "filter"
    REFUSAL = "refusal"
    CONTEXT = "context"
    PAUSE = "pause"


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. Parts: Text, Thinking, ToolCall, Refusal, Image, Audio. `created` is Unix seconds, 0 unknown."""

    id: str
    model: str
    parts: tuple[Part, ...]
    stop: Stop
    stop_sequence: str = ""
    usage: Usage | None = None
    created: int = 0
    lost: tuple[str, ...] = ()


# What a stream says, one thing after the other. Structs, for there is one for every token.


class Kind(StrEnum):
    TEXT = "text"
    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"


class Began(msgspec.Struct, frozen=True, gc=False):
    """First, exactly once. `created` is Unix seconds, 0 unknown."""

    id: str
    model: str
    created: int = 0


class PartBegan(msgspec.Struct, frozen=True, gc=False):
    """Part `index` (0, 1, 2 … in the order of their beginning) begins; others may still be open.

    `id`, `name` and `is_custom` are a tool call's, `id` also a thought's.
    """

    index: int
    kind: Kind
    id: str = ""
    name: str = ""
    is_custom: bool = False


class Delta(msgspec.Struct, frozen=True, gc=False):
    """More of part `index`: its text, or of a tool call's arguments the text that they are written in."""

    index: int
    text: str


class Signed(msgspec.Struct, frozen=True, gc=False):
    """The whole signature of the thinking part `index`."""

    index: int
    signature: str
    origin: ApiFormat


class PartEnded(msgspec.Struct, frozen=True, gc=False):
    index: int


class Measured(msgspec.Struct, frozen=True, gc=False):
    """The usage as it is known now; a later one replaces it. It may come at any time, the last one before Ended.

    Its source is ESTIMATED while the provider has not told the output yet: then the text that came counts as well.
    """

    usage: Usage


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """Why the answer ended. Every part is ended by then; usage may still come."""

    stop: Stop
    stop_sequence: str = ""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """Last, exactly once, and only where the answer said that it is complete. After it nothing comes."""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The provider reported an error inside the stream, and nothing comes after it."""

    message: str


Event = Began | PartBegan | Delta | Signed | PartEnded | Measured | Stopped | Ended | Failed


class StreamReader(Protocol):
    """Makes events of one stream's wire events. `lost` names what was left out."""

    lost: set[str]

    def read(self, event: bytes) -> list[Event]:
        """What one whole server-sent event says: maybe nothing. Never raises for whatever a provider sends."""
        ...

    def end(self) -> list[Event]:
        """What is still to be said when the provider closed the stream: Ended where the answer was complete and only
        its last mark is missing, nothing where it broke off.
        """
        ...


class StreamWriter(Protocol):
    """Makes wire events of one stream's events; `ping` is what to send into a long silence."""

    ping: bytes

    def write(self, event: Event) -> bytes:
        """The wire events of one event, joined; may be empty. Nothing for Failed: errors are written elsewhere."""
        ...


class Told(msgspec.Struct, frozen=True):
    """What a writer of answers knows besides the answer: the id of the call, the model as it was asked for, the
    usage to tell where the provider tells none, whether the client of a chat stream asked for its usage chunk, and the
    time (Unix seconds).
    """

    call_id: str
    model: str
    estimate: Usage
    wants_usage: bool
    now: int


class BadAnswer(Exception):
    """A provider's answer with status 200 that is not one of its format. The only error of reading answers."""
