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
        names = ("version", "connector", "name", "ts_ms", "snapshot", "db", "sequence", "ts_us", "ts_ns", "table", "server_id",
                 "gtid", "file", "pos", "row", "thread", "query")  # fmt: skip
        self._empty: dict[str, Any] = dict.fromkeys(names)
        self._empty |= {"version": __version__, "connector": connector, "name": prefix, "row": 0}

    def block(self, table: Table, committed_us: int, place: LogPlace, snapshot: str = "false") -> dict[str, Any]:
        """``committed_us`` is microseconds since 1970. ``row`` is the envelope's to fill; it holds its place here."""
        # There may be one for each row: filling in a copy takes half the time of making one.
        block = self._empty.copy()
        block["ts_ms"] = committed_us // 1_000
        block["snapshot"] = snapshot
        block["db"] = table.database
        block["ts_us"] = committed_us
        block["ts_ns"] = committed_us * 1_000
        block["table"] = table.name
        block["file"], block["pos"], block["server_id"], block["gtid"], block["thread"], block["query"] = place
        return block
