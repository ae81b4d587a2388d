"""What a provider offers, and taking it in or out."""

from __future__ import annotations

import pytest

from gateway.control import backends, mappings, models, upstream_models
from gateway.control.upstream_models import UpstreamModel
from gateway.errors import Conflict, InvalidFields, NotFound, UpstreamFailed
from gateway.model.registry import ModelStatus
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio

WHOLE = {"name": "acme", "base_url": "https://a.example/v1", "models": {"m": "model-a", "gone": "model-z"}}


@pytest.fixture
async def acme(office: Office) -> str:
    """A provider that names model-a and model-b and serves model-a and one that it does not name."""
    return (await backends.create(office.desk, ANN, WHOLE)).provider.id


async def test_what_is_offered_says_what_of_it_is_served(office: Office, acme: str) -> None:
    found = await upstream_models.listed(office.desk, acme)

    assert (found.provider, found.backend) == ("acme", "acme/main")
    assert found.models == (
        UpstreamModel("model-a", ("m",), True, True),
        UpstreamModel("model-b", (), True, None),
        UpstreamModel("model-z", ("gone",), False, True),
    )


async def test_looking_changes_nothing_and_refreshing_writes_down_what_is_there(office: Office, acme: str) -> None:
    version = office.desk.snapshot().version
    await upstream_models.listed(office.desk, acme)
    assert office.desk.snapshot().version == version

    found = await upstream_models.refresh(office.desk, ANN, acme)

    assert [model.is_available for model in found.models] == [True, None, False]
    assert {row.upstream_name: row.is_available for row in await mappings.listing(office.desk)} == {
        "model-a": True,
        "model-z": False,
    }
    after = office.desk.snapshot().version
    await upstream_models.refresh(office.desk, ANN, acme)
    assert office.desk.snapshot().version == after == version + 1


async def test_a_name_that_is_listed_again_is_available_again(office: Office, acme: str) -> None:
    for row in await mappings.listing(office.desk):
        await mappings.update(office.desk, ANN, row.id, {"is_available": False, "aliases": [{"name": "model-b"}]})

    await upstream_models.refresh(office.desk, ANN, acme)

    assert all(row.is_available for row in await mappings.listing(office.desk))


async def test_a_provider_that_lists_nothing_takes_nothing_away(office: Office, acme: str) -> None:
    office.asker.names = []

    await upstream_models.refresh(office.desk, ANN, acme)

    assert all(row.is_available for row in await mappings.listing(office.desk))


async def test_the_next_backend_is_asked_where_one_does_not_answer(office: Office, acme: str) -> None:
    await backends.create(office.desk, ANN, {**WHOLE, "label": "second"})
    office.asker.failing.add("acme/main")

    found = await upstream_models.listed(office.desk, acme)

    assert found.backend == "acme/second"
    office.asker.fails = True
    with pytest.raises(UpstreamFailed):
        await upstream_models.listed(office.desk, acme)


async def test_a_provider_without_an_enabled_backend_cannot_be_asked(office: Office, acme: str) -> None:
    await backends.set_enabled(office.desk, ANN, next(iter(office.desk.snapshot().backends)), enabled=False)

    with pytest.raises(Conflict, match="no enabled backend"):
        await upstream_models.listed(office.desk, acme)
    with pytest.raises(NotFound):
        await upstream_models.listed(office.desk, "nowhere")


async def test_attaching_makes_models_that_are_missing_and_keeps_the_others(office: Office, acme: str) -> None:
    draft = await models.create(office.desk, ANN, {"code": "model-b"})

    found = await upstream_models.attach(office.desk, ANN, acme, {"models": ["model-b", "Model-C"]})

    assert [(model.code, model.status) for model in found.models] == [
        ("model-b", ModelStatus.DRAFT),
        ("model-c", ModelStatus.ENABLED),
    ]
    assert [row.upstream_name for row in found.mappings] == ["model-b", "Model-C"]
    assert found.notes == (f"Model {draft.code} is DRAFT and serves only once it is ENABLED.",)


async def test_attaching_under_another_name(office: Office, acme: str) -> None:
    found = await upstream_models.attach(office.desk, ANN, acme, {"models": "fast = Model-C"}, text=True)
    assert (found.models[0].code, found.mappings[0].upstream_name) == ("fast", "Model-C")


async def test_one_bad_name_attaches_nothing(office: Office, acme: str) -> None:
    await models.create(office.desk, ANN, {"code": "x", "aliases": ["taken"]})
    for bad in ("no spaces", "taken"):
        with pytest.raises(InvalidFields) as refused:
            await upstream_models.attach(office.desk, ANN, acme, {"models": ["fine", bad]})
        assert list(refused.value.fields) == ["models"]
    assert len(await mappings.listing(office.desk)) == 2


async def test_detaching_takes_the_way_and_leaves_the_model(office: Office, acme: str) -> None:
    assert await upstream_models.detach(office.desk, ANN, acme, {"models": ["m", "model-z"]}) == ("gone", "m")
    assert await mappings.listing(office.desk) == ()
    assert len(await models.listing(office.desk)) == 2


async def test_detaching_what_is_not_served_detaches_nothing(office: Office, acme: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await upstream_models.detach(office.desk, ANN, acme, {"models": ["m", "other"]})
    assert refused.value.fields == {"models": "names what acme does not serve: other"}
    assert len(await mappings.listing(office.desk)) == 2
