from __future__ import annotations

from gateway.formats.gemini.seals import sealed
from gateway.formats.intermediate import Audio, File, Image, Role, Text, Thinking, ToolCall, ToolResult, Turn
from gateway.model.registry import ApiFormat
from tests.formats.gemini.asking import GEMINI, asked, parts_of


def test_the_systems_words_come_first_and_contents_keep_their_roles() -> None:
    prompt = asked(
        system_instruction={"parts": {"text": "be brief"}},
        contents=[{"parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}],
    )

    assert prompt.turns == (
        Turn(Role.SYSTEM, (Text("be brief"),)),
        Turn(Role.USER, (Text("a"),)),
        Turn(Role.ASSISTANT, (Text("b"),)),
    )


def test_one_object_stands_for_a_list_of_one() -> None:
    assert asked(contents={"parts": {"text": "a"}}).turns == (Turn(Role.USER, (Text("a"),)),)
    assert asked(systemInstruction="short").turns[0] == Turn(Role.SYSTEM, (Text("short"),))


def test_files_are_what_their_type_says() -> None:
    assert parts_of(
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inline_data": {"mime_type": "audio/wav", "data": "aGk="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png"}},
        {"fileData": {"fileUri": "https://x.test/a.pdf"}},
    ) == (
        Image(data="aGk=", media_type="image/png"),
        Audio("aGk=", "audio/wav"),
        File(data="aGk=", media_type="application/pdf"),
        Image(url="https://x.test/a.png", media_type="image/png"),
        File(url="https://x.test/a.pdf"),
    )


def test_thoughts_and_signatures_are_read_with_the_format_they_belong_to() -> None:
    foreign = sealed("S", ApiFormat.ANTHROPIC_MESSAGES)

    assert parts_of(
        {"text": "hm", "thought": True, "thoughtSignature": foreign},
        {"text": "so", "thoughtSignature": "c2VhbA=="},
        {"functionCall": {"id": "x", "name": "f"}, "thoughtSignature": "c2VhbA=="},
        {"text": "", "thoughtSignature": "c2VhbA=="},
        role="model",
    ) == (
        Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES),
        Thinking("", "c2VhbA==", GEMINI),
        Text("so"),
        Thinking("", "c2VhbA==", GEMINI),
        ToolCall("x", "f", ""),
        Thinking("", "c2VhbA==", GEMINI),
    )


def test_pieces_of_a_streamed_thought_are_one_again_under_their_proof() -> None:
    foreign = {"text": "", "thought": True, "thoughtSignature": sealed("S", ApiFormat.ANTHROPIC_MESSAGES)}
    pieces = [{"text": "h", "thought": True}, {"text": "m", "thought": True}]

    assert parts_of(*pieces, foreign, *pieces, {"text": "so"}, role="model") == (
        Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES),
        Thinking("hm", "", GEMINI),
        Text("so"),
    )


def test_base64_for_urls_becomes_what_others_take() -> None:
    blob = {"mimeType": "image/png", "data": "-_8="}
    assert parts_of({"inlineData": blob}) == (Image(data="+/8=", media_type="image/png"),)


def test_calls_without_ids_get_them_and_results_are_matched_by_name_and_order() -> None:
    def call(name: str) -> dict[str, object]:
        return {"functionCall": {"name": name, "args": {"a": 1}}}

    def result(name: str, text: str) -> dict[str, object]:
        return {"functionResponse": {"name": name, "response": {"output": text}}}

    prompt = asked(
        contents=[
            {"role": "model", "parts": [call("f"), call("g"), call("f")]},
            {"role": "user", "parts": [result("g", "1"), result("f", "2"), result("f", "3")]},
        ]
    )

    assert prompt.turns[0].parts == (
        ToolCall("call_0", "f", '{"a":1}'),
        ToolCall("call_1", "g", '{"a":1}'),
        ToolCall("call_2", "f", '{"a":1}'),
    )
    assert prompt.turns[1].parts == (
        ToolResult("call_1", (Text("1"),), name="g"),
        ToolResult("call_0", (Text("2"),), name="f"),
        ToolResult("call_2", (Text("3"),), name="f"),
    )


def test_results_may_be_errors_objects_and_pictures() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    parts = parts_of(
        {"functionResponse": {"id": "x", "name": "f", "response": {"error": "no"}}},
        {"functionResponse": {"id": "y", "name": "f", "response": {"a": 1, "b": 2}, "parts": [picture]}},
        {"functionResponse": {"id": "z", "name": "f"}},
    )

    assert parts == (
        ToolResult("x", (Text("no"),), is_error=True, name="f"),
        ToolResult("y", (Text('{"a":1,"b":2}'), Image(data="aGk=", media_type="image/png")), name="f"),
        ToolResult("z", (Text(""),), name="f"),
    )


def test_googles_own_parts_are_named_as_lost() -> None:
    parts = [{"executableCode": {"code": "x"}}, {"codeExecutionResult": {}}, {"text": "a", "videoMetadata": {"fps": 1}}]

    assert asked(contents=[{"parts": parts}]).lost == (
        "contents.parts.codeExecutionResult",
        "contents.parts.executableCode",
        "contents.parts.videoMetadata",
    )
