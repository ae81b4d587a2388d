from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.gemini.seals import GEMINI, UNSIGNED, sealed, unsealed
from gateway.model.registry import ApiFormat


@given(st.text(), st.sampled_from([ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.OPENAI_RESPONSES]))
def test_a_signature_of_another_format_comes_back_with_its_origin(signature: str, origin: ApiFormat) -> None:
    standing = sealed(signature, origin)

    b64decode(standing, validate=True)
    assert unsealed(standing) == (signature, origin)
    assert unsealed(standing.replace("+", "-").replace("/", "_")) == (signature, origin)


@pytest.mark.parametrize("signature", ["", "c2VhbA==", UNSIGNED, "no base64 at all", "é", "/+8="])
def test_googles_own_stands_as_it_came(signature: str) -> None:
    assert sealed(signature, GEMINI) == sealed(signature, None) == signature
    assert unsealed(signature) == (signature, GEMINI)
