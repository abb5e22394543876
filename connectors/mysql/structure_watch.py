"""Whether tables were altered in a way that the log does not show, where it does not name columns.

A session with ``sql_log_bin = 0`` leaves no trace but the numbers of tables, which change with every alteration, and also
without one. Whenever there may have been one, the structure that the schema log comes to is compared with the server's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import MariadbGtid, Query, Rotate, TableMap
from connectors.mysql.binlog.table_map import GAP_HINT
from connectors.mysql.connection import Connection
from connectors.mysql.ddl.tokens import NotUnderstood
from connectors.mysql.log_reader import LogReader
from connectors.mysql.offsets import Offsets
from connectors.mysql.position import LogPosition, binlog_number
from connectors.mysql.preflight import names_columns
from connectors.mysql.replication import Dump
from connectors.mysql.schema_log import SchemaLog
from connectors.mysql.server import Server, log_end
from connectors.mysql.statements import STRUCTURAL, classify
from connectors.mysql.structure import Gap, TableSchema
from connectors.mysql.structures import Structures, structures_at
from streamtrain.errors import SourceUnavailable, UnsupportedChange

_SILENCE_S = 60.0
_Name = tuple[str, str]


class StructureWatch:
    """Watches the captured tables of one server from one position of its log on. Idle where the log names columns.

    Raises UnsupportedChange if a table is not what the log makes of it.
    """

    def __init__(
        self, log: SchemaLog, server: Server, captured: Callable[[str, str], bool], connect: Callable[[], Connection]
    ) -> None:
        self._log = log
        self._server = server
        self._captured = captured
        self._connect = connect
        self._seen: dict[_Name, tuple[int, TableSchema | Gap]] = {}
        self._checked: LogPosition | None = None
        """Up to here all tables are known to be what the log makes of them; None: there is nothing to watch."""

    def begin(self, start: LogPosition) -> None:
        """Compare all tables, as the log from ``start`` on makes them, with those that are there."""
        with closing(self._connect()) as connection:
            if names_columns(connection):
                self._checked = None
                return
            self._checked = self._check(connection, start, self._captured)

    @property
    def active(self) -> bool:
        """Whether it has to see every TABLE_MAP."""
        return self._checked is not None

    def saw(self, event: TableMap, position: Callable[[], LogPosition]) -> None:
        """A captured table is written to under this number, after the position that is asked for if it is needed."""
        if self._checked is None or not event.wanted:
            return
        name = (event.database, event.name)
        entry, before = self._log.schema_of(*name), self._seen.get(name)
        if before is not None and before[0] == event.table_id:
            return
        self._seen[name] = (event.table_id, entry)
        altered = before is not None and before[1] is not entry
        here = position()
        if altered or (before is None and here.is_before(self._checked)):
            return
        with closing(self._connect()) as connection:
            self._check(connection, here, lambda *other: other == name)

    def _check(self, connection: Connection, start: LogPosition, of: Callable[[str, str], bool]) -> LogPosition:
        found = structures_at(connection, of, lambda: log_end(connection, self._server))
        if _differing(self._log.entries, found, of):
            ahead = self._log.copy()
            self._follow(ahead, start, found.position)
            if different := _differing(ahead.entries, found, of):
                raise UnsupportedChange(
                    f"{', '.join(different)} between {start} and {found.position}: not what the log's statements make of it",
                    hint=GAP_HINT,
                )
        return found.position

    def _follow(self, ahead: SchemaLog, start: LogPosition, end: LogPosition) -> None:
        """Carry out the statements between two positions, before the log is read to there."""
        decoder = EventDecoder(lambda _database, _name: False)
        reader = LogReader(self._connect(), decoder, self._server, start, Dump(0, 1.0, stops=True))
        file, offsets, alters = start.file, Offsets(start.offset), True
        with closing(reader):
            while (event := reader.read(_SILENCE_S)) is not None:
                if isinstance(event, Rotate):
                    file, offsets = event.file, offsets if event.file == file else Offsets()
                    continue
                offsets.pass_over(event)
                if isinstance(event, MariadbGtid):
                    alters = not event.unfinished_alter
                elif isinstance(event, Query) and alters and classify(event.sql, event.database).kind in STRUCTURAL:
                    with suppress(NotUnderstood):  # which will stop reading itself, once that is there
                        ahead.apply(event)
                if not event.artificial and (binlog_number(file), offsets.end_of(event)) >= (
                    binlog_number(end.file),
                    end.offset,
                ):
                    return
        if not reader.ended:
            raise SourceUnavailable(f"reading the binary log from {start}: not even a heartbeat came")


def _differing(
    entries: Mapping[_Name, TableSchema | Gap], found: Structures, of: Callable[[str, str], bool]
) -> list[str]:
    """Tables with other columns than are there. A gap differs from nothing: it stops by itself."""
    shown = {(each.table.database, each.table.name): each.columns for each in found.schemas}
    known = {
        name: entry.columns
        for name, entry in entries.items()
        if isinstance(entry, TableSchema) and not entry.sequence and of(*name)
    }
    return [".".join(name) for name, columns in sorted(known.items()) if shown.get(name) != columns]
