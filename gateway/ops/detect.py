"""What is on this machine already: provider keys in the environment, model servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import msgspec

from gateway.control.first_start import Detected
from gateway.control.presets import OFFERED, Preset
from gateway.settings import Settings

PROBE_SECONDS = 0.3
_LONGEST_ANSWER = 1024 * 1024
_MOST_MODELS = 200


async def detect(settings: Settings) -> list[Detected]:
    """Keys under their usual names first, then local servers; takes at most PROBE_SECONDS. Keys are not read."""
    keyed = [found for preset in OFFERED if (found := _by_key(preset, settings))]
    probes = [_probe(preset, port) for preset in OFFERED for port in preset.ports if port != settings.port]
    return keyed + [found for found in await asyncio.gather(*probes) if found]


def _by_key(preset: Preset, settings: Settings) -> Detected | None:
    """The provider whose key is in the environment, unless its base URL there leads back to this gateway."""
    env_name = next((name for name in preset.env_names if name in settings.secrets), None)
    if env_name is None:
        return None
    given = next((settings.base_urls[name] for name in preset.base_url_env_names if name in settings.base_urls), None)
    base_url = (given or preset.base_url).rstrip("/")
    if not base_url:
        return None  # only the operator knows where it is
    place = urlsplit(base_url)
    if place.hostname in ("localhost", "127.0.0.1", "::1") and _port(base_url) == settings.port:
        return None
    return Detected(preset.code, preset.code, preset.label, base_url, env_name, ())


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


async def _probe(preset: Preset, port: int) -> Detected | None:
    """Whoever answers GET /v1/models on this port of loopback."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE_SECONDS):
            models = _models(await _get(port, "/v1/models"))
        if models is not None:
            name = preset.code if port == preset.ports[0] else f"{preset.code}-{port}"
            return Detected(preset.code, name, preset.label, f"http://127.0.0.1:{port}/v1", None, models)
    return None


async def _get(port: int, path: str) -> bytes:
    """The whole answer to a request in HTTP/1.0, which knows no chunks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n\r\n".encode())
        answer = b""
        while len(answer) < _LONGEST_ANSWER and (more := await reader.read(65536)):
            answer += more
        return answer
    finally:
        writer.transport.abort()


def _models(answer: bytes) -> tuple[str, ...] | None:
    """Model names of a list in OpenAI's shape; None for any other answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] != [b"200"]:
        return None
    with contextlib.suppress(msgspec.MsgspecError, RecursionError):
        listed = msgspec.json.decode(body, type=_Models)
        return tuple(model.id for model in listed.data or () if model.id)[:_MOST_MODELS]
    return None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] | None
