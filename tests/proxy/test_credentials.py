from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.errors import BadInput, NotAuthenticated
from gateway.model.people import ApiKey
from gateway.proxy.credentials import authenticate, read_credential
from gateway.routing.snapshot import Registry, Snapshot, build_snapshot
from gateway.vault import Vault
from tests.routing.build import ANYONE

VAULT = Vault(bytes(32))
SECRET = "sk-gw-" + "a" * 43


def known(**changes: object) -> Snapshot:
    key: ApiKey = replace(ANYONE, key_hash=VAULT.hash_token(SECRET), **changes)  # type: ignore[arg-type]
    return build_snapshot(Registry(1, (), (), (), (), (), (), (key,)))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([(b"authorization", b"Bearer k")], "k"),
        ([(b"authorization", b"bearer   k ")], "k"),
        ([(b"authorization", b"Bearer   k  ")], "k"),
        ([(b"authorization", b" Bearer k l")], "k l"),
        ([(b"x-api-key", b"Bearer k")], "Bearer k"),
        ([(b"x-api-key", b"k")], "k"),
        ([(b"api-key", b"k")], "k"),
        ([(b"x-goog-api-key", b"k")], "k"),
        ([(b"x-api-key", b"k"), (b"authorization", b"Bearer k"), (b"api-key", b"k")], "k"),
        ([(b"authorization", b"Basic eA=="), (b"x-api-key", b"k")], "k"),
    ],
)
def test_a_key_is_found_wherever_a_client_puts_it(headers: list[tuple[bytes, bytes]], found: str) -> None:
    assert read_credential(headers) == found


@pytest.mark.parametrize(
    "headers", [[], [(b"authorization", b"Bearer ")], [(b"authorization", b"Basic x")], [(b"cookie", b"k")]]
)
def test_without_a_key_it_says_how_to_send_one(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(NotAuthenticated, match="Authorization: Bearer"):
        read_credential(headers)


@given(st.permutations([(b"authorization", b"Bearer a"), (b"x-api-key", b"b"), (b"api-key", b"a")]))
def test_two_different_keys_are_refused_in_any_order(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadInput):
        read_credential(headers)


def test_a_good_key_is_its_caller() -> None:
    assert authenticate(known(), VAULT, SECRET, 0).name == "anyone"
    assert authenticate(known(expires_at=1001), VAULT, SECRET, 1000).name == "anyone"


@pytest.mark.parametrize(
    ("changes", "credential"),
    [
        ({}, SECRET + "b"),
        ({}, SECRET[:-1]),
        ({}, SECRET.upper()),
        ({}, "x" * 600),
        ({}, "\udcff"),
        ({"is_active": False}, SECRET),
        ({"expires_at": 1000}, SECRET),
    ],
)
def test_every_other_key_gets_one_and_the_same_refusal(changes: dict[str, object], credential: str) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        authenticate(known(**changes), VAULT, credential, 1000)
    assert caught.value.message == "The API key is not valid here. Make one on the Keys page of this gateway."
