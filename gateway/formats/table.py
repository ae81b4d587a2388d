"""All API formats side by side: what is the same for each is elsewhere, what differs is a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import msgspec

from gateway.formats import simple
from gateway.formats.chat import answer as chat_answers
from gateway.formats.chat import facts as chat_facts
from gateway.formats.chat import read_prompt as chat_prompts
from gateway.formats.chat import stream as chat_streams
from gateway.formats.chat import surface as chat
from gateway.formats.chat import write_prompt as chat_requests
from gateway.formats.errors import ANTHROPIC, GOOGLE, OPENAI, RESPONSES, Family
from gateway.formats.gemini import answer as gemini_answers
from gateway.formats.gemini import read_prompt as gemini_prompts
from gateway.formats.gemini import stream as gemini_streams
from gateway.formats.gemini import surface as gemini
from gateway.formats.gemini import write_prompt as gemini_requests
from gateway.formats.intermediate import Answer, Destination, Prompt, StreamReader, StreamWriter, Told, Written
from gateway.formats.messages import answer as messages_answers
from gateway.formats.messages import read_prompt as messages_prompts
from gateway.formats.messages import stream as messages_streams
from gateway.formats.messages import surface as messages
from gateway.formats.messages import write_prompt as messages_requests
from gateway.formats.metering import AnswerFacts, Tap
from gateway.formats.request import Asked, Facts, Request
from gateway.formats.responses import answer as responses_answers
from gateway.formats.responses import read_prompt as responses_prompts
from gateway.formats.responses import stream as responses_streams
from gateway.formats.responses import surface as responses
from gateway.formats.responses import write_prompt as responses_requests
from gateway.formats.simple import Simple
from gateway.model.registry import ApiFormat, Auth

Header = tuple[bytes, bytes]

STREAM = "stream"
"""The action that stands for a stream where a format has a path of its own for it."""


class Translation(msgspec.Struct, frozen=True):
    """A format's two ways into the intermediate form and out of it."""

    read_prompt: Callable[[Request], Prompt]
    write_prompt: Callable[[Prompt, Destination], Written]
    read_whole: Callable[[bytes], Answer]
    write_whole: Callable[[Answer, Told], bytes]
    reader: Callable[[], StreamReader]
    writer: Callable[[Told], StreamWriter]


def _as_it_is(_request: Request) -> Request | None:
    return None


def _from_nothing(_request: Request) -> str:
    return ""


def _not_at_all(_request: Request) -> bool:
    return False


class Format(msgspec.Struct, frozen=True):
    """`paths` come after an endpoint's base URL, by action, with `{model}` for the provider's name of it.

    `headers` are sent where the client sent none of that name; `passes` begin the names of the client's that only
    providers of this format understand. `asking_usage` gives the request that has a stream's usage told, None where
    it is told anyway. `not_asking_usage` takes that out of a translated body again. `passes_query`: what the client
    put behind the path goes on to the provider. `free` are actions that no provider charges, and `count_answer`
    says a number of tokens as such an action would. `continues` is the id of the kept answer that a request goes on
    from, and `keeps` whether the provider will keep its answer.
    """

    family: Family
    paths: Mapping[str, str]
    read_request: Callable[[Asked], Request]
    upstream_body: Callable[[Request, str], bytes]
    facts: Callable[[Request, int, str | None], Facts]
    asked_characters: Callable[[Request], int]
    new_tap: Callable[[], Tap]
    read_answer: Callable[[bytes], AnswerFacts]
    asking_usage: Callable[[Request], Request | None] = _as_it_is
    not_asking_usage: Callable[[bytes], bytes] | None = None
    headers: tuple[Header, ...] = ()
    passes: tuple[bytes, ...] = (b"openai-",)
    auth: Auth = Auth.BEARER
    passes_query: bool = False
    free: frozenset[str] = frozenset()
    count_answer: Callable[[int], bytes] | None = None
    continues: Callable[[Request], str] = _from_nothing
    keeps: Callable[[Request], bool] = _not_at_all
    translation: Translation | None = None

    def path(self, action: str, *, is_stream: bool) -> str:
        """Where a request of this action goes."""
        if is_stream and not action and STREAM in self.paths:
            return self.paths[STREAM]
        return self.paths[action]


def _simple(row: Simple, paths: Mapping[str, str]) -> Format:
    return Format(
        family=OPENAI,
        paths=paths,
        read_request=partial(simple.read_request, row),
        upstream_body=chat.upstream_body,
        facts=partial(simple.facts, row),
        asked_characters=partial(simple.asked_characters, row),
        new_tap=simple.StreamTap,
        read_answer=partial(simple.read_answer, row),
        asking_usage=chat.asking_usage if row is simple.COMPLETIONS else _as_it_is,
    )


