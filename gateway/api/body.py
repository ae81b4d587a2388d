"""A request's JSON body, bounded and read strictly: what was understood is all that was sent."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence

from starlette.requests import Request

from gateway.errors import BadInput, SlowRequest, TooLarge, UnsupportedMedia

LARGEST_BODY = 1024 * 1024
BODY_SECONDS = 30.0


async def read_object(request: Request) -> dict[str, object]:
    """Raises UnsupportedMedia, TooLarge, SlowRequest or BadInput."""
    _require_plain_json(request)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return parse_object(await _read(request))
    except TimeoutError:
        raise SlowRequest(f"The request body did not arrive within {BODY_SECONDS:.0f} s.") from None


def parse_object(body: bytes) -> dict[str, object]:
    """One JSON object in UTF-8, without NaN, Infinity, doubled keys or half characters. Raises BadInput."""
    try:
        found = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
        )
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise BadInput("The request body is nested too deeply.", code="invalid_json") from None
    except UnicodeError:
        raise BadInput("The request body is not valid UTF-8.", code="invalid_json") from None
    except ValueError as error:
        raise BadInput(f"The request body is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(found, dict):
        raise BadInput("The request body must be a JSON object.", code="invalid_json")
    return found


def _require_plain_json(request: Request) -> None:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        # A web page can send other types to localhost without asking; this one it cannot.
        raise UnsupportedMedia("Send the body as JSON, with the header 'content-type: application/json'.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without a content-encoding.")


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > LARGEST_BODY:
        raise _too_large()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge(f"The request body is larger than {LARGEST_BODY} bytes.")


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is there twice")
    return found


def _constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
