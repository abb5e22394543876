"""Change events -> documents before and after each, with the store of documents and what snapshots have left to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.mongo.delta import applied
from connectors.mongo.events import Event
from connectors.mongo.settings import AfterMode
from connectors.mongo.store import DocumentStore, Key
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
        names = {event.name for event in events}
        numbers = {name: store.number(".".join(name)) if held(".".join(name)) else None for name in names}
        keys = [None if (number := numbers[event.name]) is None else (number, event.id) for event in events]
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
        name, kind = ".".join(event.name), event.kind
        if before is None and kind != "insert" and unread(name):
            return None
        if self._after != "held" or kind == "insert":
            return self._plain(event)
        if kind != "update" or event.parts.full_document is not None:
            image = self._plain(event)
            return image if before is None else image._replace(before=before)
        if before is None:
            before = event.document(event.parts.full_document_before_change)
        if before is not None:
            return Image(event, Op.UPDATE, before, applied(before, event.data, event.parts), "delta")
        if loose(name):
            return Image(event, Op.UPDATE, None, None, None)
        raise UnsupportedChange(
            f"a document of {name} was updated at {event.token['_data']} that is not held", hint=_HINT
        )

    def _plain(self, event: Event) -> Image:
        """What the event itself has."""
        op, parts = OPS[event.kind], event.parts
        taken = None
        if op is Op.UPDATE and parts.operation_type == "update":
            taken = "lookup" if self._after == "lookup" else "post_image"
            if parts.full_document is None and self._after == "post_image":
                raise UnsupportedChange(
                    f"an update of {'.'.join(event.name)} at {event.token['_data']} came without its post-image",
                    hint="enable changeStreamPreAndPostImages on the collection and keep images longer than the longest "
                    "stop, or set source.after: held",
                )
        elif op is not Op.DELETE:
            taken = "event"
        before, after = event.document(parts.full_document_before_change), event.document(parts.full_document)
        return Image(event, op, before, after, taken)
