"""What an API key may reach stays what it was when that gets another name."""

from __future__ import annotations

import pytest

from gateway.control import api_keys, endpoints, models, provider_keys, providers
from gateway.control.desk import Desk
from tests.desks import ANN

pytestmark = pytest.mark.anyio


async def test_an_api_key_follows_a_providers_new_name(desk: Desk) -> None:
    provider = await providers.create(desk, ANN, {"name": "acme"})
    _, key = await api_keys.create(desk, ANN, {"name": "a", "allowed_providers": ["acme", "other"]})
    _, free = await api_keys.create(desk, ANN, {"name": "b"})
    _, none = await api_keys.create(desk, ANN, {"name": "c", "allowed_providers": []})

    await providers.update(desk, ANN, provider.id, {"name": "apex"})
    # Another provider under the old name is not what was meant.
    await providers.create(desk, ANN, {"name": "acme"})

    assert (await api_keys.get(desk, key.id)).allowed_providers == ("apex", "other")
    assert (await api_keys.get(desk, free.id)).allowed_providers is None
    assert (await api_keys.get(desk, none.id)).allowed_providers == ()


async def test_an_api_key_follows_a_models_new_code(desk: Desk) -> None:
    model = await models.create(desk, ANN, {"code": "m"})
    _, key = await api_keys.create(desk, ANN, {"name": "a", "allowed_models": ["m"]})

    await providers.create(desk, ANN, {"name": "acme"})
    await endpoints.create(desk, ANN, {"provider_id": "acme", "base_url": "https://a.example/v1"})
    narrow = await provider_keys.create(desk, ANN, {"provider_id": "acme", "allowed_models": ["m", "o"]})

    await models.update(desk, ANN, model.id, {"code": "n"})
    await models.update(desk, ANN, model.id, {"display_name": "N"})

    after = await api_keys.get(desk, key.id)
    assert (after.allowed_models, after.version) == (("n",), 2)
    assert (await provider_keys.get(desk, narrow.id)).allowed_models == ("n", "o")
