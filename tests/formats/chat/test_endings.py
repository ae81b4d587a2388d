from __future__ import annotations

import pytest

from gateway.formats.chat.endings import finish_reason, is_failure, matched_field, read_stop, write_usage
from gateway.formats.chat.surface import read_usage
from gateway.formats.intermediate import Stop
from gateway.model.calls import Usage, UsageSource


@pytest.mark.parametrize("stop", Stop)
def test_every_ending_has_one_of_openais_words(stop: Stop) -> None:
    for refuses in (True, False):
        assert finish_reason(stop, refuses=refuses) in ("stop", "length", "tool_calls", "content_filter")


def test_a_stop_sequence_is_told_as_vllm_does() -> None:
    assert read_stop("stop", "END", calls=False, refuses=False) == (Stop.STOP_SEQUENCE, "END")
    assert read_stop("stop", 128009, calls=False, refuses=False) == (Stop.END, "")
    assert matched_field("END") == {"stop_reason": "END"}
    assert matched_field("") == {}


def test_words_of_any_type_are_read() -> None:
    assert read_stop(["stop"], {}, calls=False, refuses=False) == (Stop.END, "")
    assert not is_failure(["error"])
    assert is_failure("error")


def test_usage_comes_back_as_it_was() -> None:
    usage = Usage(1, 2, cache_read=3, cache_creation=4, reasoning=1, source=UsageSource.REPORTED)

    assert read_usage(write_usage(usage)) == usage
