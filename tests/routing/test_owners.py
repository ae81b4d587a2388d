"""What an API key's owner leaves of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.errors import RateLimited
from gateway.model.people import User
from gateway.routing import bounds, limits
from gateway.routing.owners import both, of_caller, with_owner
from gateway.routing.state import RuntimeState
from tests.routing.build import ANYONE, world

ANN = User("u", "ann", "", "user", True, "auto", 0, None)
KEY = replace(ANYONE, user_id="u")
names = st.one_of(st.none(), st.lists(st.sampled_from("abcd"), unique=True).map(tuple))


@given(one=names, other=names, name=st.sampled_from("abcde"))
def test_together_they_allow_what_each_allows(
    one: tuple[str, ...] | None, other: tuple[str, ...] | None, name: str
) -> None:
    def allows(names: tuple[str, ...] | None) -> bool:
        return names is None or name in names

    assert allows(both(one, other)) == (allows(one) and allows(other))


def test_a_key_without_an_owner_is_as_it_is() -> None:
    assert with_owner(ANYONE, None) is ANYONE


def test_a_key_whose_owner_is_gone_or_off_is_off() -> None:
    for owner in (None, replace(ANN, is_active=False), replace(ANN, deleted_at=1)):
        assert not with_owner(KEY, owner).is_active
    assert with_owner(KEY, ANN).is_active


def test_the_narrower_permission_holds() -> None:
    owner = replace(ANN, allowed_models=("m", "n"), allowed_providers=(), allowed_formats=("openai_chat",))
    found = with_owner(replace(KEY, allowed_models=("n", "o")), owner)
    assert (found.allowed_models, found.allowed_providers, found.allowed_formats) == (("n",), (), ("openai_chat",))


def test_capabilities_come_from_the_key_and_from_the_owners_settings_for_the_model() -> None:
    owner = replace(ANN, capabilities={"*": ("eu",), "m": ("cache_1h",), "n": ("context_1m",)})
    key = replace(KEY, capabilities=("tools",))
    assert of_caller(key, owner, "m") == {"tools", "eu", "cache_1h"}
    assert of_caller(key, owner, "o") == {"tools", "eu"}
    assert of_caller(key, None, "m") == {"tools"}


@pytest.mark.parametrize("limit", [{"rpm_limit": 2}, {"tpm_limit": 20}, {"max_concurrent": 2}])
def test_an_owners_limit_holds_for_all_keys_together_and_a_refusal_takes_nothing(limit: dict[str, int]) -> None:
    state, owner = RuntimeState(), replace(ANN, **limit)
    keys = [replace(KEY, id=f"k{number}", rpm_limit=50) for number in range(3)]
    for key in keys[:2]:
        limits.admit(bounds.of_caller(key, owner), 10, world(state=state))

    with pytest.raises(RateLimited, match="The limit of this API key's owner"):
        limits.admit(bounds.of_caller(keys[2], owner), 10, world(state=state))

    assert state.buckets["api_key:k2:rpm"].level == 50
    assert "api_key:k2" not in state.places
    limits.admit(bounds.of_caller(replace(keys[2], user_id=None), None), 10, world(state=state))


def test_tokens_of_key_and_owner_are_settled_together() -> None:
    state, owner = RuntimeState(), replace(ANN, tpm_limit=1000)
    grant = limits.admit(bounds.of_caller(replace(KEY, tpm_limit=100), owner), 30, world(state=state))
    limits.settle(grant, 50, state)
    limits.leave(grant, state)
    assert {name: bucket.level for name, bucket in state.buckets.items()} == {"api_key:k:tpm": 50, "user:u:tpm": 950}
    assert state.places == {}
