"""Where a base URL leads, and which addresses are whose."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.origin import address_of, is_metadata_address, is_public, origin_of, parse_base_url


@pytest.mark.parametrize(
    ("given_url", "text", "origin"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1", "https://api.openai.com:443"),
        ("HTTPS://API.OpenAI.com:443/v1/", "https://api.openai.com/v1", "https://api.openai.com:443"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", "http://[::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]", "http://[::1]:80"),
        ("https://a.example:8443/x/y//", "https://a.example:8443/x/y", "https://a.example:8443"),
    ],
)
def test_a_base_url_has_one_spelling_and_one_origin(given_url: str, text: str, origin: str) -> None:
    assert parse_base_url(given_url).text == text
    assert origin_of(given_url) == origin
    assert parse_base_url(text).text == text


def test_a_builtin_base_url_is_its_own_origin() -> None:
    assert origin_of("builtin:demo") == "builtin:demo"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://api.openai.com",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user@api.openai.com/v1",
        "https://user:pass@api.openai.com/v1",
        "https://a@127.0.0.1/",
        "https://api.openai.com/v1?x=1",
        "https://api.openai.com/v1?",
        "https://api.openai.com/v1#x",
        "http://x#@api.openai.com/",
        "https://api.openai.com:0/v1",
        "https://api.openai.com:99999/v1",
        "https://api.openai.com:port/v1",
        "https://api.openai.com\\@evil.example/",
        "https://api.openai.com/ v1",
        "https://api.openai.com/\nv1",
        "https://bücher.example/v1",
        "http://127.1/v1",
        "http://2130706433/v1",
        "http://0x7f000001/v1",
        "http://0177.0.0.1/v1",
        "http://a.0x1/v1",
        "http://[fe80::1%25eth0]/v1",
        "http://[::1/v1",
        "https://-a.example/v1",
        "https://a..example/v1",
        "builtin:other",
    ],
)
def test_what_is_not_a_plain_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_base_url(url)


@given(st.text(max_size=60))
def test_any_text_is_either_refused_or_has_a_stable_spelling(text: str) -> None:
    for url in (text, f"https://{text}", f"http://host.example:{text}"):
        try:
            parsed = parse_base_url(url)
        except ValueError:
            continue
        assert parse_base_url(parsed.text) == parsed
        assert parsed.origin.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("url", "needs"),
    [
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("http://api.openai.com/v1", True),
        ("https://localhost/v1", True),
        ("https://x.localhost/v1", True),
        ("https://llm.local/v1", True),
        ("https://llm.corp.internal/v1", True),
        ("https://127.0.0.1/v1", True),
        ("https://10.1.2.3/v1", True),
        ("https://192.168.0.5/v1", True),
        ("https://172.16.0.1/v1", True),
        ("https://[::1]/v1", True),
        ("https://[fe80::1]/v1", True),
        ("https://[fd12::1]/v1", True),
        ("https://[::ffff:127.0.0.1]/v1", True),
        ("https://0.0.0.0/v1", True),
    ],
)
def test_a_target_that_is_not_public_https_needs_the_switch(url: str, needs: bool) -> None:
    assert parse_base_url(url).needs_local_switch is needs


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/v1",
        "http://169.254.0.1/v1",
        "http://100.100.100.200/v1",
        "http://[fd00:ec2::254]/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[64:ff9b::a9fe:a9fe]/v1",
        "http://[2002:a9fe:a9fe::1]/v1",
        "http://metadata.google.internal/v1",
        "http://METADATA.google.internal/v1",
    ],
)
def test_metadata_addresses_are_recognised_in_every_spelling(url: str) -> None:
    assert parse_base_url(url).is_metadata


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::101:101", True),
        ("2002:7f00:1::", False),
        ("::", False),
    ],
)
def test_an_address_is_judged_by_what_it_wraps(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_a_name_is_not_an_address() -> None:
    assert address_of("api.openai.com") is None
    assert address_of("127.0.0.1") == ipaddress.ip_address("127.0.0.1")
    assert not is_metadata_address(ipaddress.ip_address("1.1.1.1"))
