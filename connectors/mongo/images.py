"""Change events -> documents before and after each, with the store of documents and what snapshots have left to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.mongo.change_event import Event
from connectors.mongo.delta import applied
from connectors.mongo.settings import AfterMode
from connectors.mongo.store import Changed, DocumentStore
from streamtrain.envelope import Op
from streamtrain.errors import UnsupportedChange

OPS = {"insert": Op.CREATE, "update": Op.UPDATE, "replace": Op.UPDATE, "delete": Op.DELETE}
_Found = dict[tuple[str, str], Changed | None]
Image = tuple[bytes | None, bytes | None, str | None]
"""A document before and after one event, and where what it is after it was taken from."""
_SLICE_BYTES = 4 << 20
"""Of documents before the events that are worked on at once, and of those after them; a single one may be larger."""
_HINT = "stop, remove source.store and set source.snapshot: when_needed to read the collections again, or set source.after: lookup"


@dataclass(frozen=True, slots=True)
class Images:
    """Documents before and after events, as columns of equal length."""

    events: list[Event] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    before: list[bytes | None] = field(default_factory=list)
    after: list[bytes | None] = field(default_factory=list)
    after_from: list[str | None] = field(default_factory=list)

    def of(self, chosen: Sequence[int]) -> Images:
        """Those at these indexes."""
        return Images(
            [self.events[at] for at in chosen],
            [self.ops[at] for at in chosen],
            [self.before[at] for at in chosen],
            [self.after[at] for at in chosen],
            [self.after_from[at] for at in chosen],
        )


class ImageMaker:
    """Makes images of documents, and keeps the store in step."""

    def __init__(self, store: DocumentStore, after: AfterMode) -> None:
        self._store = store
        self._after = after

    def of(
        self,
        events: Sequence[Event],
        held: Callable[[str], bool],
        unread: Callable[[str], bool],
        loose: Callable[[str], bool],
    ) -> tuple[Images, int]:
        """The images of documents that pass, in order, and of how many of the events these are: with large documents few.

        The store is brought to behind those events. Of a collection that is ``held`` it has the documents. Of one that is
        ``unread`` what is not in the store does not pass, unless it is new: a later chunk shows it. In one that is
        ``loose`` documents may not be held yet.
        """
        events, held_of = self._looked_up(events, held)
        images, size, done = Images(), 0, len(events)
        for at, event in enumerate(events, 1):
            documents = held_of[event.name]
            if documents is None or event.kind == "insert":
                image: Image | None = self._plain(event)
            else:
                image = self._held(event, documents.get(event.id), unread, loose)
            if image is None:
                continue
            op, (before, after, after_from) = OPS[event.kind], image
            images.events.append(event)
            images.ops.append(op)
            images.before.append(before)
            images.after.append(after)
            images.after_from.append(after_from)
            if documents is not None and (after is not None or op is Op.DELETE):
                documents.now[event.id] = self._kept(after)
            if after is not None:
                size += len(after)
                if size > _SLICE_BYTES:
                    done = at
                    break
        changed = {number: documents for number, documents in self._numbered(held_of) if documents.now}
        if changed:
            self._store.write(changed)
        return images, done

    def _looked_up(self, events: Sequence[Event], held: Callable[[str], bool]) -> tuple[Sequence[Event], _Found]:
        """The first events, as many as have no large documents together, and what the store has of these."""
        while True:
            found, left = self._found(events, held)
            if left >= 0 or len(events) == 1:
                return events, found
            read = sum(len(documents.before) for documents in found.values() if documents is not None)
            events = events[: max(1, read // 2)]

    def _found(self, events: Sequence[Event], held: Callable[[str], bool]) -> tuple[_Found, int]:
        """What the store has of the events' documents, by collection; None where it holds none of that.

        And how many bytes of a slice they leave; if it is less than none not all were looked up.
        """
        asked: dict[tuple[str, str], dict[bytes, None]] = {event.name: {} for event in events}
        for event in events:
            if event.kind != "insert":  # what is inserted was not there before, so that nothing is held of it
                asked[event.name][event.id] = None
        found, left = _Found(), _SLICE_BYTES
        for name, ids in asked.items():
            full_name = ".".join(name)
            if left < 0 or not held(full_name):
                found[name] = None
                continue
            documents = self._store.get(self._store.number(full_name), list(ids), left)
            found[name] = Changed(documents)
            left -= sum(map(len, documents.values()))
        return found, left

    def _numbered(self, held_of: Mapping[tuple[str, str], Changed | None]) -> Iterator[tuple[int, Changed]]:
        for name, documents in held_of.items():
            if documents is not None:
                yield self._store.number(".".join(name)), documents

    def _kept(self, document: bytes | None) -> bytes | None:
        """What the store keeps: only that it was published, where documents are not held."""
        return document if self._after == "held" or document is None else b""

    def _held(
        self, event: Event, before: bytes | None, unread: Callable[[str], bool], loose: Callable[[str], bool]
    ) -> Image | None:
        kind = event.kind
        if before is None and unread(".".join(event.name)):
            return None
        if self._after != "held":
            return self._plain(event)
        if kind != "update" or event.full_document is not None:
            image = self._plain(event)
            return image if before is None else (before, *image[1:])
        if before is None:
            before = event.full_document_before_change
        if before is not None:
            return before, applied(before, event), "delta"
        if loose(".".join(event.name)):
            return None, None, None
        raise UnsupportedChange(
            f"a document of {'.'.join(event.name)} was updated at {event.token['_data']} that is not held", hint=_HINT
        )

    def _plain(self, event: Event) -> Image:
        """What the event itself has."""
        kind, taken, after = event.kind, "event", event.full_document
        if kind == "update":
            taken = "lookup" if self._after == "lookup" else "post_image"
            if after is None and self._after == "post_image":
                raise UnsupportedChange(
                    f"an update of {'.'.join(event.name)} at {event.token['_data']} came without its post-image",
                    hint="enable changeStreamPreAndPostImages on the collection and keep images longer than the longest "
                    "stop, or set source.after: held",
                )
        return event.full_document_before_change, after, None if kind == "delete" else taken
