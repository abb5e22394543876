"""Reads the captured tables as they stand at one position of the log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from connectors.mysql.origin import LogPlace, OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.select import TableReader
from connectors.mysql.snapshot_point import SnapshotPoint
from connectors.mysql.value_modes import ValueModes
from connectors.source import Change, Row, Table
from streamtrain.envelope import Op

CHUNK_ROWS = 1_000


class Snapshot:
    """The rows of every captured table, in chunks, as Debezium marks them. Owns the point's connection.

    The transaction keeps the server from clearing old row versions away until the last row has been read.
    Raises SourceUnavailable if a table is altered before it is read: the snapshot then has to begin again.
    """

    def __init__(self, point: SnapshotPoint, origin: OriginWriter, began_us: int, modes: ValueModes) -> None:
        self.position: LogPosition = point.position
        self._connection = point.connection
        self._origin = origin
        self._began_us = began_us
        self._readers = [TableReader(schema, modes) for schema in point.schemas]
        self._changes = self._marked()

    def read(self) -> Change | None:
        """The next chunk; None after the last."""
        return next(self._changes, None)

    def close(self) -> None:
        """Let go of the connection. Safe to call twice."""
        self._connection.close()

    def _marked(self) -> Iterator[Change]:
        """The chunks with the first and the last row of all marked, and the first and the last of each table.

        Only the chunk after it tells whether a row is the last of all, so that one chunk is always held back.
        """
        chunks = self._chunks()
        previous, current = None, next(chunks, None)
        while current is not None:
            following = next(chunks, None)
            table, rows = current
            opens = previous is None or previous[0] is not table
            closes = following is None or following[0] is not table
            markers = ["true"] * len(rows) if opens or closes else []
            if opens:
                markers[0] = "first_in_data_collection"
            if closes:
                markers[-1] = "last_in_data_collection"
            if previous is None:
                markers[0] = "first"
            if following is None:
                markers[-1] = "last"
            yield Change(table, Op.READ, None, rows, self._block(table), markers)
            previous, current = current, following

    def _chunks(self) -> Iterator[tuple[Table, list[Row]]]:
        for reader in self._readers:
            # Going back to a savepoint has MySQL let go of the table's definition; MariaDB holds up an ALTER to the end.
            self._connection.query("SAVEPOINT streamtrain_table")
            rows = self._connection.stream(reader.statement, reader.width, needs=f"SELECT ON {reader.quoted_name}")
            while chunk := list(islice(rows, CHUNK_ROWS)):
                yield reader.table, reader.rows(chunk)
            self._connection.query("ROLLBACK TO SAVEPOINT streamtrain_table")

    def _block(self, table: Table) -> dict[str, Any]:
        place = LogPlace(self.position.file, self.position.offset)
        return self._origin.block(table, self._began_us, place, snapshot="true")
