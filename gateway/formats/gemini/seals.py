"""Signatures of thoughts in Gemini's `thoughtSignature`, which must be base64.

That of another format is marked and put into base64; Google's own stands as it came. Google takes both alphabets of
base64, and its SDKs send that for URLs, whatever they were given.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from gateway.formats.signatures import marked, unmarked
from gateway.model.registry import ApiFormat

GEMINI = ApiFormat.GEMINI_GENERATE
UNSIGNED = "skip_thought_signature_validator"
"""What Google documents for calls that no Gemini model made: newer models refuse those without a signature."""


def sealed(signature: str, origin: ApiFormat | None) -> str:
    """The signature as it stands in an answer."""
    if origin in (None, GEMINI):
        return signature
    return b64encode(marked(signature, origin, GEMINI).encode()).decode()


def unsealed(found: str) -> tuple[str, ApiFormat]:
    """The signature that a client sent, and the format that it belongs to."""
    try:
        signature, origin = unmarked(b64decode(standard_base64(found), validate=True).decode(), GEMINI)
    except (binascii.Error, ValueError):
        return found, GEMINI
    return (found, GEMINI) if origin == GEMINI else (signature, origin)


def standard_base64(encoded: str) -> str:
    """In the one alphabet that everybody else takes."""
    return encoded.replace("-", "+").replace("_", "/")
