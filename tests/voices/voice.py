"""The four voices side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.model.registry import ApiFormat
from tests.provider import Provider, Scene, answer
from tests.provider import stream as streamed
from tests.voices import chat, gemini, messages, responses
from tests.voices.said import Question, Said


@dataclass(frozen=True, slots=True)
class Voice:
    """A provider of one API format. `upstream` is its name of the model, by which its API differs a little."""

    api_format: ApiFormat
    upstream: str
    whole: Callable[[Said], bytes]
    stream: Callable[[Said], list[bytes]]
    error: Callable[[str, int], bytes]
    error_event: Callable[[str], bytes]
    read: Callable[[bytes, str], Question]

    def says(self, said: Said) -> Scene:
        """Whole or as a stream, as the request wants it."""
        whole, stream = answer(self.whole(said)), streamed(self.stream(said))

        async def play(exchange: object) -> None:
            is_stream = self.read(exchange.heard.body, exchange.heard.path).is_stream  # type: ignore[attr-defined]
            await (stream if is_stream else whole)(exchange)  # type: ignore[arg-type]

        return play

    def heard(self, provider: Provider) -> Question:
        """The last request, read as this format has it."""
        last = provider.heard[-1]
        return self.read(last.body, last.path)


def _voice(api_format: ApiFormat, upstream: str, module: object) -> Voice:
    names = ("whole", "stream", "error", "error_event", "heard")
    return Voice(api_format, upstream, *(getattr(module, name) for name in names))


VOICES: Mapping[ApiFormat, Voice] = {
    voice.api_format: voice
    for voice in (
        _voice(ApiFormat.OPENAI_CHAT, "deep-1", chat),
        _voice(ApiFormat.OPENAI_RESPONSES, "gpt-5", responses),
        _voice(ApiFormat.ANTHROPIC_MESSAGES, "claude-sonnet-4-5", messages),
        _voice(ApiFormat.GEMINI_GENERATE, "gemini-2.5-flash", gemini),
    )
}
