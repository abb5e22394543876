"""Changes that the server cannot send because they are too large: by policy capture stops, or goes on without them.

A document of which a change is missing is not held any more. It is read again as of a later moment, by which the topics come to
tell it as it is.
"""

from __future__ import annotations

from connectors.mongo.change_event import Event
from connectors.mongo.client import filter_for
from connectors.mongo.extended_json import id_json
from connectors.mongo.images import OPS
from connectors.mongo.rows import DocumentRows
from connectors.mongo.server_errors import TOO_LARGE_HINT, EventTooLarge
from connectors.mongo.settings import MongoSettings
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.mongo.store import Changed, DocumentStore
from connectors.mongo.stream import Width
from connectors.source import Collection, DeadLetter
from streamtrain.envelope import Op

_REASON = "the server cannot send the change, which is larger than 16 MB"


class UnsentChanges:
    """Follows documents of which changes are missing."""

    def __init__(self, settings: MongoSettings, store: DocumentStore, rows: DocumentRows) -> None:
        self._settings = settings
        self._store = store
        self._rows = rows

    def lacks(self, event: Event, width: Width) -> bool:
        """Whether an event that was asked for in this width does not tell what is to be published of it."""
        needs_image = event.kind == "update" and self._settings.after != "held"
        return width is Width.OUTLINE or (width is Width.WITHOUT_IMAGES and needs_image)

    def told(self, event: Event, state: SnapshotState) -> tuple[list[DeadLetter], SnapshotState]:
        """What is published of a change that is missing, and what is left to be read after it.

        Raises EventTooLarge if capture has to stop.
        """
        name, op = ".".join(event.name), OPS[event.kind]
        held = self._forgotten(name, event.id)
        if not held and op is not Op.CREATE and name in state.unread("initial"):
            return [], state  # it was not published, and a chunk will show it
        key, place = id_json(event.id), str(event.token["_data"])
        if self._settings.large_events == "stop":
            raise EventTooLarge(
                f"{_REASON}: {event.kind} of {name} {key.decode(errors='replace')} at {place}", hint=TOO_LARGE_HINT
            )
        letter = DeadLetter(Collection(*event.name), op, key, self._rows.origin_of(event), place, _REASON)
        job = Job("unsent", (name,), conditions={name: filter_for(event.id)})
        return [letter], state if _waits(job, state) else SnapshotState((*state.jobs, job))

    def _forgotten(self, name: str, identity: bytes) -> bool:
        """Take a document out of the store; whether it was in it."""
        number = self._store.number(name)
        held = self._store.get(number, [identity])
        if held:
            self._store.write({number: Changed(held, {identity: None})})
        return bool(held)


def _waits(job: Job, state: SnapshotState) -> bool:
    return any((each.kind, each.conditions) == (job.kind, job.conditions) for each in state.jobs)
