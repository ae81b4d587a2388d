"""`/api/admin/events`: the live event stream."""

from __future__ import annotations

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import tokens
from gateway.control.event_stream import MEDIA_TYPE, EventStream
from gateway.control.events import EVERY_TOPIC, Event, Topic
from gateway.control.fields import Field, Kind, read

_QUERY = (
    Field("topic", Kind.CHOICE, "Only events of this topic.", nullable=True, choices=tuple(Topic)),
    Field("after", Kind.TEXT, "Go on after the event with this id, as Last-Event-ID does.", nullable=True, most=40),
)


@policy("token")
async def _stream(visit: Visit) -> object:
    wanted = read(_QUERY, visit.query, partial=False, text=True)
    visit.desk.events.require_room()
    return EventStream(
        visit.desk.events,
        is_allowed=lambda: tokens.is_good(visit.desk, visit.actor.id),
        topics=frozenset({Topic(wanted["topic"])}) if wanted["topic"] else EVERY_TOPIC,
        after=wanted["after"],
    )


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PREFIX}/events",
        name="stream_events",
        summary="Changes as they happen, as server-sent events. `resync` means that some were missed.",
        handler=_stream,
        answer=Event,
        query=_QUERY,
        media_type=MEDIA_TYPE,
    ),
)
