"""What Claude models of different ages take, told by their names.

Source: Anthropic's notes on the models 4.1, 4.5, 4.6 and 4.7. A name that is not Claude's belongs to another company's
model behind the same API; these keep to the older and wider form.
"""

from __future__ import annotations

import re

import msgspec

# claude-opus-4-7, claude-sonnet-4-20250514, claude-haiku-4.5; and claude-3-5-sonnet, claude-4.7-opus.
_NAMES = (
    re.compile(r"claude-(?:opus|sonnet|haiku|fable|mythos)-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)"),
    re.compile(r"claude-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)"),
)


class Traits(msgspec.Struct, frozen=True):
    """`thinks_by_effort`: thinking is adaptive and its amount a word; otherwise it is a number of tokens.

    `takes_sampling`: temperature, top_p and top_k may be set; `takes_both`: temperature and top_p at once.
    `most_effort`: it knows the words `xhigh` and `max`.
    """

    thinks_by_effort: bool
    takes_sampling: bool
    takes_both: bool
    most_effort: bool


_SINCE_4_7 = Traits(thinks_by_effort=True, takes_sampling=False, takes_both=False, most_effort=True)
_SINCE_4_6 = Traits(thinks_by_effort=True, takes_sampling=True, takes_both=False, most_effort=False)
_SINCE_4_1 = Traits(thinks_by_effort=False, takes_sampling=True, takes_both=False, most_effort=False)
_OLDER = Traits(thinks_by_effort=False, takes_sampling=True, takes_both=True, most_effort=False)
_AGES = (((4, 7), _SINCE_4_7), ((4, 6), _SINCE_4_6), ((4, 1), _SINCE_4_1))


def traits_of(model: str) -> Traits:
    """What the model with the provider's name `model` takes."""
    version = _version(model.lower())
    return next((traits for since, traits in _AGES if version >= since), _OLDER)


def _version(model: str) -> tuple[int, int]:
    if "claude-mythos-preview" in model:
        return 4, 7
    for pattern in _NAMES:
        if found := pattern.search(model):
            return int(found[1]), int(found[2] or 0)
    return 0, 0
