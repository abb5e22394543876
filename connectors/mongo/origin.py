"""The ``source`` block of Debezium's envelope: which collection, when, in which session.

Fields and their order: https://debezium.io/documentation/reference/stable/connectors/mongodb.html#mongodb-create-events
"""

from __future__ import annotations

from typing import Any

from connectors.source import Collection
from streamtrain import __version__


class OriginWriter:
    """Makes what the source blocks of one source have in common."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def block(self, collection: Collection, snapshot: str = "false") -> dict[str, Any]:
        """What all changes of a collection share."""
        return {
            "version": __version__,
            "connector": "mongodb",
            "name": self._prefix,
            "snapshot": snapshot,
            "db": collection.database,
            "collection": collection.name,
        }

    def schema_block(self, database: str, collection: str, committed_us: int, ordinal: int) -> dict[str, Any]:
        """The whole block, for a change of structure."""
        return {
            "version": __version__,
            "connector": "mongodb",
            "name": self._prefix,
            "ts_ms": committed_us // 1_000,
            "snapshot": "false",
            "db": database,
            "sequence": None,
            "ts_us": committed_us,
            "ts_ns": committed_us * 1_000,
            "collection": collection,
            "ord": ordinal,
            "lsid": None,
            "txnNumber": None,
            "wallTime": None,
            "after_from": None,
        }
