"""An open source: the change stream, the snapshots beside it and the store of documents, moved on together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from connectors.mongo.change_event import Event, cut_all
from connectors.mongo.client import Time
from connectors.mongo.images import OPS, ImageMaker, Images
from connectors.mongo.position import StreamPosition
from connectors.mongo.rows import DocumentRows
from connectors.mongo.server_errors import EventTooLarge
from connectors.mongo.settings import MongoSettings, name_of
from connectors.mongo.snapshots.snapshots import Snapshots
from connectors.mongo.snapshots.state import SnapshotState
from connectors.mongo.split_events import joined
from connectors.mongo.store import DocumentStore
from connectors.mongo.stream import ChangeStream, Width
from connectors.mongo.structure import STRUCTURE, Structure
from connectors.mongo.transactions import Transactions
from connectors.mongo.unsent import UnsentChanges
from connectors.source import SourceBatch, SourceEvent
from connectors.topic_owners import TopicOwners
from streamtrain.errors import UnsupportedChange

_IMPATIENT_S = 0.005
_SLICE_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class CaptureParts:
    """What a capture works with."""

    stream: ChangeStream
    snapshots: Snapshots
    store: DocumentStore
    settings: MongoSettings
    clock: Callable[[], float]
    sharded: bool
    there: tuple[Sequence[str], Time]
    """Captured collections, and when there were these."""


class _Slice(NamedTuple):
    """What is worked on at once."""

    events: Sequence[Event]
    images: Images
    missing: Event | None = None
    """The captured event that does not tell what is to be published of it."""


class Capture:
    """Reads on from ``position``. Not thread-safe."""

    def __init__(self, parts: CaptureParts, position: StreamPosition) -> None:
        self._parts = parts
        self._stream = parts.stream
        self._snapshots = parts.snapshots
        self._store = parts.store
        self._settings = parts.settings
        self._captures = lru_cache(maxsize=65_536)(parts.settings.captures)
        self._images = ImageMaker(parts.store, parts.settings.after)
        self._topics = TopicOwners(parts.settings.prefix)
        self._there = list(map(name_of, parts.there[0]))
        """Collections that were there at the start, until the stream has come to that time."""
        self._rows = DocumentRows(parts.settings.prefix, self._topics)
        self._unsent = UnsentChanges(parts.settings, parts.store, self._rows)
        self._structure = Structure(parts.settings, parts.store, self._captures)
        self._pending: deque[Event] = deque()
        self._width = Width.BATCHES
        """In which what is pending was asked for."""
        self._fragments: list[Event] = []
        """Of an event that the server has split, until it is whole."""
        self._token: Mapping[str, Any] | None = None
        """Where the stream has come to after what is pending."""
        self._at_end = False
        self._position = position
        self._opened_at = position.data
        self.signal_offset = position.signals
        """Signals up to here were obeyed; None: none were looked for yet."""
        self._transactions = Transactions(position.transaction)
        # A token of no event may lie a moment ahead of the log.
        self._given = Time(0, 0)

    @property
    def position(self) -> StreamPosition:
        """After all that was read."""
        return replace(
            self._position,
            batch=self._store.batch,
            store=self._store.identity,
            snapshots=self._snapshots.state.to_json(),
            transaction=self._transactions.to_json(),
            signals=self.signal_offset,
        )

    def read(self, timeout_s: float) -> SourceBatch:
        """What comes next of stream and snapshots."""
        snapshots = self._snapshots
        if snapshots.still:
            snapshots.read(self._given)
            return self._batch(list(self._published()), None)
        if not self._pending:
            self._fetch(self._patience_s(timeout_s))
        moment = snapshots.waits_for
        taken = self._take(moment)
        changes = self._handled(taken)
        if (changed := self._position.reselection) is not None and self.passed(changed.until):
            self._position = replace(self._position, reselection=None)
        if moment is not None and snapshots.waits_for is not None and self.passed(moment):
            changes += self._published()
        if not self._pending and not snapshots.still:
            snapshots.read(self._given)
        return self._batch(changes, self._lag_ms(taken.events) if changes else None)

    def _batch(self, changes: Sequence[SourceEvent], lag_ms: int | None) -> SourceBatch:
        return SourceBatch(changes, self.position.to_json(), lag_ms, snapshot=self._snapshots.progress())

    @property
    def snapshot_state(self) -> SnapshotState:
        """What is left to be read."""
        return self._snapshots.state

    def change_snapshots(self, state: SnapshotState) -> None:
        """Go on with what a signal has made of what is left to be read."""
        self._snapshots.change(state)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be read by snapshots that nobody has paused."""
        return not self._snapshots.pending

    def passed(self, time: Time) -> bool:
        """Whether all was given that was committed up to ``time``, and nothing behind it of what is pending."""
        if self._pending:
            return self._pending[0].time > time
        here = self._position
        if here.time != time:
            return here.time > time
        # More may come of the very time of the token: of a transaction, from another shard, or at all if it lies ahead.
        ahead = not here.of_event and here.data == self._opened_at
        return self._at_end and not ahead and not self._parts.sharded

    def _patience_s(self, timeout_s: float) -> float:
        if not self._snapshots.pending:
            return timeout_s
        return min(timeout_s, _IMPATIENT_S) if self._snapshots.waits_for is not None else 0.0

    def _fetch(self, timeout_s: float) -> None:
        stream = self._stream
        try:
            if self._width > Width.SINGLE:
                stream.widen(self._position)
            elif stream.ended:
                stream.go_on(self._position)
            batch = stream.read(timeout_s)
        except EventTooLarge as error:
            self._fragments, self._token, self._at_end = [], None, False
            stream.go_on_narrower(self._position, error)
            return
        events = cut_all(batch.data, batch.place)
        if behind := stream.behind:
            events = [event for event in events if event.token["_data"] > behind]
        self._pending.extend(self._whole(events))
        self._width = batch.width if self._pending else Width.BATCHES
        # Between two fragments nobody can go on.
        self._token = None if self._fragments else batch.token
        self._at_end = not events

    def _whole(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events with those put together that the server has split."""
        if not self._fragments and all(event.fragment is None for event in events):
            return events
        whole = list[Event]()
        for event in events:
            if event.fragment is None:
                whole.append(event)
                continue
            self._fragments.append(event)
            if event.fragment == event.fragments:
                whole.append(joined(self._fragments))
                self._fragments = []
        return whole

    def _take(self, moment: Time | None) -> _Slice:
        """The next events and their images. What has no room beside large documents stays pending."""
        taken = self._next(moment)
        captured = [event for event in taken if event.kind in OPS and self._captures(*event.name)]
        images, missing = Images(), None
        if captured and self._unsent.lacks(captured[0], self._width):
            missing = captured[0]
        elif captured:
            images, done = self._images_of(captured)
            if done < len(captured):
                at = next(at for at, event in enumerate(taken) if event is captured[done])
                self._pending.extendleft(reversed(taken[at:]))
                del taken[at:]
        self._move(taken)
        return _Slice(taken, images, missing)

    def _next(self, moment: Time | None) -> list[Event]:
        """The next events, up to a change of structure, and none from behind ``moment``."""
        taken = list[Event]()
        size, pending = 0, self._pending
        while pending and size < _SLICE_BYTES and len(taken) < self._settings.max_rows:
            if moment is not None and pending[0].time > moment:
                break
            event = pending.popleft()
            taken.append(event)
            size += event.size
            if event.kind not in OPS:
                break
        return taken

    def _move(self, taken: Sequence[Event]) -> None:
        last = taken[-1] if taken else None
        if last is not None:
            self._given = last.time
        if last is not None and last.kind == "invalidate":
            self._position = self._position.at(last.token, after_invalidate=True)
        elif not self._pending and self._token is not None:
            self._position = self._position.at(self._token)
        elif last is not None:
            self._position = self._position.at(last.token)

    def _handled(self, taken: _Slice) -> list[SourceEvent]:
        events = taken.events
        if self._there and events and events[-1].time > self._parts.there[1]:
            self._topics.add(self._there)
            self._there = []
        changes: list[SourceEvent] = []
        if taken.missing is not None:
            changes += self._missing(taken.missing)
        elif taken.images.events:
            changes += self._told(taken.images)
        if (time := self._transactions.time) is not None and self.passed(time):
            changes += self._transactions.ended()
        if events and events[-1].kind not in OPS:
            changes += self._restructured(events[-1])
        return changes

    def _told(self, images: Images) -> list[SourceEvent]:
        if not self._settings.transaction_metadata:
            return [*self._rows.changes(images)]
        told, parts = self._transactions.placed(images.events)
        return [*told, *self._rows.changes(images, parts)]

    def _images_of(self, events: Sequence[Event]) -> tuple[Images, int]:
        state = self._snapshots.state
        unread, loose = state.unread("initial"), state.unread("unpublished", "unsent")
        holds = self._settings.after == "held"
        return self._images.of(
            events,
            held=lambda name: holds or name in unread,
            unread=lambda name: name in unread or (name not in loose and self._was_not_captured(name)),
            loose=loose.__contains__,
        )

    def _was_not_captured(self, name: str) -> bool:
        """Whether what the stream tells of a collection may be of a time when it was not captured: it may be gone since."""
        changed = self._position.reselection
        return changed is not None and not changed.before.captures(*name_of(name))

    def _missing(self, event: Event) -> Sequence[SourceEvent]:
        letters, state = self._unsent.told(event, self._snapshots.state)
        self._snapshots.change(state)
        return letters

    def _restructured(self, event: Event) -> Sequence[SourceEvent]:
        if event.kind not in STRUCTURE:
            raise UnsupportedChange(
                f"an event of kind {event.kind!r} at {event.token['_data']} is not known",
                hint="a newer MongoDB may tell of more than this version knows; a newer streamtrain may know it",
            )
        changes, state = self._structure.changed(event, self._snapshots.state)
        self._snapshots.change(state)
        self._rename(event)
        return changes

    def _rename(self, event: Event) -> None:
        if event.kind in {"drop", "rename"}:
            self._topics.release(event.name)
        if event.kind == "rename" and self._captures(*event.to):
            self._topics.claim(event.to)

    def _published(self) -> Sequence[SourceEvent]:
        piece = self._snapshots.publish()
        if piece is None or not piece.ids:
            return ()
        return self._rows.read(piece, self._position.time, int(self._parts.clock() * 1_000_000))

    def _lag_ms(self, events: Sequence[Event]) -> int | None:
        if not events:
            return 0
        return max(0, int(self._parts.clock() * 1_000) - events[-1].committed_us // 1_000)
