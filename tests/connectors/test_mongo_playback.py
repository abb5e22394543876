"""What a real replica set of 4.4.1 said, played to the connector: every recorded change stream, reply by reply.

Left out are two streams whose replies are not in the recordings for their size; ``test_mongo_source`` makes such events on the
stand-in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import pytest

from connectors.mongo.extended_json import id_json
from connectors.mongo.raw_bson import id_of
from connectors.mongo.server_errors import translate
from connectors.mongo.settings import MongoSettings
from connectors.mongo.source import MongoSource
from connectors.mongo.stream import Width
from connectors.source import DocumentChange, Position, SourceEvent, TransactionEvent
from streamtrain.envelope import Op
from streamtrain.errors import PositionLost, SourceUnavailable, StreamtrainError
from tests.connectors.mongo_capture import flat, opened, settings, statements
from tests.connectors.mongo_expected import Expectation, Expected
from tests.connectors.mongo_playback import Playback, Stream, streams
from tests.mongo_server.documents import Document, encode

TOO_LARGE = 10334
PLAYED = {str(stream): stream for stream in streams() if stream.whole}
UNHELD = {"transactions", "update_lookup_is_a_later_read", "start_at_operation_time"}
"""Streams that begin when there are documents: what these are after an update is not told by the stream alone."""


def chosen(stream: Stream, url: str, directory: Path) -> MongoSettings:
    after = "lookup" if stream.scenario in UNHELD or stream.token is not None else "held"
    return settings(url, directory, stream.include, after=after, timeout_s=5.0)


def position_at(token: Document | None, captured: MongoSettings) -> Position | None:
    """A position as it is kept, at a recorded token."""
    if token is None:
        return None
    kept = {"token": token["_data"]} if "_data" in token else {}
    return {"stream": str(captured.scope), "batch": 0, "include": list(captured.include), **kept}


def read(source: MongoSource, played: Playback) -> Iterator[SourceEvent]:
    """All changes until nothing more was recorded."""
    while not played.ended:
        yield from source.read(0.01).changes
    while changes := source.read(0.01).changes:
        yield from changes


def published(events: Sequence[SourceEvent]) -> list[Expected]:
    """The documents' changes, each with what its update says."""
    updates = [
        update and update._replace(removed=list(update.removed), truncated=list(update.truncated))
        for event in events
        if isinstance(event, DocumentChange)
        for update in event.updates
    ]
    return [Expected(*change, update) for change, update in zip(flat(events), updates, strict=True)]


@pytest.mark.parametrize("name", PLAYED)
def test_every_recorded_reply_becomes_the_changes_or_the_error_that_it_tells(name: str, tmp_path: Path) -> None:
    stream, events = PLAYED[name], list[SourceEvent]()
    error: StreamtrainError | None = None
    # What is too large to be sent is asked for again, with less of it: here that is too large too.
    again = list(Width) if stream.code == TOO_LARGE else [Width.BATCHES]
    with Playback([stream.opened], stream.batches * len(again)) as played:
        captured = chosen(stream, played.url, tmp_path)
        try:
            with opened(captured, position_at(stream.token, captured)) as source:
                events.extend(read(source, played))
        except StreamtrainError as raised:
            error = raised
    ended = SourceUnavailable if None in stream.batches else type(None)
    assert type(error) is (ended if stream.code is None else type(translate(stream.code, "", (), "")))
    expected = Expectation(captured)
    for event in stream.events:
        expected.follow(event)
    # What is read at once is told by collection.
    assert sorted(published(events), key=itemgetter(0)) == sorted(expected.changes, key=itemgetter(0))
    assert statements(events) == expected.statements


def test_a_stream_that_was_invalidated_is_started_after_it_and_never_resumed(tmp_path: Path) -> None:
    ended, follows = PLAYED["drop_rename_invalidate-4"], PLAYED["drop_rename_invalidate-24"]
    with (
        Playback([ended.opened, follows.opened], [*ended.batches, *follows.batches]) as played,
        opened(settings(played.url, tmp_path, ended.include)) as source,
    ):
        events = list(read(source, played))
    assert [change.op for change in flat(events)] == [Op.CREATE, Op.CREATE]
    assert statements(events) == [{"drop": "a", "$db": "inv"}, {"invalidate": "a", "$db": "inv"}]
    assert played.asked[1] == {"startAfter": follows.token}


def test_a_transaction_is_resumed_in_its_middle_and_its_changes_are_counted_on(tmp_path: Path) -> None:
    first, rest = PLAYED["transactions-10"], PLAYED["transactions-38"]
    events, position = list[SourceEvent](), Position()
    assert rest.token is not None
    with Playback([first.opened], first.batches) as played:
        captured = settings(played.url, tmp_path, first.include, after="lookup", max_rows=1, transaction_metadata=True)
        with opened(captured) as source:
            while position.get("token") != rest.token["_data"]:
                batch = source.read(0.01)
                events += batch.changes
                assert batch.position is not None
                position = batch.position
    with Playback([rest.opened], rest.batches) as played, opened(replace(captured, url=played.url), position) as source:
        events += read(source, played)
    keys = [id_json(id_of(encode(event["documentKey"]))) for event in first.events]
    assert [change.key for change in flat(events)] == keys
    ends = [event for event in events if isinstance(event, TransactionEvent)]
    assert [(each.status, dict(each.counts)) for each in ends] == [
        ("BEGIN", {}), ("END", {"tx.a": 2, "tx.b": 2}), ("BEGIN", {}), ("END", {"tx.a": 5}),
    ]  # fmt: skip


def test_a_lost_position_that_looks_healthy_is_lost_before_anything_of_it_is_kept(tmp_path: Path) -> None:
    """The reply to ``resumeAfter`` is no error and holds a later token; the one to the same time is 286."""
    healthy, lost = PLAYED["history_lost-12"], PLAYED["history_lost-18"]
    with Playback([healthy.opened, lost.opened], []) as played:
        captured = settings(played.url, tmp_path, "shop.lost", after="lookup")
        with pytest.raises(PositionLost, match="286"), opened(captured, position_at(healthy.token, captured)):
            pass
    assert played.asked == [{"fullDocument": "updateLookup", **healthy.options}, lost.options]
