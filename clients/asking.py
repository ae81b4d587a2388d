"""One question to a model in each format, with the official SDK: what it said, and what it counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from anthropic import Anthropic
from anthropic.types import TextBlock, UserMessageParam
from google import genai
from google.genai import types
from openai import OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

QUESTION = "Once upon a time there was a little"
MOST_TOKENS = 24
_GREEDY = {"temperature": 0}
"""For an SDK that has no parameter for it any more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask, and for which model. `origin` has no path."""

    origin: str
    key: str
    model: str


@dataclass(frozen=True, slots=True)
class Said:
    """`input` counts what was `cached`."""

    text: str
    input: int
    cached: int
    output: int


Asking = Callable[[Place, bool], Said]
"""Whether streamed comes second."""


def in_chat(place: Place, is_stream: bool) -> Said:
    turn = ChatCompletionUserMessageParam(role="user", content=QUESTION)
    create = _openai(place).chat.completions.create
    if not is_stream:
        whole = create(model=place.model, messages=[turn], max_tokens=MOST_TOKENS, temperature=0, seed=1)
        text, usage = whole.choices[0].message.content or "", whole.usage
    else:
        text, usage = "", None
        for chunk in create(
            model=place.model,
            messages=[turn],
            max_tokens=MOST_TOKENS,
            temperature=0,
            seed=1,
            stream=True,
            stream_options={"include_usage": True},
        ):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = chunk.usage or usage
    assert usage is not None
    details = usage.prompt_tokens_details
    return Said(text, usage.prompt_tokens, (details and details.cached_tokens) or 0, usage.completion_tokens)


def in_responses(place: Place, is_stream: bool) -> Said:
    responses = _openai(place).responses
    if not is_stream:
        answer = responses.create(
            model=place.model, input=QUESTION, max_output_tokens=MOST_TOKENS, temperature=0, store=False
        )
        text = answer.output_text
    else:
        text, found = "", None
        for event in responses.create(
            model=place.model, input=QUESTION, max_output_tokens=MOST_TOKENS, temperature=0, store=False, stream=True
        ):
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                found = event.response
        assert found is not None, "the stream has no ending"
        answer = found
    usage = answer.usage
    assert usage is not None
    return Said(text, usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens)


def in_messages(place: Place, is_stream: bool) -> Said:
    client = Anthropic(base_url=place.origin, api_key=place.key, max_retries=0)
    turn = UserMessageParam(role="user", content=QUESTION)
    if not is_stream:
        answer = client.messages.create(model=place.model, messages=[turn], max_tokens=MOST_TOKENS, extra_body=_GREEDY)
    else:
        with client.messages.stream(
            model=place.model, messages=[turn], max_tokens=MOST_TOKENS, extra_body=_GREEDY
        ) as stream:
            answer = stream.get_final_message()
    text = "".join(block.text for block in answer.content if isinstance(block, TextBlock))
    usage = answer.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Said(text, usage.input_tokens + cached + written, cached, usage.output_tokens)


def in_gemini(place: Place, is_stream: bool) -> Said:
    client = genai.Client(api_key=place.key, http_options=types.HttpOptions(base_url=place.origin))
    config = types.GenerateContentConfig(max_output_tokens=MOST_TOKENS, temperature=0, seed=1)
    chunks: Iterable[types.GenerateContentResponse]
    if is_stream:
        chunks = client.models.generate_content_stream(model=place.model, contents=QUESTION, config=config)
    else:
        chunks = [client.models.generate_content(model=place.model, contents=QUESTION, config=config)]
    text, usage = "", None
    for chunk in chunks:
        text += chunk.text or ""
        usage = chunk.usage_metadata or usage
    assert usage is not None
    cached = usage.cached_content_token_count or 0
    return Said(text, usage.prompt_token_count or 0, cached, usage.candidates_token_count or 0)


def in_completions(place: Place, is_stream: bool) -> Said:
    create = _openai(place).completions.create
    if not is_stream:
        whole = create(model=place.model, prompt=QUESTION, max_tokens=MOST_TOKENS, temperature=0, seed=1)
        text, usage = whole.choices[0].text, whole.usage
    else:
        text, usage = "", None
        for chunk in create(
            model=place.model,
            prompt=QUESTION,
            max_tokens=MOST_TOKENS,
            temperature=0,
            seed=1,
            stream=True,
            stream_options={"include_usage": True},
        ):
            text += "".join(choice.text for choice in chunk.choices)
            usage = chunk.usage or usage
    assert usage is not None
    return Said(text, usage.prompt_tokens, 0, usage.completion_tokens)


def embedding(place: Place) -> tuple[list[float], int]:
    """The numbers, and the tokens of the input."""
    found = _openai(place).embeddings.create(model=place.model, input=QUESTION)
    return found.data[0].embedding, found.usage.prompt_tokens


def _openai(place: Place) -> OpenAI:
    return OpenAI(base_url=f"{place.origin}/v1", api_key=place.key, max_retries=0)


CONVERSATIONS: Mapping[str, Asking] = {
    "chat": in_chat,
    "responses": in_responses,
    "messages": in_messages,
    "gemini": in_gemini,
}
