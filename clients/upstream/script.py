"""What the scripted provider says, whatever the format.

Asked to read files, it thinks, then calls the client's tool once for each, and last quotes what the tool gave back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HELLO = "Grüße, 世界 🚀: one answer in four formats."
INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = 11, 4, 7
"""Of the input, which counts them, `CACHED_TOKENS` were read from a cache."""

THOUGHT = "First I look into the files; déjà vu."
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBzY3JpcHRlZCBwcm92aWRlcg=="
"""Goes with the thought, and should come back with it."""

_SECRET_FILES = re.compile(r"(/[\w./-]+/secret-\w+\.txt)")
_WRITE = re.compile(r"WRITE (\w+) INTO ([\w.]+)")
_READERS = (
    *("read_secret", "Read", "read", "read_file", "view"),
    *("exec_command", "shell_command", "shell", "local_shell", "Bash", "bash", "run_shell_command"),
)
"""Tools that can read a file, by the names that clients give them, the best first."""
_PATHS = ("path", "file_path", "filePath", "absolute_path", "filename")
_COMMANDS = ("cmd", "command")


@dataclass(frozen=True, slots=True)
class Tool:
    """`properties` are the JSON schemas of its arguments."""

    name: str
    properties: Mapping[str, Any]
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A request, read. `results` are what tools gave back in the whole conversation, `text` everything in it.

    `signatures` are those of thoughts that came back.
    """

    text: str
    tools: Sequence[Tool] = ()
    results: Sequence[str] = ()
    signatures: Sequence[str] = ()
    is_stream: bool = False
    wants_usage: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that is called; `number` counts from 1 in its turn."""

    number: int
    tool: Tool
    arguments: Mapping[str, Any]

    @property
    def arguments_text(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Said:
    """Text, or a thought and calls of tools."""

    text: str = ""
    thought: str = ""
    calls: Sequence[Call] = ()


def say(heard: Heard) -> Said:
    """The next turn."""
    if heard.results:
        return Said(f"The tool said: {' '.join(heard.results)}")
    paths = list(dict.fromkeys(_SECRET_FILES.findall(heard.text)))
    tool = _reader(heard.tools)
    if paths and tool is not None:
        calls = [Call(number, tool, _arguments(tool, path)) for number, path in enumerate(paths, 1)]
        return Said(thought=THOUGHT, calls=calls)
    wanted = _WRITE.search(heard.text)
    if wanted is not None:
        return Said(f"{wanted[2]}\n```\n{wanted[1]}\n```\n")
    return Said(HELLO)


def _reader(tools: Sequence[Tool]) -> Tool | None:
    by_name = {tool.name: tool for tool in reversed(tools)}
    return next((by_name[name] for name in _READERS if name in by_name), None)


def _arguments(tool: Tool, path: str) -> Mapping[str, Any]:
    for name, schema in tool.properties.items():
        if name in _PATHS:
            return {name: path}
        if name in _COMMANDS:
            return {name: ["cat", path] if schema.get("type") == "array" else f"cat {path}", **_more(tool)}
    return {"path": path}


def _more(tool: Tool) -> Mapping[str, Any]:
    return {"description": "Read the file"} if "description" in tool.properties else {}


def properties_of(schema: object) -> Mapping[str, Any]:
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def all_text(body: object) -> str:
    return json.dumps(body, ensure_ascii=False).replace("\\/", "/")


def texts_in(content: object) -> str:
    """The text of a tool's result, whichever of the shapes it has."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in content)
    return json.dumps(content, ensure_ascii=False)


def pieces(text: str, count: int = 4) -> list[str]:
    """The text in about as many pieces; none where there is none."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]
