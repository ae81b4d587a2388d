"""What translating a stream costs: CPU per chunk beside passing the same stream through, in turns of one run.

    python -m bench.translating

Each pair is one stream of text in the provider's format, read and written for a client of another. Passing through is
what a call of the provider's own format costs: the stream is split into events and metered. The goal is at most 4 times
that.
"""

from __future__ import annotations

import time
from itertools import product
from statistics import median

from gateway.formats import intermediate as form
from gateway.formats.intermediate import Event, Kind, Stop, Told
from gateway.formats.passage import SameStream, TranslatedStream, translation_of
from gateway.formats.side import StreamSide
from gateway.formats.sse import EventSplitter
from gateway.formats.table import FORMATS
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import TRANSLATABLE, ApiFormat

CHUNKS = 2000
ROUNDS = 9
TOLD = Told("req_bench", "m", Usage(10, 0, source=UsageSource.ESTIMATED), wants_usage=True, now=1_700_000_000)


def events() -> list[Event]:
    """A long answer, token by token, and then a call of a tool."""
    words: list[Event] = [form.Delta(0, f" word{number}") for number in range(CHUNKS * 3 // 4)]
    arguments: list[Event] = [form.Delta(1, f'"k{number}":{number},') for number in range(CHUNKS // 4)]
    return [
        form.Began("x1", "up", 1_700_000_000),
        form.PartBegan(0, Kind.TEXT),
        *words,
        form.PartEnded(0),
        form.PartBegan(1, Kind.TOOL_CALL, "call_1", "look"),
        *arguments,
        form.PartEnded(1),
        form.Measured(Usage(10, CHUNKS, source=UsageSource.REPORTED)),
        form.Stopped(Stop.TOOL_CALLS),
        form.Ended(),
    ]


def stream_of(api_format: ApiFormat) -> list[bytes]:
    """What a provider of a format sends, one read for each chunk."""
    writer = translation_of(FORMATS[api_format]).writer(TOLD)
    return [chunk for event in events() if (chunk := writer.write(event))]


def seconds(side: StreamSide, chunks: list[bytes]) -> float:
    """CPU seconds to pass the whole stream on."""
    splitter = EventSplitter()
    began = time.process_time()
    for chunk in chunks:
        for event in splitter.feed(chunk):
            side.pass_on(event)
    side.rest(splitter.rest())
    return time.process_time() - began


def passing(theirs: ApiFormat) -> StreamSide:
    return SameStream(FORMATS[theirs].new_tap, hides_usage=False)


def translating(theirs: ApiFormat, ours: ApiFormat) -> StreamSide:
    return TranslatedStream(translation_of(FORMATS[theirs]).reader(), translation_of(FORMATS[ours]).writer(TOLD))


def main() -> None:
    streams = {api_format: stream_of(api_format) for api_format in TRANSLATABLE}
    pairs = [(one, other) for one, other in product(TRANSLATABLE, repeat=2) if one is not other]
    passed: dict[ApiFormat, list[float]] = {api_format: [] for api_format in TRANSLATABLE}
    translated: dict[tuple[ApiFormat, ApiFormat], list[float]] = {pair: [] for pair in pairs}
    for _ in range(ROUNDS):
        for theirs, chunks in streams.items():
            passed[theirs].append(seconds(passing(theirs), chunks) / len(chunks))
        for theirs, ours in pairs:
            translated[theirs, ours].append(seconds(translating(theirs, ours), streams[theirs]) / len(streams[theirs]))
    print("\nTranslating a stream, µs of CPU per chunk (goal: at most 4 times passing it through)\n")
    print(f"{'provider':20} {'client':20} {'pass':>7} {'translate':>10} {'ratio':>7} {'spread':>12}")
    for theirs, ours in pairs:
        ratios = sorted(two / one for one, two in zip(passed[theirs], translated[theirs, ours], strict=True))
        one, two = median(passed[theirs]) * 1e6, median(translated[theirs, ours]) * 1e6
        spread = f"{ratios[0]:.2f}–{ratios[-1]:.2f}"
        print(f"{theirs:20} {ours:20} {one:7.2f} {two:10.2f} {median(ratios):7.2f} {spread:>12}")


if __name__ == "__main__":
    main()
