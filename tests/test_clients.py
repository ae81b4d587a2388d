"""What `make clients` sets other people's programs on: a provider that says only what the official SDKs know."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from clients import judges
from clients.cells import Cell, failures, table
from clients.upstream import script
from clients.upstream.script import Heard, Said, Tool, say
from clients.upstream.server import SPEECHES

READ = Tool("read_secret", {"path": {"type": "string"}})
ASKED = Heard("Read /tmp/secret-a.txt and /tmp/secret-b.txt", tools=[READ])
WHOLE: dict[str, Any] = {
    "chat": ChatCompletion,
    "responses": Response,
    "messages": Message,
    "gemini": GenerateContentResponse,
}
PIECES: dict[str, Any] = {
    "chat": ChatCompletionChunk,
    "responses": ResponseStreamEvent,
    "messages": RawMessageStreamEvent,
    "gemini": GenerateContentResponse,
}
each_format = pytest.mark.parametrize("name", SPEECHES)
each_turn = pytest.mark.parametrize("said", [say(Heard("Say hello")), say(ASKED)], ids=["text", "calls"])


def test_files_are_read_with_one_call_each_and_then_quoted() -> None:
    calls = say(ASKED).calls

    assert [call.arguments for call in calls] == [{"path": "/tmp/secret-a.txt"}, {"path": "/tmp/secret-b.txt"}]
    assert say(Heard(ASKED.text, [READ], ["one", "two"])) == Said("The tool said: one two")
    assert say(Heard(ASKED.text)) == Said(script.HELLO), "without a tool there is no way to know"


@each_format
@each_turn
def test_a_whole_answer_is_one_of_the_official_types(name: str, said: Said) -> None:
    TypeAdapter(WHOLE[name]).validate_python(SPEECHES[name].whole(said))


@each_format
@each_turn
def test_every_event_of_a_stream_is_one_of_the_official_types(name: str, said: Said) -> None:
    judge: TypeAdapter[Any] = TypeAdapter(PIECES[name])

    events = [event.content for event in SPEECHES[name].stream(said, ASKED)]

    for event in events:
        if not isinstance(event, str) and event.get("type") != "ping":
            judge.validate_python(event)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("chat", {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_output_tokens": 3}),
        ("chat", {"model": "m"}),
        ("responses", {"model": "m", "input": [{"role": "stranger", "content": "x"}]}),
        ("messages", {"model": "m", "max_tokens": 3, "messages": [{"role": "system", "content": 3}]}),
        ("gemini", {"messages": []}),
        ("gemini", {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}]}),
    ],
)
def test_a_request_that_no_sdk_would_send_is_found_out(name: str, body: dict[str, Any]) -> None:
    assert judges.fault(name, body)


def test_a_table_has_the_columns_that_are_used_and_says_what_fails() -> None:
    cells = [Cell("a", "chat", "tool"), Cell("a", "chat", "tool"), Cell("b", "gemini", "stream", "it was cut")]

    assert table(cells, ["chat", "messages", "gemini"]).splitlines()[2:] == [
        "| a | tool | – |",
        "| b | – | **stream fails** |",
    ]
    assert failures(cells) == ["b → gemini, stream: it was cut"]
