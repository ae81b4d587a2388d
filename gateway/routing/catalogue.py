"""Which listing of the catalogue is meant: by the provider's preset or name, and the model's names there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import takewhile
from types import MappingProxyType

from gateway.model.catalogue import Catalogue, Listing
from gateway.model.registry import ModelMapping, PriceTable, Provider

_BY_PRESET: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("openai", "anthropic", "openrouter", "groq", "deepseek", "mistral")},
        "gemini": "google",
        "xai": "x-ai",
    }
)
_NAMED_BY_PEOPLE = "custom"
_SPECIAL = frozenset("*?[! ")


def name_in_catalogue(provider: Provider) -> str:
    """What the catalogue calls it: by its preset, else by its name; empty for local servers and the demo."""
    if provider.preset == _NAMED_BY_PEOPLE:
        return provider.name.replace("_", "-")
    return _BY_PRESET.get(provider.preset, "")


class PriceBook:
    """A catalogue to look things up in. A name that is written out is found at once, patterns are tried in turn."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._origin = catalogue.origin
        self._listings = catalogue.listings
        self._plain: dict[str, dict[str, int]] = {}
        self._patterns: dict[str, list[tuple[int, str, str]]] = {}
        for provider, listings in catalogue.listings.items():
            plain = self._plain[provider] = {}
            patterns = self._patterns[provider] = []
            for place, listing in enumerate(listings):
                for name in listing.names:
                    if _SPECIAL.isdisjoint(name):
                        plain.setdefault(name, place)
                    else:
                        beginning = "".join(takewhile(lambda letter: letter not in _SPECIAL, name))
                        patterns.append((place, beginning, name))

    def price(self, provider: Provider, names: Iterable[str]) -> PriceTable | None:
        """The list price of the first of `names` that the provider lists; None is unpriced."""
        of = name_in_catalogue(provider)
        for name in names:
            for spelt in _spellings(of, name.lower()):
                found = self._find(of, spelt)
                if found is not None:
                    return PriceTable(found.price, found.tiers, self._origin)
        return None

    def _find(self, of: str, name: str) -> Listing | None:
        """The first listing that fits, as they are ordered in the catalogue."""
        best = self._plain.get(of, {}).get(name)
        for place, beginning, pattern in self._patterns.get(of, ()):
            if best is not None and place >= best:
                break
            if name.startswith(beginning) and fits(pattern, name):
                best = place
                break
        return None if best is None else self._listings[of][best]


def names_of(mapping: ModelMapping, code: str) -> tuple[str, ...]:
    """Under which names a provider may list a mapped model: its own for it first, then the public one."""
    return tuple(dict.fromkeys((mapping.upstream_name, *(alias.name for alias in mapping.aliases), code)))


def fits(pattern: str, name: str) -> bool:
    """Whether every word of the pattern fits, and none of those after an exclamation mark."""
    return all(
        not _word_fits(word[1:], name) if word.startswith("!") else _word_fits(word, name)
        for word in pattern.split(" ")
    )


def _word_fits(word: str, name: str) -> bool:
    """As a glob does. Most words are a text with a star at an end, for which looking is much faster."""
    text = word.strip("*")
    if not _SPECIAL.isdisjoint(text):
        return fnmatchcase(name, word)
    if word.startswith("*"):
        return text in name if word.endswith("*") else name.endswith(text)
    return name.startswith(text) if word.endswith("*") else name == text


def _spellings(of: str, name: str) -> tuple[str, ...]:
    """Some clients write a model with what it is a name of: `models/gemini-…`, `openai/gpt-…`."""
    return (name, *(name.removeprefix(prefix) for prefix in ("models/", f"{of}/") if name.startswith(prefix)))
