"""One change stream: where it is in the oplog, and what it answers to each read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from tests.mongo_server import change_events, tokens
from tests.mongo_server.clock import following
from tests.mongo_server.documents import MOST_BYTES, Document, encode, plain, raw
from tests.mongo_server.engine import Engine
from tests.mongo_server.errors import CommandError
from tests.mongo_server.scopes import Scope
from tests.mongo_server.stages import run_on_event

SPLIT = "$changeStreamSplitLargeEvent"
Event = tuple[tokens.Token, Document]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read found."""

    events: list[RawBSONDocument]
    token: Document
    """``postBatchResumeToken``."""
    ended: bool
    """The last event is an ``invalidate``."""


class ChangeStream:
    """Reads the oplog of ``engine`` from where its options say."""

    def __init__(self, engine: Engine, scope: Scope, pipeline: Sequence[Document], version: tuple[int, ...]) -> None:
        options = plain(pipeline[0]["$changeStream"])
        self._engine = engine
        self._scope = scope
        self._stages = [plain(stage) for stage in pipeline[1:]]
        self._splits = any(SPLIT in stage for stage in self._stages)
        if self._splits and not change_events.can_split(version):
            raise CommandError(40324, f"Unrecognized pipeline stage name: '{SPLIT}'")
        self._wanted = change_events.Wanted(
            options.get("fullDocument", "default"),
            options.get("fullDocumentBeforeChange", "off"),
            bool(options.get("showExpandedEvents")),
            version,
        )
        self._awaited: tokens.Token | None = None
        """The token to go on after, until it is found."""
        self._not_before: Timestamp | None = None
        """A time that has to be in the oplog, until that is checked."""
        self._ended = False
        self._newest = self._start(options)
        self._at = engine.oplog.number_at(self._newest.time)
        self._skip = 0
        """Events of the entry at ``_at`` that were read already."""

    def _start(self, options: Document) -> tokens.Token:
        after = options.get("startAfter") or options.get("resumeAfter")
        if "resumeAfter" in options or "startAfter" in options:
            token = tokens.parse(after or {})
            if token.from_invalidate and "resumeAfter" in options:
                raise CommandError(
                    260,
                    "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate "
                    "notification.",
                )
            if token.kind == tokens.EVENT:
                self._awaited = token
            else:
                self._not_before = token.time
            return token
        if (time := options.get("startAtOperationTime")) is not None:
            self._not_before = time
            return tokens.high_water_mark(time)
        last = self._engine.clock.last
        return tokens.high_water_mark(following(last, last.time))

    @property
    def waiting(self) -> bool:
        """Whether there is nothing to look at until something is written."""
        return self._at >= self._engine.oplog.end and not self._ended

    def read(self, most: int | None) -> Batch:
        """Events up to ``most`` or 16 MB, from where the last read ended; for a ``most`` of 0 nothing is looked at."""
        found: list[RawBSONDocument] = []
        if most == 0:
            return self._batch(found)
        self._check_history()
        size = 0
        for token, event in self._events():
            content = raw(encode(event))
            if found and size + len(content.raw) > MOST_BYTES:
                self._skip -= 1
                return self._batch(found)
            found.append(content)
            size += len(content.raw)
            self._newest = token
            if event.get("operationType") == "invalidate":
                self._ended = True
                return self._batch(found)
            if most is not None and len(found) >= most:
                return self._batch(found)
        if self._at > self._engine.oplog.first and not self.behind():
            scanned = tokens.high_water_mark(self._engine.oplog[self._at - 1].time)
            self._newest = max(self._newest, scanned, key=lambda token: token.data)
        return self._batch(found)

    def behind(self) -> bool:
        return self._at < self._engine.oplog.end

    def _batch(self, found: list[RawBSONDocument]) -> Batch:
        return Batch(found, self._newest.document, self._ended)

    def _check_history(self) -> None:
        oplog = self._engine.oplog
        if self._not_before is not None:
            if oplog.lost(self._not_before):
                raise CommandError(
                    286,
                    "Resume of change stream was not possible, as the resume point may no longer be in the oplog. ",
                )
            self._not_before = None
        if self._at < oplog.first:
            raise CommandError(
                136,
                "Error in $cursor stage :: caused by :: CollectionScan died due to failure to restore tailable cursor "
                f"position. Last seen record id: RecordId({self._at})",
            )

    def _events(self) -> Iterator[Event]:
        """Events not read before. ``_at`` and ``_skip`` stand after an event when it is handed out."""
        oplog = self._engine.oplog
        while not self._ended and self._at < oplog.end:
            for number, (token, event) in enumerate(self._of_entry(self._at)):
                if number < self._skip:
                    continue
                self._skip = number + 1
                if self._is_news(token):
                    yield token, event
            self._at += 1
            self._skip = 0

    def _is_news(self, token: tokens.Token) -> bool:
        if self._awaited is None:
            return True
        if token.data < self._awaited.data:
            return False
        if token.data > self._awaited.data:
            data = token.data
            raise CommandError(280, f'cannot resume stream; the resume token was not found. {{_data: "{data}"}}')
        self._awaited = None
        return False

    def _of_entry(self, number: int) -> Iterator[Event]:
        entry = self._engine.oplog[number]
        for at, operation in enumerate(entry.operations):
            if not self._scope.shows(operation, expanded=self._wanted.expanded):
                continue
            yield from self._shaped(*change_events.event(entry, at, self._wanted, self._engine))
            if self._scope.ends_with(operation):
                yield change_events.invalidate(entry, at, self._wanted)

    def _shaped(self, token: tokens.Token, event: Document) -> Iterator[Event]:
        """The event as the stages after ``$changeStream`` leave it."""
        if self._awaited is not None and token.data <= self._awaited.data and not self._splits:
            yield token, event
            return
        shaped: Any = run_on_event(self._stages, event)
        if shaped is None:
            return
        if shaped.get("_id") != token.document:
            raise CommandError(
                280,
                "Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. "
                "Modifying the _id field of an event makes it impossible to resume the stream from that point. Only "
                "transformations that retain the unmodified _id field are allowed.",
            )
        if self._splits:
            yield from change_events.split(token, shaped)
        else:
            change_events.checked_size(shaped)
            yield token, shaped
