"""Images of documents -> the columns that are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from connectors.documents import source_block
from connectors.mongo.client import Time
from connectors.mongo.events import Event
from connectors.mongo.extended_json import id_json, value_json
from connectors.mongo.images import Image
from connectors.mongo.origin import OriginWriter
from connectors.mongo.snapshots.snapshots import Piece
from connectors.mongo.values import described
from connectors.source import Collection, DocumentChange, DocumentOrigin, TransactionPart
from streamtrain.envelope import Op


class DocumentRows:
    """Makes changes of documents; each collection's are together, in their order."""

    def __init__(self, prefix: str) -> None:
        self._origin = OriginWriter(prefix)
        self._lsid = lru_cache(maxsize=1_024)(_lsid)
        self._block = lru_cache(maxsize=65_536)(self._known)

    def changes(
        self, images: Sequence[Image], parts: Sequence[TransactionPart | None] | None = None
    ) -> list[DocumentChange]:
        """One change for each collection. ``parts`` are the images' places in their transactions, if they are told."""
        runs: dict[tuple[str, str], list[int]] = {}
        for at, image in enumerate(images):
            runs.setdefault(image.event.name, []).append(at)
        changes = list[DocumentChange]()
        for name, run in runs.items():
            change = self._change(*name, [images[at] for at in run])
            changes.append(change if parts is None else replace(change, transactions=[parts[at] for at in run]))
        return changes

    def read(self, piece: Piece, moment: Time, now_us: int) -> list[DocumentChange]:
        """What a snapshot has read, as of ``moment``."""
        collection, origin = self._block(*piece.collection.split(".", 1), _SNAPSHOT.get(piece.kind, "true"))
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
                [DocumentOrigin(now_us, moment.ordinal, None, None, None, None)] * count,
                piece.markers,
            )
        ]

    def origin_of(self, event: Event) -> Mapping[str, Any]:
        """The ``source`` block of an event."""
        return source_block(self._block(*event.name, "false")[1], self._place(event, None), "false")

    def _change(self, database: str, name: str, images: Sequence[Image]) -> DocumentChange:
        collection, origin = self._block(database, name, "false")
        return DocumentChange(
            collection,
            [image.op for image in images],
            [id_json(image.event.id) for image in images],
            [None if image.before is None else value_json(image.before) for image in images],
            [None if image.after is None else value_json(image.after) for image in images],
            [described(image.event.data, image.event.parts) for image in images],
            origin,
            [self._place(image.event, image.after_from) for image in images],
        )

    def _known(self, database: str, name: str, snapshot: str) -> tuple[Collection, Mapping[str, Any]]:
        collection = Collection(database, name)
        return collection, self._origin.block(collection, snapshot)

    def _place(self, event: Event, after_from: str | None) -> DocumentOrigin:
        parts = event.parts
        time, wall = parts.cluster_time or 0, parts.wall_time_ms
        micros = (time >> 32) * 1_000_000 if wall is None else wall * 1_000
        lsid = None if parts.lsid is None else self._lsid(event.document(parts.lsid))
        return DocumentOrigin(micros, time & 0xFFFFFFFF, lsid, parts.txn_number, wall, after_from)


_SNAPSHOT = {"incremental": "incremental", "unsent": "incremental"}


def _lsid(document: bytes) -> str:
    return value_json(document).decode()
