"""What configuration alone says of a call: worked out once for all calls of a caller that ask for the same.

What a moment can change is not in here: rests, buckets, money spent, a key that expires.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from gateway.errors import BadInput
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.routing.budgets import Caller, caller_of
from gateway.routing.candidates import Sifted, sift
from gateway.routing.owners import of_caller
from gateway.routing.permissions import require_format
from gateway.routing.purposes import Purpose
from gateway.routing.requirements import wanted
from gateway.routing.resolve import Target, resolve
from gateway.routing.snapshot import Snapshot
from gateway.routing.world import Ask, World

_MOST_KEPT = 16_384
"""A client may make up any number of names of models. About a kilobyte each."""
_MOST_FITTINGS = 64


class Question(msgspec.Struct, frozen=True):
    """What of a call's question an outlook depends on, besides who asks."""

    api_format: ApiFormat
    model: str
    action: str = ""
    purpose: Purpose = Purpose()


class Fitting(msgspec.Struct, frozen=True):
    """What is `wanted` of a backend, and what configuration leaves of the target's lanes."""

    wanted: frozenset[str]
    lanes: Sifted


class Outlook(msgspec.Struct, frozen=True):
    """Who calls, and where its calls may go. Those that must `stay` are served in their own format alone."""

    caller: Caller
    target: Target
    api_format: ApiFormat
    stays: bool
    _fittings: dict[tuple[str, frozenset[str]], Fitting] = msgspec.field(default_factory=dict)

    @property
    def has_choice(self) -> bool:
        """Whether it matters which calls belong together: with one backend all of them do."""
        return len(self.target.lanes) > 1

    def fitting(self, required: str, capabilities: frozenset[str], world: World) -> Fitting:
        """For calls whose header asks for `required` and whose body shows `capabilities`. Raises BadInput."""
        found = self._fittings.get((required, capabilities))
        if found is None:
            if len(self._fittings) >= _MOST_FITTINGS:
                self._fittings.clear()
            found = self._fittings[required, capabilities] = self._new_fitting(required, capabilities, world)
        return found

    def _new_fitting(self, required: str, capabilities: frozenset[str], world: World) -> Fitting:
        caller, target = self.caller, self.target
        forced = of_caller(caller.api_key, caller.owner, target.model)
        ask = Ask(
            api_key=caller.api_key,
            api_format=self.api_format,
            model=target.model,
            wanted=wanted(forced, required, capabilities, target.lanes),
            is_metered=bool(caller.money),
            stays=self.stays,
        )
        return Fitting(ask.wanted, sift(target.lanes, ask, world))

    def pinned(self, backend_id: str) -> Outlook:
        """With the one backend that keeps what the call goes on from. Raises BadInput where it cannot serve."""
        lanes = tuple(lane for lane in self.target.lanes if lane.backend.id == backend_id)
        if not lanes:
            raise BadInput(
                "The response that this call goes on from is kept by a backend that does not serve "
                f"'{self.target.model}'.",
                param="previous_response_id",
                code="previous_response_elsewhere",
                retryable=False,
            )
        return Outlook(self.caller, replace(self.target, lanes=lanes), self.api_format, stays=True)


class Outlooks:
    """Those of the current snapshot; after a change of configuration they are made anew."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._of: Snapshot | None = None
        self._callers: dict[str, Caller] = {}
        self._known: dict[tuple[str, Question], Outlook] = {}

    def caller(self, api_key: ApiKey) -> Caller:
        """The key with its owner and what limits both."""
        snapshot = self._current()
        found = self._callers.get(api_key.id)
        if found is None or found.api_key is not api_key:
            found = self._callers[api_key.id] = caller_of(api_key, snapshot.users.get(api_key.user_id or ""))
        return found

    def of(self, api_key: ApiKey, question: Question) -> Outlook:
        """Raises Forbidden for a format that the key may not speak, ModelNotFound for a model that it may not use."""
        snapshot = self._current()
        found = self._known.get((api_key.id, question))
        if found is None or found.caller.api_key is not api_key:
            if len(self._known) >= _MOST_KEPT:
                del self._known[next(iter(self._known))]
            found = self._known[api_key.id, question] = self._new(snapshot, api_key, question)
        return found

    def _current(self) -> Snapshot:
        snapshot = self._snapshot()
        if snapshot is not self._of:
            self._of, self._callers, self._known = snapshot, {}, {}
        return snapshot

    def _new(self, snapshot: Snapshot, api_key: ApiKey, question: Question) -> Outlook:
        require_format(api_key, question.api_format)
        target = resolve(snapshot, api_key, question.model, question.purpose)
        return Outlook(self.caller(api_key), target, question.api_format, stays=bool(question.action))
