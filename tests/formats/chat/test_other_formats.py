"""What other formats can say is written in chat, what chat can say is written in theirs, or refused by name."""

from __future__ import annotations

from hypothesis import given, settings

from gateway.errors import NotTranslatable
from gateway.formats.chat import stream as chat_stream
from gateway.formats.chat.answer import read_whole as read_chat
from gateway.formats.chat.answer import write_whole as write_chat
from gateway.formats.chat.read_prompt import read_prompt as read_chat_prompt
from gateway.formats.chat.write_prompt import write_prompt as write_chat_prompt
from gateway.formats.gemini import stream as gemini_stream
from gateway.formats.gemini.answer import read_whole as read_gemini
from gateway.formats.gemini.answer import write_whole as write_gemini
from gateway.formats.gemini.read_prompt import read_prompt as read_gemini_prompt
from gateway.formats.gemini.write_prompt import write_prompt as write_gemini_prompt
from gateway.formats.intermediate import Answer, BadAnswer, Destination, Failed, Prompt, Role, Text, Thinking, ToolCall
from tests.formats.answers import TOLD, answer_of, events_of, read, written
from tests.formats.chat import answering as chat_answering
from tests.formats.chat import asking as chat_asking
from tests.formats.gemini import answering as gemini_answering
from tests.formats.gemini import asking as gemini_asking

ELSEWHERE = Destination("m")


def said(prompt: Prompt) -> str:
    """All text of the user and of the model, in order."""
    roles = (Role.USER, Role.ASSISTANT)
    return "".join(
        part.text for turn in prompt.turns if turn.role in roles for part in turn.parts if type(part) is Text
    )


def calls_of(prompt: Prompt) -> list[tuple[str, str, str]]:
    parts = [part for turn in prompt.turns for part in turn.parts if isinstance(part, ToolCall)]
    return [(call.id, call.name, call.arguments) for call in parts]


@settings(max_examples=60)
@given(chat_asking.prompts())
def test_requests_in_chat_are_written_for_gemini_or_refused_by_name(prompt: Prompt) -> None:
    try:
        sent = write_gemini_prompt(prompt, ELSEWHERE)
    except NotTranslatable as error:
        assert error.param in ("messages.file_id", "messages.tool_calls.arguments")
        return
    got = read_gemini_prompt(gemini_asking.request_of(sent.body))
    assert calls_of(got) == calls_of(prompt)
    assert (got.max_tokens, got.stop, got.temperature) == (prompt.max_tokens, prompt.stop, prompt.temperature)


@settings(max_examples=60)
@given(gemini_asking.prompts())
def test_requests_in_gemini_are_written_for_chat_or_refused_by_name(prompt: Prompt) -> None:
    try:
        sent = write_chat_prompt(prompt, ELSEWHERE)
    except NotTranslatable as error:
        assert error.param in ("messages.file.url", "stop")
        return
    got = read_chat_prompt(chat_asking.request_of(sent.body))
    assert said(got) == said(prompt)
    assert calls_of(got) == calls_of(prompt)
    assert (got.max_tokens, got.stop, got.temperature) == (prompt.max_tokens, prompt.stop, prompt.temperature)


def essence(answer: Answer) -> tuple[str, list[tuple[str, str, str]], list[str]]:
    """Text, calls and the signatures of thoughts, which both formats can say."""
    calls = [(part.id, part.name, part.arguments) for part in answer.parts if isinstance(part, ToolCall)]
    seals = sorted(part.signature for part in answer.parts if isinstance(part, Thinking) and part.signature)
    return "".join(part.text for part in answer.parts if isinstance(part, Text)), calls, seals


@settings(max_examples=60)
@given(gemini_answering.answers())
def test_answers_of_gemini_are_told_in_chat(answer: Answer) -> None:
    whole = read_chat(write_chat(read_gemini(write_gemini(answer, TOLD)), TOLD))
    stream = written(gemini_stream.Writer(TOLD), events_of(answer))
    again = written(chat_stream.Writer(TOLD), read(gemini_stream.Reader(), stream))

    assert essence(whole) == essence(answer_of(read(chat_stream.Reader(), again))) == essence(answer)
    assert whole.stop == answer.stop


@settings(max_examples=60)
@given(chat_answering.answers())
def test_answers_of_chat_are_told_in_gemini(answer: Answer) -> None:
    """But for calls whose arguments are no object, which end an answer of Gemini's as malformed."""
    stream = written(gemini_stream.Writer(TOLD), events_of(answer))
    events = read(gemini_stream.Reader(), stream)
    try:
        whole = read_gemini(write_gemini(answer, TOLD))
    except BadAnswer:
        assert isinstance(events[-1], Failed)
        return
    assert essence(whole)[1:] == essence(answer_of(events))[1:] == essence(answer)[1:]
