from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput, NotTranslatable
from gateway.formats import body as bodies
from gateway.formats.gemini.read_prompt import read_prompt
from gateway.formats.intermediate import ChoiceMode, Prompt, Reasoning, Shape, ShapeKind, Tool, ToolChoice
from gateway.formats.request import Request
from tests.formats.gemini.asking import GEMINI, HELLO, asked


def test_sampling_and_limits_are_read_in_either_spelling() -> None:
    camel = asked(generationConfig={"maxOutputTokens": 5, "topP": 0.5, "topK": 40.0, "stopSequences": ["a"]})
    snake = asked(generation_config={"max_output_tokens": 5, "top_p": 0.5, "top_k": 40, "stop_sequences": ["a"]})

    assert camel == snake
    assert (camel.max_tokens, camel.top_p, camel.top_k, camel.stop) == (5, 0.5, 40, ("a",))


@pytest.mark.parametrize(
    ("config", "reasoning"),
    [
        ({}, Reasoning()),
        ({"thinkingBudget": 0}, Reasoning(budget=0)),
        ({"thinkingBudget": -1, "includeThoughts": True}, Reasoning(is_shown=True)),
        ({"thinkingLevel": "LOW"}, Reasoning(effort="low")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Reasoning()),
    ],
)
def test_how_much_to_think_is_a_budget_or_a_level(config: dict[str, Any], reasoning: Reasoning) -> None:
    assert asked(generationConfig={"thinkingConfig": config}).reasoning == reasoning


def test_the_shape_of_the_answer_is_its_type_and_a_schema_of_either_kind() -> None:
    def shape(**config: Any) -> Shape | None:
        return asked(generationConfig=config).shape

    schema = msgspec.Raw(b'{"type":"object"}')
    whole = Shape(ShapeKind.JSON_SCHEMA, schema=schema)
    assert shape() is None
    assert shape(responseMimeType="text/plain") == Shape(ShapeKind.TEXT)
    assert shape(responseMimeType="application/json") == Shape(ShapeKind.JSON_OBJECT)
    assert shape(responseMimeType="application/json", responseSchema={"type": "OBJECT"}) == whole
    assert shape(response_mime_type="application/json", _responseJsonSchema={"type": "object"}) == whole


def test_functions_are_read_and_googles_own_tools_named_as_lost() -> None:
    prompt = asked(
        tools=[
            {"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "STRING"}}]},
            {"function_declarations": [{"name": "g", "parametersJsonSchema": {"type": "string"}}]},
            {"google_search": {}, "codeExecution": {}},
        ]
    )

    schema = msgspec.Raw(b'{"type":"string"}')
    assert prompt.tools == (Tool("f", "d", schema), Tool("g", schema=schema))
    assert prompt.lost == ("tools.codeExecution", "tools.googleSearch")


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice(ChoiceMode.AUTO)),
        ({"mode": "none"}, ToolChoice(ChoiceMode.NONE)),
        ({"mode": "ANY"}, ToolChoice(ChoiceMode.REQUIRED)),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice(ChoiceMode.NAMED, name="f")),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice(ChoiceMode.REQUIRED, allowed=("f", "g"))),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(ChoiceMode.AUTO, allowed=("f",))),
    ],
)
def test_the_choice_among_tools_is_read(config: dict[str, Any], choice: ToolChoice) -> None:
    assert asked(toolConfig={"functionCallingConfig": config}).tool_choice == choice


def test_what_has_no_place_is_named() -> None:
    prompt = asked(
        safetySettings=[{}],
        labels={"a": "b"},
        toolConfig={"retrievalConfig": {"x": 1}},
        generationConfig={"mediaResolution": "LOW", "speech_config": {"x": 1}},
    )

    assert prompt.lost == (
        "generationConfig.mediaResolution",
        "generationConfig.speechConfig",
        "labels",
        "safetySettings",
        "toolConfig.retrievalConfig",
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
        ({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}, "generationConfig.responseModalities"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
        ({"generationConfig": {"responseFormat": [{}]}}, "generationConfig.responseFormat"),
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"contents": [{"role": "critic", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "gs://a/b"}}]}]}, "contents[0].parts[0].fileData.fileUri"),
    ],
)
def test_what_no_other_format_can_honour_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(NotTranslatable) as caught:
        asked(**fields)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": [5]}, "contents[0]"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"inlineData": {"data": "x"}}]}]}, "contents[0].parts[0].inlineData.mimeType"),
        ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
            "contents[0].parts[0].functionResponse.name",
        ),
        ({"generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
        ({"generationConfig": {"topK": 1e300}}, "generationConfig.topK"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    ],
)
def test_a_fault_is_named_by_its_place(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadInput) as caught:
        asked(**fields)

    assert caught.value.param == param


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "parts",
                        "text",
                        "role",
                        "functionCall",
                        "functionResponse",
                        "name",
                        "args",
                        "response",
                        "inlineData",
                    ),
                    *(
                        "mimeType",
                        "functionDeclarations",
                        "parameters",
                        "type",
                        "properties",
                        "items",
                        "nullable",
                        "mode",
                    ),
                    *("functionCallingConfig", "thinkingConfig", "topK", "responseSchema", "inlineData"),
                ]
            ),
            inner | st.sampled_from(["user", "model", "f", "image/png", "AUTO"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(["contents", "tools", "toolConfig", "generationConfig"]), values))
def test_whatever_comes_is_read_or_refused(fields: dict[str, Any]) -> None:
    raws = {name: bodies.raw(value) for name, value in ({"contents": HELLO} | fields).items()}
    try:
        prompt = read_prompt(Request(GEMINI, "m", is_stream=False, fields=raws))
    except BadInput as error:
        assert error.param
    else:
        assert isinstance(prompt, Prompt)
