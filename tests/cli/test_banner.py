"""The first lines on the screen."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from msgspec.structs import replace

from gateway.cli import banner
from gateway.cli.banner import Banner
from gateway.control.first_start import Detected

OPENAI = Detected("openai", "openai", "OpenAI", "https://api.openai.com/v1", "OPENAI_API_KEY", ())
OLLAMA = Detected("ollama", "ollama", "Ollama", "http://127.0.0.1:11434/v1", None, ("a", "b"))
FIRST = Banner("http://127.0.0.1:8080", "sk-gw-x", "token", [OPENAI, OLLAMA], Path("/data/client.env"), ["a notice"])
LATER = Banner("http://127.0.0.1:8080", None, None, [], Path("/data dir/client.env"))


def test_the_first_start_in_full() -> None:
    assert banner.text(FIRST).splitlines() == [
        "",
        "  found   OPENAI_API_KEY (env) · Ollama http://127.0.0.1:11434 (2 models)",
        "  API     http://127.0.0.1:8080/v1   key sk-gw-x   (shown once; kept in /data/client.env)",
        "  Admin   http://127.0.0.1:8080/admin/setup/token   (one use, 15 min)",
        "  note    a notice",
        "  try     curl -sS http://127.0.0.1:8080/v1/chat/completions -H 'authorization: Bearer sk-gw-x' "
        "-H 'content-type: application/json' "
        '-d \'{"model":"demo/echo","messages":[{"role":"user","content":"Say hi"}]}\'',
    ]


def test_a_later_start_has_the_key_from_the_file_and_no_link() -> None:
    assert banner.text(LATER).splitlines()[1:3] == [
        "  API     http://127.0.0.1:8080/v1",
        "  Admin   http://127.0.0.1:8080/admin",
    ]
    assert banner.curl(LATER).startswith(". '/data dir/client.env' && curl ")
    assert "try" not in banner.text(replace(LATER, client_file=None))


def test_nothing_found_is_said_at_the_first_start_only() -> None:
    assert "the built-in demo answers" in banner.text(replace(FIRST, found=[]))
    assert "found" not in banner.text(LATER)


def test_one_model_is_one_model() -> None:
    assert "(1 model)" in banner.text(replace(FIRST, found=[replace(OLLAMA, models=("a",))]))


def test_the_command_is_words_for_a_shell_with_a_body_of_json() -> None:
    words = shlex.split(banner.curl(FIRST))

    assert words[0] == "curl"
    assert json.loads(words[words.index("-d") + 1])["model"] == "demo/echo"


def test_the_same_as_json_is_one_line() -> None:
    line = banner.json(FIRST)

    assert "\n" not in line
    assert json.loads(line) == {
        "event": "ready",
        "api": "http://127.0.0.1:8080/v1",
        "api_key": "sk-gw-x",
        "admin": "http://127.0.0.1:8080/admin/setup/token",
        "found": ["OPENAI_API_KEY (env)", "Ollama http://127.0.0.1:11434 (2 models)"],
        "try": banner.curl(FIRST),
        "notices": ["a notice"],
    }
