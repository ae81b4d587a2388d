from __future__ import annotations

import pytest

from gateway.formats.gemini.endings import finish_reason, is_failure, read_stop, read_usage, write_usage
from gateway.formats.intermediate import Stop
from gateway.model.calls import Usage


def test_an_end_with_calls_is_for_the_calls() -> None:
    assert read_stop("STOP", calls=True) == Stop.TOOL_CALLS
    assert read_stop("MAX_TOKENS", calls=True) == Stop.LENGTH
    assert read_stop(["STOP"], calls=False) == Stop.END


@pytest.mark.parametrize("stop", Stop)
def test_every_ending_has_a_word(stop: Stop) -> None:
    assert finish_reason(stop, refuses=False) in ("STOP", "MAX_TOKENS", "SAFETY")
    assert not is_failure(finish_reason(stop, refuses=True))


def test_what_caches_wrote_counts_as_input() -> None:
    written = write_usage(Usage(1, 2, cache_read=3, cache_creation=4, cache_creation_1h=5, reasoning=9))

    assert written["promptTokenCount"] == 13
    assert (written["thoughtsTokenCount"], written["candidatesTokenCount"]) == (2, 0)
    assert read_usage(written) is not None
