"""Requests in OpenAI Responses are read into the form between formats, and what has no place there is named."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.intermediate import (
    Audio,
    ChoiceMode,
    File,
    Image,
    Prompt,
    Reasoning,
    Refusal,
    Role,
    Shape,
    ShapeKind,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from gateway.formats.request import Asked
from gateway.formats.responses.read_prompt import read_prompt
from gateway.formats.responses.surface import read_request
from gateway.model.registry import ApiFormat
from tests.formats.responses.wires import USER, WEATHER, function_call, message, output_text, request

HERE = ApiFormat.OPENAI_RESPONSES


def read(*items: Any, **body: Any) -> Prompt:
    return read_prompt(request(*items, **body))


def said(body: Any) -> Prompt:
    return read_prompt(read_request(Asked(json.dumps({"model": "m", **body}).encode())))


def refused(*items: Any, **body: Any) -> str | None:
    with pytest.raises(BadInput) as refusal:
        read(*items, **body)
    return refusal.value.param


def test_text_alone_is_a_turn_of_the_user() -> None:
    assert said({"input": "Hello"}).turns == (Turn(Role.USER, (Text("Hello"),)),)


def test_instructions_come_first_and_every_role_keeps_its_place() -> None:
    items = [{"role": role, "content": role} for role in ("developer", "user", "assistant", "system")]

    assert [(turn.role, turn.parts) for turn in read(*items, instructions="Be brief.").turns] == [
        (Role.SYSTEM, (Text("Be brief."),)),
        (Role.DEVELOPER, (Text("developer"),)),
        (Role.USER, (Text("user"),)),
        (Role.ASSISTANT, (Text("assistant"),)),
        (Role.SYSTEM, (Text("system"),)),
    ]


def test_content_is_read_part_by_part() -> None:
    content = [
        {"type": "input_text", "text": ""},
        {"type": "input_image", "image_url": "https://a.test/b.png", "detail": "high"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
        {"type": "input_file", "file_url": "https://a.test/b.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
    ]

    assert read({"role": "user", "content": content}).turns[0].parts == (
        Text(""),
        Image(url="https://a.test/b.png", detail="high"),
        Image(data="aGk=", media_type="image/png"),
        Image(file_id="file-1"),
        File(data="aGk=", media_type="application/pdf", name="a.pdf"),
        File(url="https://a.test/b.pdf"),
        File(file_id="file-2"),
        Audio("aGk=", "audio/mp3"),
    )


def test_what_the_assistant_did_is_one_turn_and_so_are_the_results() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "proof"}
    found = read(
        USER,
        reasoning,
        message(output_text("I look."), {"type": "refusal", "refusal": "Not that."}),
        function_call("a"),
        function_call("b", arguments=""),
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "free\ntext"},
        {"type": "function_call_output", "call_id": "a", "output": "sunny"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "rain"}]},
        {"type": "custom_tool_call_output", "call_id": "c", "output": []},
        USER,
    )

    assert found.turns[1:] == (
        Turn(
            Role.ASSISTANT,
            (
                Thinking("", "proof", HERE, "rs_1"),
                Text("I look."),
                Refusal("Not that."),
                ToolCall("a", "weather", '{"place":"Bern"}'),
                ToolCall("b", "weather", ""),
                ToolCall("c", "patch", "free\ntext", is_custom=True),
            ),
        ),
        Turn(
            Role.USER,
            (
                ToolResult("a", (Text("sunny"),)),
                ToolResult("b", (Text("rain"),)),
                ToolResult("c", (Text(""),), is_custom=True),
            ),
        ),
        Turn(Role.USER, (Text("Hello"),)),
    )
    assert found.lost == ()


def test_a_thought_has_its_text_and_the_format_that_signed_it() -> None:
    summary = [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]
    content = [{"type": "reasoning_text", "text": "all"}]
    marked = "gw1.anthropic_messages.sig"

    thoughts = [
        read({"type": "reasoning", "id": "r", **fields}).turns[0].parts[0]
        for fields in (
            {"summary": summary, "encrypted_content": marked},
            {"summary": summary, "content": content},
        )
    ]

    assert thoughts == [
        Thinking("one\n\ntwo", "sig", ApiFormat.ANTHROPIC_MESSAGES, "r"),
        Thinking("all", "", None, "r"),
    ]


@pytest.mark.parametrize(
    "kind",
    [
        *("web_search_call", "file_search_call", "computer_call", "code_interpreter_call", "image_generation_call"),
        *("local_shell_call", "shell_call", "apply_patch_call", "mcp_call", "tool_search_call", "program"),
    ],
)
def test_what_tools_of_the_provider_did_is_left_out_by_name(kind: str) -> None:
    found = read(USER, {"type": kind, "id": "x"})

    assert (len(found.turns), found.lost) == (1, (f"input.{kind}",))


@pytest.mark.parametrize("kind", ["item_reference", "compaction", "compaction_trigger"])
def test_what_only_its_provider_knows_is_refused(kind: str) -> None:
    assert refused(USER, {"type": kind, "id": "x"}) == "input[1]"


def test_a_reference_to_a_thought_is_left_out_by_name_as_a_thought_without_its_proof_would_be() -> None:
    found = read(USER, {"type": "item_reference", "id": "rs_1"})

    assert (len(found.turns), found.lost) == (1, ("input.item_reference",))


def test_an_item_without_a_type_is_a_message_or_a_reference() -> None:
    assert read({"role": "user", "content": "x"}).turns == (Turn(Role.USER, (Text("x"),)),)
    assert refused({"id": "msg_1"}) == "input[0]"


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([{"type": "thing"}], "input[0].type"),
        ([{"role": "tool", "content": "x"}], "input[0].role"),
        ([{"role": "user", "content": [{"type": "video"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "input_text", "text": 3}]}], "input[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "input[0].content[0].image_url"),
        ([{"type": "function_call", "name": "x", "arguments": ""}], "input[0].call_id"),
        ([{"type": "function_call", "call_id": "x", "name": "y", "arguments": {}}], "input[0].arguments"),
        ([{"type": "function_call_output", "call_id": "x"}], "input[0].output"),
        (["x"], "input[0]"),
    ],
)
def test_an_item_that_is_wrong_is_named_by_its_place(items: list[Any], param: str) -> None:
    assert refused(*items) == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice"),
        ({"tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice"),
        ({"tool_choice": "required", "tools": [{"type": "web_search"}]}, "tool_choice"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "mcp"}]}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ],
)
def test_what_would_change_the_meaning_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(NotTranslatable) as refusal:
        read(**body)
    assert refusal.value.param == param


def test_a_conversation_is_compacted_by_a_backend_of_this_format_only() -> None:
    with pytest.raises(NotTranslatable):
        read_prompt(request(action="compact"))
    assert read_prompt(request(action="input_tokens")).turns


def test_tools_are_read_and_those_of_the_provider_named() -> None:
    given = [
        WEATHER,
        {"type": "custom", "name": "patch", "description": "d", "format": {"type": "text"}},
        {"type": "web_search", "search_context_size": "low"},
        {"type": "function", "name": "later", "parameters": None, "defer_loading": True},
    ]
    found = read(tools=given)

    assert found.tools[0].is_strict is False
    assert found.tools[1:] == (
        Tool("patch", "d", is_custom=True, grammar=msgspec.Raw(b'{"type": "text"}')),
        Tool("later"),
    )
    assert json.loads(bytes(found.tools[0].schema or b"")) == WEATHER["parameters"]
    assert found.lost == ("tools.defer_loading", "tools.web_search")


def test_a_grammar_is_written_as_chat_completions_have_it() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}
    tool = read(tools=[{"type": "custom", "name": "patch", "format": grammar}]).tools[0]

    assert json.loads(bytes(tool.grammar or b"")) == {
        "type": "grammar",
        "grammar": {"syntax": "lark", "definition": "start: /a/"},
    }


def test_tools_in_a_group_have_its_name_before_their_own() -> None:
    group = {"type": "namespace", "name": "files", "description": "d", "tools": [{"type": "function", "name": "read"}]}
    found = read(
        function_call(name="read", namespace="files"),
        tools=[group],
        tool_choice={"type": "function", "name": "read"},
    )

    assert [tool.name for tool in found.tools] == ["files_-_read"]
    assert found.turns[0].parts[0] == ToolCall("call_1", "files_-_read", '{"place":"Bern"}')
    assert found.tool_choice == ToolChoice(ChoiceMode.NAMED, "files_-_read")
    assert found.lost == ("tools.namespace.description",)


def test_tools_that_come_with_the_conversation_are_tools() -> None:
    found = read(USER, {"type": "additional_tools", "role": "developer", "tools": [WEATHER]})

    assert [tool.name for tool in found.tools] == ["weather"]
    assert len(found.turns) == 1


@pytest.mark.parametrize(
    ("sent", "choice"),
    [
        (None, None),
        ("auto", ToolChoice(ChoiceMode.AUTO)),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ("required", ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "function", "name": "weather"}, ToolChoice(ChoiceMode.NAMED, "weather")),
        ({"type": "custom", "name": "patch"}, ToolChoice(ChoiceMode.NAMED, "patch")),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]},
            ToolChoice(ChoiceMode.REQUIRED, allowed=("weather",)),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, ToolChoice(ChoiceMode.NONE)),
    ],
)
def test_choices_of_tools(sent: Any, choice: ToolChoice | None) -> None:
    assert read(tools=[WEATHER], tool_choice=sent).tool_choice == choice


def test_settings_are_read() -> None:
    found = read(
        stream=True,
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        top_logprobs=3,
        parallel_tool_calls=False,
        reasoning={"effort": "high", "summary": "auto"},
        text={"verbosity": "low", "format": {"type": "json_object"}},
        metadata={"a": "b"},
        user="u",
        prompt_cache_key="k",
        service_tier="flex",
        prompt_cache_retention="24h",
        store=False,
        truncation="disabled",
        include=["reasoning.encrypted_content"],
        stream_options={"include_obfuscation": False},
    )

    assert (found.is_stream, found.max_tokens, found.temperature, found.top_p) == (True, 50, 0.5, 0.9)
    assert (found.top_logprobs, found.parallel_tool_calls, found.verbosity) == (3, False, "low")
    assert found.reasoning == Reasoning(effort="high", is_shown=True, summary="auto")
    assert found.shape == Shape(ShapeKind.JSON_OBJECT)
    assert (found.user, found.cache_key, found.service_tier) == ("u", "k", "flex")
    assert bytes(found.metadata or b"") == b'{"a": "b"}'
    assert bytes(found.extras["prompt_cache_retention"]) == b'"24h"'
    assert found.lost == ()


def test_a_schema_is_kept_as_its_text() -> None:
    body = (
        b'{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n","strict":true,'
        b'"schema":{"maximum":123456789012345678901234567890,"b":1.50,"a":-0.0}}}}'
    )
    shape = read_prompt(read_request(Asked(body))).shape

    assert shape is not None and shape.is_strict
    assert bytes(shape.schema or b"") == b'{"maximum":123456789012345678901234567890,"b":1.50,"a":-0.0}'


def test_logprobs_are_asked_for_by_including_them() -> None:
    assert read(include=["message.output_text.logprobs"]).top_logprobs == 0


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"store": True}, "store"),
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"reasoning": {"effort": "low", "context": "auto"}}, "reasoning.context"),
        ({"something_new": 1}, "something_new"),
    ],
)
def test_what_has_no_place_is_named(body: dict[str, Any], name: str) -> None:
    assert read(**body).lost == (name,)


def test_further_members_of_content_are_named() -> None:
    content = [{"type": "output_text", "text": "x", "annotations": [{"type": "url_citation"}]}]

    assert read({"role": "assistant", "content": content, "phase": "commentary"}).lost == (
        "input.annotations",
        "input.phase",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda of: st.lists(of, max_size=3) | st.dictionaries(st.sampled_from(["type", "role", "content", "name"]), of),
    max_leaves=8,
)


@given(
    st.sampled_from(["input", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "store", "user"]),
    JSON,
)
@settings(max_examples=100)
def test_nothing_but_a_refusal_comes_of_values_of_any_type(name: str, value: Any) -> None:
    body = json.dumps({"model": "m", "input": "x", name: value}).encode()
    try:
        read_prompt(read_request(Asked(body)))
    except BadInput as refusal:
        assert refusal.message


def test_half_a_character_is_refused() -> None:
    body = b'{"model":"m","input":"\\ud800"}'

    with pytest.raises(BadInput):
        read_prompt(read_request(Asked(body)))


def test_what_codex_asks_is_carried_whole() -> None:
    """The shape of its requests: all but the provider's own search has a place."""
    call = {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "call_1"}
    found = read(
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandboxed."}]},
        USER,
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "proof"},
        call,
        {"type": "function_call_output", "call_id": "call_1", "output": '{"output":"a.txt"}'},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "apply_patch", "input": "*** Begin Patch"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Done"},
        instructions="You are Codex.",
        tools=[
            {"type": "function", "name": "shell", "description": "", "strict": False, "parameters": {"type": "object"}},
            {
                "type": "custom",
                "name": "apply_patch",
                "description": "d",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
            },
            {"type": "web_search", "external_web_access": False},
        ],
        tool_choice="auto",
        parallel_tool_calls=True,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="0199",
        text={"verbosity": "low"},
    )

    assert [turn.role for turn in found.turns] == [
        *(Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT, Role.USER),
    ]
    assert found.turns[3].parts == (
        Thinking("", "proof", HERE),
        ToolCall("call_1", "shell", '{"command":["ls"]}'),
    )
    assert [tool.is_custom for tool in found.tools] == [False, True]
    assert found.lost == ("tools.web_search",)


@pytest.mark.parametrize("number", ["1e999", "123456789012345678901234567890", "-1", '"5"', "true", "1.5"])
def test_a_limit_that_is_no_number_of_tokens_is_refused(number: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_request(Asked(b'{"model":"m","input":"x","max_output_tokens":%b}' % number.encode()))
    assert refusal.value.param == "max_output_tokens"
