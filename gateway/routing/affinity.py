"""Which backend served a conversation last: its prompt cache there is warm for a while."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from gateway.routing.snapshot import Backend

Conversation = int
"""What `conversation_of` makes of API key, API format, model and session."""

MOST_KEPT = 50_000
_MINUTE = 60.0


def conversation_of(api_key_id: str, api_format: str, model: str, session: str) -> Conversation:
    """64 bits, other ones in the next process. Should a new conversation have those of one that is kept, as happens
    once in a hundred thousand years of a hundred calls a second, it begins with a backend that the other has warmed.
    """
    return hash((api_key_id, api_format, model, session))


class Warm(msgspec.Struct, frozen=True, gc=False):
    """Until then (monotonic seconds) the backend's cache is taken to be warm. `tier` is its pool's."""

    backend_id: str
    tier: int
    until: float


class Affinities(msgspec.Struct):
    """Those whose time is over are forgotten by and by, and of more than `most` those that were quiet longest."""

    most: int = MOST_KEPT
    kept: OrderedDict[Conversation, Warm] = msgspec.field(default_factory=OrderedDict)

    def of(self, conversation: Conversation, now: float) -> str | None:
        """The id of the backend that goes first, if its time is not over."""
        warm = self.kept.get(conversation)
        return warm.backend_id if warm is not None and warm.until > now else None

    def remember(self, conversation: Conversation, backend: Backend, now: float) -> None:
        """It served. Another one that is still warm keeps its place: this one stood in while that was busy."""
        warm = self.kept.get(conversation)
        is_held = warm is not None and warm.until > now and warm.tier <= backend.pool.tier
        if warm is not None and is_held and warm.backend_id != backend.id:
            return
        minutes = backend.key.cache_ttl_minutes
        if minutes == 0:
            self.kept.pop(conversation, None)
            return
        self.kept[conversation] = Warm(backend.id, backend.pool.tier, now + minutes * _MINUTE)
        self.kept.move_to_end(conversation)
        self._forget_oldest(now)

    def _forget_oldest(self, now: float) -> None:
        """Two at most for each that comes, so that none of them waits."""
        for _ in range(2):
            if len(self.kept) > self.most or next(iter(self.kept.values())).until <= now:
                self.kept.popitem(last=False)

    def forget(self, conversation: Conversation, backend_id: str) -> None:
        """This backend failed the conversation; another one's place is left as it is."""
        warm = self.kept.get(conversation)
        if warm is not None and warm.backend_id == backend_id:
            del self.kept[conversation]
