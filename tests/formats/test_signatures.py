"""Signatures of thoughts: to the provider that they came from, through whichever client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.signatures import marked, unmarked
from gateway.model.registry import TRANSLATABLE, ApiFormat


@given(signature=st.text(), origin=st.sampled_from(TRANSLATABLE), place=st.sampled_from(TRANSLATABLE))
def test_a_signature_comes_back_with_its_origin(signature: str, origin: ApiFormat, place: ApiFormat) -> None:
    if origin is place and signature.startswith("gw1."):
        return
    assert unmarked(marked(signature, origin, place), place) == (signature, origin)


def test_a_formats_own_signature_is_not_touched() -> None:
    assert marked("abc", ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.ANTHROPIC_MESSAGES) == "abc"
    assert marked("abc", None, ApiFormat.ANTHROPIC_MESSAGES) == "abc"


@pytest.mark.parametrize("found", ["gw1.", "gw1.unknown.abc", "gw1.openai_chat2.x", "EqQB"])
def test_what_has_no_mark_of_ours_belongs_to_the_format_it_was_sent_in(found: str) -> None:
    assert unmarked(found, ApiFormat.GEMINI_GENERATE) == (found, ApiFormat.GEMINI_GENERATE)
