"""Images of documents -> the columns that are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from connectors.documents import source_block
from connectors.mongo.change_event import Event
from connectors.mongo.client import Time
from connectors.mongo.extended_json import id_json, value_json
from connectors.mongo.images import Images
from connectors.mongo.origin import OriginWriter
from connectors.mongo.settings import name_of
from connectors.mongo.snapshots.snapshots import Piece
from connectors.mongo.values import described
from connectors.source import Collection, DocumentChange, DocumentOrigins, TransactionPart
from connectors.topic_owners import TopicOwners
from streamtrain.envelope import Op


class DocumentRows:
    """Makes changes of documents; each collection's are together, in their order.

    Raises ConfigError if a collection's topic is another's among ``topics``.
    """

    def __init__(self, prefix: str, topics: TopicOwners) -> None:
        self._topics = topics
        self._origin = OriginWriter(prefix)
        self._lsid = lru_cache(maxsize=1_024)(_lsid)
        self._block = lru_cache(maxsize=65_536)(self._known)

    def changes(self, images: Images, parts: Sequence[TransactionPart | None] | None = None) -> list[DocumentChange]:
        """One change for each collection. ``parts`` are the images' places in their transactions, if they are told."""
        if len({event.name for event in images.events}) == 1:
            return [self._change(images, parts or ())]
        runs: dict[tuple[str, str], list[int]] = {}
        for at, event in enumerate(images.events):
            runs.setdefault(event.name, []).append(at)
        return [self._change(images.of(run), [parts[at] for at in run] if parts else ()) for run in runs.values()]

    def read(self, piece: Piece, moment: Time, now_us: int) -> list[DocumentChange]:
        """What a snapshot has read, as of ``moment``."""
        name = name_of(piece.collection)
        self._topics.claim(name)
        collection, origin = self._block(*name, _SNAPSHOT.get(piece.kind, "true"))
        count = len(piece.ids)
        nothing = [None] * count
        return [
            DocumentChange(
                collection,
                [Op.READ] * count,
                list(map(id_json, piece.ids)),
                nothing,
                list(map(value_json, piece.documents)),
                nothing,
                origin,
                DocumentOrigins([now_us] * count, [moment.ordinal] * count, nothing, nothing, nothing, nothing),
                piece.markers,
            )
        ]

    def origin_of(self, event: Event) -> Mapping[str, Any]:
        """The ``source`` block of an event."""
        return source_block(self._block(*event.name, "false")[1], self._origins([event], [None]).at(0), "false")

    def _change(self, images: Images, parts: Sequence[TransactionPart | None]) -> DocumentChange:
        events = images.events
        self._topics.claim(events[0].name)
        collection, origin = self._block(*events[0].name, "false")
        return DocumentChange(
            collection,
            images.ops,
            [id_json(event.id) for event in events],
            _texts(images.before),
            _texts(images.after),
            [None if event.update_description is None else described(event) for event in events],
            origin,
            self._origins(events, images.after_from),
            transactions=parts,
        )

    def _known(self, database: str, name: str, snapshot: str) -> tuple[Collection, Mapping[str, Any]]:
        collection = Collection(database, name)
        return collection, self._origin.block(collection, snapshot)

    def _origins(self, events: Sequence[Event], after_from: Sequence[str | None]) -> DocumentOrigins:
        return DocumentOrigins(
            [event.committed_us for event in events],
            [event.ordinal for event in events],
            [None if (lsid := event.lsid) is None else self._lsid(lsid) for event in events],
            [event.txn_number for event in events],
            [event.wall_time_ms for event in events],
            after_from,
        )


def _texts(documents: Sequence[bytes | None]) -> list[bytes | None]:
    return [None if document is None else value_json(document) for document in documents]


_SNAPSHOT = {"incremental": "incremental", "unsent": "incremental"}


def _lsid(document: bytes) -> str:
    return value_json(document).decode()