FORMATS: Mapping[ApiFormat, Format] = MappingProxyType(
    {
        ApiFormat.OPENAI_CHAT: Format(
            family=OPENAI,
            paths={"": "/chat/completions"},
            read_request=chat.read_request,
            upstream_body=chat.upstream_body,
            facts=chat_facts.facts,
            asked_characters=chat.asked_characters,
            new_tap=chat.StreamTap,
            read_answer=chat.read_answer,
            asking_usage=chat.asking_usage,
            not_asking_usage=chat.not_asking_usage,
            translation=Translation(
                chat_prompts.read_prompt,
                chat_requests.write_prompt,
                chat_answers.read_whole,
                chat_answers.write_whole,
                chat_streams.Reader,
                chat_streams.Writer,
            ),
        ),
        ApiFormat.ANTHROPIC_MESSAGES: Format(
            family=ANTHROPIC,
            paths={"": "/messages", "count_tokens": "/messages/count_tokens"},
            read_request=messages.read_request,
            upstream_body=messages.upstream_body,
            facts=messages.facts,
            asked_characters=messages.asked_characters,
            new_tap=messages.StreamTap,
            read_answer=messages.read_answer,
            headers=((b"anthropic-version", b"2023-06-01"),),
            passes=(b"anthropic-",),
            passes_query=True,
            auth=Auth.X_API_KEY,
            free=frozenset({"count_tokens"}),
            count_answer=messages_answers.count_answer,
            translation=Translation(
                messages_prompts.read_prompt,
                messages_requests.write_prompt,
                messages_answers.read_whole,
                messages_answers.write_whole,
                messages_streams.Reader,
                messages_streams.Writer,
            ),
        ),
        ApiFormat.OPENAI_RESPONSES: Format(
            family=RESPONSES,
            paths={
                "": "/responses",
                "compact": "/responses/compact",
                "input_tokens": "/responses/input_tokens",
            },
            read_request=responses.read_request,
            upstream_body=responses.upstream_body,
            facts=responses.facts,
            asked_characters=responses.asked_characters,
            new_tap=responses.StreamTap,
            read_answer=responses.read_answer,
            free=frozenset({"input_tokens"}),
            count_answer=responses.count_answer,
            continues=responses.previous_response,
            keeps=responses.keeps,
            translation=Translation(
                responses_prompts.read_prompt,
                responses_requests.write_prompt,
                responses_answers.read_whole,
                responses_answers.write_whole,
                responses_streams.Reader,
                responses_streams.Writer,
            ),
        ),
        ApiFormat.GEMINI_GENERATE: Format(
            family=GOOGLE,
            paths={
                "": "/models/{model}:generateContent",
                STREAM: "/models/{model}:streamGenerateContent?alt=sse",
                "countTokens": "/models/{model}:countTokens",
            },
            read_request=gemini.read_request,
            upstream_body=gemini.upstream_body,
            facts=gemini.facts,
            asked_characters=gemini.asked_characters,
            new_tap=gemini.StreamTap,
            read_answer=gemini.read_answer,
            passes=(b"x-goog-",),
            auth=Auth.X_GOOG_API_KEY,
            free=frozenset({"countTokens"}),
            count_answer=gemini.count_answer,
            translation=Translation(
                gemini_prompts.read_prompt,
                gemini_requests.write_prompt,
                gemini_answers.read_whole,
                gemini_answers.write_whole,
                gemini_streams.Reader,
                gemini_streams.Writer,
            ),
        ),
        ApiFormat.OPENAI_COMPLETIONS: _simple(simple.COMPLETIONS, {"": "/completions"}),
        ApiFormat.OPENAI_EMBEDDINGS: _simple(simple.EMBEDDINGS, {"": "/embeddings"}),
        ApiFormat.OPENAI_MODERATIONS: _simple(simple.MODERATIONS, {"": "/moderations"}),
        ApiFormat.OPENAI_IMAGES: _simple(
            simple.IMAGES, {"generations": "/images/generations", "edits": "/images/edits"}
        ),
        ApiFormat.OPENAI_AUDIO: _simple(
            simple.AUDIO,
            {
                "speech": "/audio/speech",
                "transcriptions": "/audio/transcriptions",
                "translations": "/audio/translations",
            },
        ),
        ApiFormat.RERANK: _simple(simple.RERANK, {"": "/rerank"}),
    }
)
