"""Committed changes of a MongoDB deployment: a snapshot of the captured collections, then its change stream.

What is promised: every insert, update, replace and delete that a majority has comes once, in commit order by document, with
the document as it was right after it; a document of the snapshot as it stood when the stream goes on behind it; drops and
renames are told. What is not understood stops the source.

What is not: ``drop`` and ``dropDatabase`` take documents away without telling which; no deletes are made of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connectors.mongo.capture import Capture, CaptureParts
from connectors.mongo.client import Client, Time
from connectors.mongo.deployment import Deployment
from connectors.mongo.position import StreamPosition
from connectors.mongo.settings import MongoSettings, name_of
from connectors.mongo.snapshots.reader import ChunkReader
from connectors.mongo.snapshots.signalled import obeyed
from connectors.mongo.snapshots.snapshots import Snapshots
from connectors.mongo.snapshots.state import Job, SnapshotState
from connectors.mongo.store import DocumentStore
from connectors.mongo.stream import ChangeStream
from connectors.signals import SignalChannel, parse
from connectors.source import NO_NOTES, Position, SourceBatch
from connectors.topic_owners import require_own_topics
from streamtrain import log
from streamtrain.errors import PositionLost, SourceUnavailable

_log = log.get("mongo")
_LISTEN_EVERY_S = 0.5


class MongoSource:
    """``connectors.source.Source`` over one deployment.

    ``clock`` gives seconds since 1970, ``monotonic`` seconds that only rise.
    """

    def __init__(
        self,
        settings: MongoSettings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        signals: SignalChannel | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._client: Client | None = None
        self._store: DocumentStore | None = None
        self._capture: Capture | None = None
        self._deployment: Deployment | None = None
        self._signals = signals
        self._signals_read_s = 0.0
        self._listened = signals is None

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:  # noqa: ARG002 - it has none
        self.close()
        try:
            start = None if position is None else StreamPosition.from_json(position)
            client = self._client = Client(self._settings)
            self._deployment = client.deployment()
            self._store = DocumentStore(self._settings.store)
            if start is None:
                self._begin()
                return
            try:
                self._go_on(start)
            except PositionLost as error:
                self._begin_again(error, start.signals)
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> SourceBatch:
        try:
            self._listen(self._opened())
            return self._opened().read(timeout_s)
        except PositionLost as error:
            self._begin_again(error, self._opened().signal_offset)
            return SourceBatch((), self._opened().position.to_json())

    def confirm(self, position: Position) -> None:
        """What it takes to go back to before ``position`` may be forgotten."""
        if self._store is not None:
            self._store.confirm(int(position["batch"]))

    def end(self) -> Position:
        self._opened()
        return {"time": list(self._connected().now())}

    def reached(self, end: Position) -> bool:
        capture = self._opened()
        return self._listened and capture.finished and capture.passed(Time(*end["time"]))

    def close(self) -> None:
        for part in (self._store, self._client, self._signals):
            if part is not None:
                part.close()
        self._signals_read_s, self._listened = 0.0, self._signals is None
        self._client = self._store = self._capture = self._deployment = None

    def _listen(self, capture: Capture) -> None:
        """Obey the signals that have come. Their offset goes into the position, so that each is obeyed once."""
        now_s = self._monotonic()
        if self._signals is None or (self._listened and now_s - self._signals_read_s < _LISTEN_EVERY_S):
            return
        self._signals_read_s = now_s
        offset, values = self._signals.read(capture.signal_offset)
        for signal in filter(None, map(parse, values)):
            captured, at = self._captured()
            capture.change_snapshots(obeyed(capture.snapshot_state, signal, captured, at, self._reader().require))
        capture.signal_offset = offset
        self._listened = True

    def _opened(self) -> Capture:
        if self._capture is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._capture

    def _connected(self) -> Client:
        if self._client is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._client

    def _begin(self, signals: int | None = None) -> None:
        """From the end of the log as it is now on; documents that are there already are read beside it.

        ``signals``: up to where signals were obeyed.
        """
        stream, store = self._stream(), self._documents()
        store.empty()
        scope = str(self._settings.scope)
        names, began = self._captured()
        position = StreamPosition.begun(scope, stream.begin(began), self._settings.selection)
        position = replace(position, signals=signals)
        self._follow(stream, position, SnapshotState(self._jobs(names, as_of=began)), (names, began))

    def _go_on(self, position: StreamPosition) -> None:
        store, settings = self._documents(), self._settings
        needed = settings.after == "held" or position.snapshots
        if not store.go_back(position.store, position.batch):
            if needed:
                raise PositionLost(
                    f"the store of documents {settings.store} is not the one of the position to go on from",
                    hint="put the right file in its place. Without it documents cannot be told as they were: set "
                    "`snapshot: when_needed` to read the collections again, or `after: lookup` to do without",
                )
            store.empty()
        stream = self._stream()
        stream.go_on(position)
        state = SnapshotState.from_json(position.snapshots)
        names, at = self._captured()
        if position.selection != settings.selection:
            state = self._reselected(position, state, names, at)
        position = position.capturing(str(settings.scope), settings.selection, at)
        self._follow(stream, position, state, (names, at))

    def _reselected(
        self, position: StreamPosition, state: SnapshotState, names: Sequence[str], at: Time
    ) -> SnapshotState:
        """What is to be read where other patterns choose what is captured: what they add, and none of what they leave out.

        Of that nothing is held any more: it changes unseen, and is read anew if it is captured again.
        """
        store, captures = self._documents(), self._settings.captures
        for name in store.names:
            if not captures(*name_of(name)):
                store.rename(name, None)
        due = {name for job in state.jobs for name in job.collections}
        state = state.without({name for name in due if not captures(*name_of(name))})
        added = [name for name in names if not position.selection.captures(*name_of(name))]
        return SnapshotState((*state.jobs, *self._jobs(added, named_at=at)))

    def _begin_again(self, error: PositionLost, signals: int | None) -> None:
        if self._settings.snapshot != "when_needed":
            raise error
        _log.warning("position lost, reading all documents again", reason=error.message)
        self._begin(signals)

    def _captured(self) -> tuple[list[str], Time]:
        """The captured collections, and when there were these. Raises ConfigError if two of them have one topic."""
        names, at = self._connected().collections(self._settings.scope, self._settings.captures)
        require_own_topics(self._settings.prefix, map(name_of, names))
        return names, at

    def _jobs(self, names: Sequence[str], as_of: Time | None = None, named_at: Time | None = None) -> tuple[Job, ...]:
        """How collections are read first. ``as_of`` is where the stream begins; ``named_at``: when they had these names."""
        settings = self._settings
        if not names or (settings.snapshot == "no_data" and settings.after != "held"):
            return ()
        if settings.snapshot != "no_data":
            return (Job("initial", tuple(names), names_at=named_at),)
        return (Job("unpublished", tuple(names), as_of=as_of, names_at=named_at),)

    def _stream(self) -> ChangeStream:
        return ChangeStream(self._connected(), self._look(), self._settings)

    def _documents(self) -> DocumentStore:
        if self._store is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._store

    def _reader(self) -> ChunkReader:
        return ChunkReader(self._connected(), self._look(), self._settings.chunk_rows)

    def _look(self) -> Deployment:
        if self._deployment is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._deployment

    def _follow(
        self,
        stream: ChangeStream,
        position: StreamPosition,
        state: SnapshotState,
        there: tuple[Sequence[str], Time],
    ) -> None:
        deployment, store, settings = self._look(), self._documents(), self._settings
        held = settings.after == "held"
        snapshots = Snapshots(
            self._reader(),
            store,
            state,
            keeps=(lambda document: document) if held else (lambda _: b""),
            monotonic=self._monotonic,
        )
        parts = CaptureParts(stream, snapshots, store, settings, self._clock, sharded=deployment.sharded, there=there)
        self._capture = Capture(parts, position)
