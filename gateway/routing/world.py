"""What decisions look at besides configuration: the call's wishes, the state, the clock. Chance is a value here."""

from __future__ import annotations

from collections.abc import Container
from random import Random

import msgspec

from gateway.model.calls import Skip
from gateway.model.people import ApiKey
from gateway.model.registry import TRANSLATABLE, ApiFormat
from gateway.routing.affinity import Conversation, conversation_of
from gateway.routing.snapshot import Backend
from gateway.routing.state import RuntimeState


class Ask(msgspec.Struct, frozen=True):
    """What a call wants of a backend.

    `model` is the public name that serves, `tokens` the estimate that is taken from buckets of tokens per minute,
    `wanted` the capabilities asked for, `session` what holds a conversation together (empty for none). `seed` and
    `turn` (of the pools that take turns) make the plan: the same snapshot, state, ask and moment give the same order.
    `most_input` and `most_output` are the most tokens that it can come to; where `is_metered`, a limit of money holds
    and nothing without a price can serve it. Where it `stays`, only endpoints of its own format can serve it.
    """

    api_key: ApiKey
    api_format: ApiFormat
    model: str
    tokens: int = 0
    wanted: frozenset[str] = frozenset()
    session: str = ""
    seed: int = 0
    turn: int = 0
    most_input: int = 0
    most_output: int = 0
    is_metered: bool = False
    stays: bool = False

    def can_say(self, api_format: ApiFormat) -> bool:
        """Whether endpoints of a format can serve it, as they are or through translation."""
        if api_format is self.api_format:
            return True
        return not self.stays and api_format in TRANSLATABLE and self.api_format in TRANSLATABLE

    @property
    def caller(self) -> str:
        """What keeps to one place among equals: the conversation, else the API key."""
        return self.session or self.api_key.id

    @property
    def conversation(self) -> Conversation:
        return conversation_of(self.api_key.id, self.api_format, self.model, self.session)


class World(msgspec.Struct, frozen=True):
    """What a decision may look at besides configuration. `now` is monotonic seconds, `wall_ms` Unix milliseconds.

    `rng` varies rests; the order of a plan comes from the ask's seed.
    """

    state: RuntimeState
    now: float
    rng: Random
    env_names: Container[str]
    wall_ms: int


def skip(backend: Backend, reason: str, sentence: str, seconds: float | None = None) -> Skip:
    """Why `backend` is passed over; `seconds` until that ends, where it ends by itself."""
    api_format = backend.endpoint.api_format.text
    return Skip(backend.id, backend.name, backend.pool.name, reason, sentence, seconds, api_format)
