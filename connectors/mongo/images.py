"""Change events -> documents before and after each, with the store of documents and what snapshots have left to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.mongo.events import Event
from connectors.mongo.settings import AfterMode
from connectors.mongo.store import DocumentStore, Key
from connectors.mongo.values import updated
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange

OPS = {"insert": Op.CREATE, "update": Op.UPDATE, "replace": Op.UPDATE, "delete": Op.DELETE}
_HINT = "stop, remove source.store and set source.snapshot: when_needed to read the collections again, or set source.after: lookup"


class Image(NamedTuple):
    """A document before and after one event."""

    event: Event
    op: Op
    before: bytes | None
    after: bytes | None
    after_from: str | None


@dataclass(slots=True)
class _Held:
    """The documents that a run of events is about."""

    before: dict[Key, bytes]
    """As they were held before it."""
    now: dict[Key, bytes | None] = field(default_factory=dict)
    """As the events have left them."""

    def get(self, key: Key) -> bytes | None:
        return self.now[key] if key in self.now else self.before.get(key)


class Images:
    """Makes images of documents, and keeps the store in step."""

    def __init__(self, store: DocumentStore | None, after: AfterMode) -> None:
        self._store = store
        self._after = after

    def of(
        self,
        events: Sequence[Event],
        held: Callable[[str], bool],
        unread: Callable[[str], bool],
        loose: Callable[[str], bool],
    ) -> list[Image]:
        """The images of documents that pass, in order; one batch of the store, if it changes.

        Of a collection that is ``held`` the store has the documents. Of one that is ``unread`` what is not in the store
        does not pass, unless it is new: a later chunk shows it. In one that is ``loose`` documents may not be held yet.
        """
        store = self._store
        if store is None:
            return [self._plain(event) for event in events]
        names = {(event.database, event.collection) for event in events}
        numbers = {name: store.number(".".join(name)) if held(".".join(name)) else None for name in names}
        keys = [
            None if (number := numbers[event.database, event.collection]) is None else (number, event.id)
            for event in events
        ]
        documents = _Held(store.get([key for key in keys if key is not None]))
        images = list[Image]()
        for event, key in zip(events, keys, strict=True):
            if key is None:
                images.append(self._plain(event))
                continue
            image = self._held(event, documents.get(key), unread, loose)
            if image is None:
                continue
            images.append(image)
            if image.after is not None or image.op is Op.DELETE:
                documents.now[key] = self._kept(image.after)
        if documents.now:
            store.write(documents.now, documents.before)
        return images

    def _kept(self, document: bytes | None) -> bytes | None:
        """What the store keeps: only that it was published, where documents are not held."""
        return document if self._after == "held" or document is None else b""

    def _held(
        self, event: Event, before: bytes | None, unread: Callable[[str], bool], loose: Callable[[str], bool]
    ) -> Image | None:
        name = f"{event.database}.{event.collection}"
        if before is None and event.kind != "insert" and unread(name):
            return None
        if self._after != "held" or event.kind == "insert":
            return self._plain(event)
        before = event.before if before is None else before
        if event.kind != "update" or event.full is not None:
            return self._plain(event)._replace(before=before)
        if before is not None:
            return Image(event, Op.UPDATE, before, updated(before, event.update or b""), "delta")
        if loose(name):
            return Image(event, Op.UPDATE, None, None, None)
        raise UnsupportedChange(
            f"a document of {name} was updated at {event.token['_data']} that is not held", hint=_HINT
        )

    def _plain(self, event: Event) -> Image:
        """What the event itself has."""
        op = OPS[event.kind]
        taken = None
        if event.kind == "update":
            taken = "lookup" if self._after == "lookup" else "post_image"
            if event.full is None and self._after == "post_image":
                raise UnsupportedChange(
                    f"an update of {event.database}.{event.collection} at {event.token['_data']} came without its post-image",
                    hint="enable changeStreamPreAndPostImages on the collection and keep images longer than the longest "
                    "stop, or set source.after: held",
                )
        elif op is not Op.DELETE:
            taken = "event"
        return Image(event, op, event.before, event.full, taken)
