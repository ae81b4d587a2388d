"""LangChain's chat models of three companies, asked as the SDKs for node are. Prints one line of JSON for each case."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

STAGE = json.loads(sys.argv[1])
API_FORMAT = sys.argv[3]


@tool
def read_secret(path: str) -> str:
    """Reads a file and gives its text."""
    return Path(path).read_text("utf-8")


def openai_chat(model: str) -> BaseChatModel:
    return ChatOpenAI(
        model=model, base_url=f"{STAGE['origin']}/v1", api_key=STAGE["key"], max_retries=0, stream_usage=True
    )


def openai_responses(model: str) -> BaseChatModel:
    return ChatOpenAI(
        model=model,
        base_url=f"{STAGE['origin']}/v1",
        api_key=STAGE["key"],
        max_retries=0,
        use_responses_api=True,
    )


def anthropic(model: str) -> BaseChatModel:
    return ChatAnthropic(model=model, base_url=STAGE["origin"], api_key=STAGE["key"], max_retries=0)


def google(model: str) -> BaseChatModel:
    return ChatGoogleGenerativeAI(model=model, base_url=STAGE["origin"], google_api_key=STAGE["key"], max_retries=1)


Ask = Callable[[Any, Any], AIMessage]


def whole(model: Any, asked: Any) -> AIMessage:
    return model.invoke(asked)


def streamed(model: Any, asked: Any) -> AIMessage:
    found = None
    for chunk in model.stream(asked):
        found = chunk if found is None else found + chunk
    assert found is not None
    return found


def greeted(model: BaseChatModel, ask: Ask) -> None:
    answer = ask(model, "Say hello")
    usage = answer.usage_metadata
    assert usage is not None, "there is no usage"
    cached = usage.get("input_token_details", {}).get("cache_read")
    counted = {"input": usage["input_tokens"], "cached": cached, "output": usage["output_tokens"]}
    assert answer.text == STAGE["hello"], f"text is {answer.text!r}"
    assert counted == STAGE["usage"], f"usage is {counted}"


def two_turns(model: BaseChatModel, ask: Ask) -> None:
    able = model.bind_tools([read_secret])
    turns: list[Any] = [HumanMessage(STAGE["question"])]
    first = ask(able, turns)
    assert len(first.tool_calls) == len(STAGE["words"]), f"the tool calls are {first.tool_calls}"
    turns.append(first)
    turns += [ToolMessage(read_secret.invoke(call["args"]), tool_call_id=call["id"]) for call in first.tool_calls]
    second = ask(able, turns)
    assert all(word in second.text for word in STAGE["words"]), f"the answer is {second.text!r}"


CASES: dict[str, Callable[[BaseChatModel], None]] = {
    "whole": lambda model: greeted(model, whole),
    "stream": lambda model: greeted(model, streamed),
    "tool": lambda model: two_turns(model, whole),
    "tool streamed": lambda model: two_turns(model, streamed),
}
MODELS = {"chat": openai_chat, "responses": openai_responses, "messages": anthropic, "gemini": google}


def main() -> None:
    for upstream, model in STAGE["models"].items():
        for case, run in CASES.items():
            why = ""
            try:
                run(MODELS[API_FORMAT](model))
            except Exception as error:  # noqa: BLE001  reason: whatever it raises is what the line has to tell
                why = repr(error)[:400]
            print(json.dumps({"upstream": upstream, "case": case, "why": why}), flush=True)


if __name__ == "__main__":
    main()
