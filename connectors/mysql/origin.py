"""The ``source`` block of Debezium's envelope: where in the log a change is, and when it was committed.

Fields and their order: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-create-events
"""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.source import Table
from streamtrain import __version__


class LogPlace(NamedTuple):
    """What the block says of the log: file, byte offset of the event, whose transaction it was, by which statement."""

    file: str
    offset: int
    server_id: int = 0
    gtid: str | None = None
    thread_id: int | None = None
    query: str | None = None


class OriginWriter:
    """Makes source blocks of one source."""

    def __init__(self, connector: str, prefix: str) -> None:
        self._head = {"version": __version__, "connector": connector, "name": prefix}

    def block(self, table: Table, committed_us: int, place: LogPlace, snapshot: str = "false") -> dict[str, Any]:
        """``committed_us`` is microseconds since 1970. ``row`` is the envelope's to fill; it holds its place here."""
        return {
            **self._head,
            "ts_ms": committed_us // 1_000,
            "snapshot": snapshot,
            "db": table.database,
            "sequence": None,
            "ts_us": committed_us,
            "ts_ns": committed_us * 1_000,
            "table": table.name,
            "server_id": place.server_id,
            "gtid": place.gtid,
            "file": place.file,
            "pos": place.offset,
            "row": 0,
            "thread": place.thread_id,
            "query": place.query,
        }
