from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats.chat import surface as chat
from gateway.formats.chat.surface import StreamTap
from gateway.formats.request import Asked
from gateway.model.calls import UsageSource

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1, max_size=12), json_values, max_size=6), st.text(min_size=1, max_size=20))
def test_every_field_but_the_model_reaches_the_provider_unharmed(extra: dict[str, Any], upstream: str) -> None:
    own = {"model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"}
    sent = {**{name: value for name, value in extra.items() if name not in own}, "model": "m", "messages": [extra]}

    request = chat.read_request(Asked(json.dumps(sent, ensure_ascii=False).encode("utf-8", "replace")))
    forwarded = json.loads(chat.upstream_body(request, upstream))

    assert forwarded["model"] == upstream
    again = json.loads(json.dumps(sent, ensure_ascii=False).encode("utf-8", "replace"))
    assert {**forwarded, "model": "m"} == again


@given(st.binary(max_size=300))
def test_no_input_raises_anything_but_a_bad_input(body: bytes) -> None:
    try:
        chat.read_request(Asked(body))
    except BadInput as error:
        assert error.message


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_stream_makes_the_tap_fail(events: list[bytes]) -> None:
    tap = StreamTap()
    for event in events:
        tap.read(b"data: " + event + b"\n\n")
    assert tap.characters >= 0


@given(json_values)
def test_no_answer_and_no_usage_makes_metering_fail(found: Any) -> None:
    chat.read_answer(json.dumps(found).encode("utf-8", "replace"))
    tap = StreamTap()
    tap.read(b"data: " + json.dumps({"choices": found, "usage": found}).encode("utf-8", "replace") + b"\n\n")
    usage = chat.read_usage(found)
    assert usage is None or min(usage.input, usage.output, usage.cache_read, usage.cache_creation) >= 0


@given(*[st.integers(0, 10**9)] * 4)
def test_cached_tokens_are_counted_once(prompt: int, cached: int, written: int, output: int) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    usage = chat.read_usage({"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": details})

    assert usage is not None
    assert usage.input + usage.cache_read + usage.cache_creation == prompt
    assert usage.source is UsageSource.REPORTED


def test_a_role_a_ping_and_an_empty_delta_are_no_output() -> None:
    tap = StreamTap()
    for event in (
        b": ping\n\n",
        b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
        b'data: {"choices":[{"delta":{}}]}\n\n',
        b'data: {"choices":[],"prompt_filter_results":[]}\n\n',
    ):
        tap.read(event)
    assert not tap.has_output


def test_usage_is_injected_beside_the_clients_own_stream_options() -> None:
    request = chat.read_request(
        Asked(b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_obfuscation":false}}')
    )
    asking = chat.asking_usage(request)

    assert asking is not None
    body = json.loads(chat.upstream_body(asking, "u"))

    assert body["stream_options"] == {"include_obfuscation": False, "include_usage": True}
