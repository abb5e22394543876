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
