"""What the catalogue lists for a provider's model, and what it must not be taken for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.model.catalogue import Catalogue, Listing
from gateway.model.registry import Price, PriceOverride, PriceTable, UpstreamAlias
from gateway.routing.catalogue import PriceBook, fits, name_in_catalogue, names_of
from gateway.routing.resolve import Purpose, resolve
from gateway.routing.snapshot import Snapshot, build_snapshot
from tests.routing.build import ANYONE, key, mapping, model, provider, snapshot

DEAR, CHEAP = Price(10, 20, 1, 10, 0), Price(1, 2, 1, 1, 0)
BOOK = Catalogue(
    "2026-11-20",
    "0.2.3",
    listings={
        "openai": (
            Listing("gpt-5-mini", ("gpt-5-mini", "gpt-5-mini-*"), CHEAP),
            Listing("gpt-5", ("gpt-5*",), DEAR),
            Listing("late", ("gpt-5-late",), CHEAP),
        ),
        "acme": (Listing("ours", ("m",), CHEAP),),
    },
)
OPENAI = provider("mine", preset="openai")


def listed(name: str) -> PriceTable | None:
    return PriceBook(BOOK).price(OPENAI, (name,))


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("gpt-5", "gpt-5", True),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5*", "gpt-5-mini", True),
        ("*-mini", "gpt-5-mini", True),
        ("*5*", "gpt-5-mini", True),
        ("*6*", "gpt-5-mini", False),
        ("*", "anything", True),
        ("o[134]*", "o3-pro", True),
        ("o[134]*", "o2", False),
        ("g-[0-9][0-9]", "g-12", True),
        ("g-[0-9][0-9]", "g-1x", False),
        ("gemini* !*-tts !*-tts-*", "gemini-2", True),
        ("gemini* !*-tts !*-tts-*", "gemini-2-tts", False),
        ("gemini* !*-tts !*-tts-*", "gemini-tts-2", False),
        ("grok[[]fast]", "grok[fast]", True),
    ],
)
def test_a_pattern_is_a_glob_of_which_every_word_fits(pattern: str, name: str, expected: bool) -> None:
    assert fits(pattern, name) is expected


def test_the_first_listing_that_fits_counts_whether_written_out_or_a_pattern() -> None:
    assert listed("gpt-5-mini") == listed("gpt-5-mini-2026") == PriceTable(CHEAP, origin="catalogue 2026-11-20")
    assert listed("gpt-5-late") == listed("GPT-5") == PriceTable(DEAR, origin="catalogue 2026-11-20")


@pytest.mark.parametrize("name", ["openai/gpt-5-mini", "models/gpt-5-mini"])
def test_a_name_may_say_what_it_is_a_name_of(name: str) -> None:
    assert listed(name) == listed("gpt-5-mini")


def test_what_nobody_lists_is_unpriced() -> None:
    assert listed("gpt-4") is None
    assert PriceBook(Catalogue()).price(OPENAI, ("gpt-5",)) is None


@pytest.mark.parametrize(
    ("preset", "name", "expected"),
    [
        ("openai", "mine", "openai"),
        ("gemini", "mine", "google"),
        ("xai", "mine", "x-ai"),
        ("custom", "together", "together"),
        ("custom", "github_copilot", "github-copilot"),
        ("ollama", "openai", ""),
        ("demo", "openai", ""),
    ],
)
def test_a_provider_is_known_by_its_preset_or_by_the_name_that_people_gave_it(
    preset: str, name: str, expected: str
) -> None:
    assert name_in_catalogue(provider(name, preset=preset)) == expected


def test_the_providers_own_name_of_a_model_is_looked_for_first() -> None:
    mapped = mapping("a", "m", upstream_name="up", aliases=(UpstreamAlias("other", 0),))
    assert names_of(mapped, "public") == ("up", "other", "public")


def prices_at(found: Snapshot, model_id: str = "m") -> list[PriceTable | None]:
    return [lane.price for lane in found.lanes[model_id]]


def with_catalogue(found: Snapshot, **changes: object) -> Snapshot:
    return build_snapshot(replace(found.registry, catalogue=BOOK, **changes))  # type: ignore[arg-type]


def test_a_model_without_a_price_has_the_catalogues_where_the_provider_is_in_it() -> None:
    plain = snapshot(key("acme"), key("b"))
    assert prices_at(plain) == [None, None]
    assert prices_at(with_catalogue(plain)) == [PriceTable(CHEAP, origin="catalogue 2026-11-20"), None]


def test_what_the_operator_says_goes_before_the_catalogue() -> None:
    own = snapshot(key("acme"), models=(model("m", price=Price(0, 0, 0, 0, 0)),))
    assert prices_at(with_catalogue(own)) == [PriceTable(Price(0, 0, 0, 0, 0), origin="model v1")]

    mapped = (mapping("acme", "m", price=PriceOverride(input=7, output=8)),)
    assert prices_at(with_catalogue(snapshot(key("acme")), mappings=mapped)) == [
        PriceTable(Price(7, 8, 7, 7, 0), origin="mapping v1")
    ]


def test_a_providers_own_name_that_is_not_mapped_has_the_catalogues_price() -> None:
    found = with_catalogue(snapshot(key("acme"), models=()), mappings=())
    found = build_snapshot(replace(found.registry, providers=(replace(OPENAI, id="acme"),)))

    target = resolve(found, ANYONE, "mine/gpt-5", Purpose())

    assert [lane.price for lane in target.lanes] == [PriceTable(DEAR, origin="catalogue 2026-11-20")]
