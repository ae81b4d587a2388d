"""What chat can say comes back as it was: requests, whole answers, streams."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.formats.chat.answer import read_whole, write_whole
from gateway.formats.chat.read_prompt import read_prompt
from gateway.formats.chat.stream import Reader, Writer
from gateway.formats.chat.write_prompt import write_prompt
from gateway.formats.intermediate import Answer, Destination, Prompt, Thinking
from gateway.model.registry import ApiFormat
from tests.formats.answers import TOLD, answer_of, events_of, read, written
from tests.formats.chat.answering import answers
from tests.formats.chat.asking import prompts, request_of


@settings(max_examples=100)
@given(prompts())
def test_a_request_that_is_written_is_read_again_as_the_same(prompt: Prompt) -> None:
    sent = write_prompt(prompt, Destination("m"))

    assert sent.dropped == ()
    assert read_prompt(request_of(sent.body)) == prompt


@settings(max_examples=100)
@given(answers())
def test_an_answer_that_is_written_is_read_again_as_the_same(answer: Answer) -> None:
    assert read_whole(write_whole(answer, TOLD)) == answer


@settings(max_examples=100)
@given(answers(), st.lists(st.integers(0, 10_000), max_size=20), st.integers(1, 5))
def test_a_stream_that_is_written_is_read_again_as_the_same_however_it_is_split(
    answer: Answer, cuts: list[int], pieces: int
) -> None:
    stream = written(Writer(TOLD), events_of(answer, pieces))
    reader = Reader()

    assert answer_of(read(reader, stream, cuts)) == as_chat_streams_it(answer)
    assert reader.lost == set()


def as_chat_streams_it(answer: Answer) -> Answer:
    """A thought without a signature has no origin in a stream."""
    parts = (
        replace(part, origin=None)
        if isinstance(part, Thinking) and part.origin == ApiFormat.OPENAI_CHAT and not part.signature
        else part
        for part in answer.parts
    )
    return replace(answer, parts=tuple(parts))
