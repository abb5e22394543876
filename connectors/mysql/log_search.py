"""Looks in a server's log for the place where an XA transaction was prepared, before reading began."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from connectors.mysql.binlog import events
from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.connection import Connection
from connectors.mysql.log_reader import LogReader
from connectors.mysql.offsets import Offsets
from connectors.mysql.position import LogPosition, PreparedXa, binlog_number
from connectors.mysql.replication import Dump
from connectors.mysql.server import Server, binlog_files
from connectors.mysql.server_errors import POSITION_LOST_HINT
from connectors.mysql.statements import Kind, classify
from connectors.mysql.transaction import Transaction
from streamtrain import log
from streamtrain.errors import PositionLost, SourceUnavailable

_log = log.get("mysql")

_FILE_START = 4
_SILENCE_S = 60.0


def find_prepared(
    connect: Callable[[], Connection],
    new_decoder: Callable[[], EventDecoder],
    server: Server,
    xid: str,
    before: LogPosition,
) -> PreparedXa:
    """The last preparation of ``xid`` before a position, file by file from there back.

    Raises PositionLost if no file that is left holds it.
    """
    _log.warning("looking in the log for an XA transaction that was prepared before", xid=xid, before=str(before))
    with closing(connect()) as connection:
        files = binlog_files(connection, server)
    last = binlog_number(before.file)
    for file in sorted(files, key=binlog_number, reverse=True):
        if binlog_number(file) <= last:
            start = replace(before, file=file, offset=_FILE_START, gtids=None)
            stop = before.offset if file == before.file else None
            reader = LogReader(connect(), new_decoder(), server, start, Dump(0, 1.0, stops=True))
            with closing(reader):
                found = _Search(xid, start).run(reader, stop)
            if found is not None:
                return found
    raise PositionLost(
        f"XA transaction {xid} is committed at {before}, but no log file that is left tells of its rows",
        hint=POSITION_LOST_HINT,
    )


class _Search:
    """Follows one file's transactions without decoding their rows."""

    def __init__(self, xid: str, start: LogPosition) -> None:
        self._xid = xid
        self._start = start
        self._offsets = Offsets()
        self._transaction: Transaction | None = None
        self._found: PreparedXa | None = None

    def run(self, reader: LogReader, stop: int | None) -> PreparedXa | None:
        """Read to ``stop``, or to the file's end."""
        reader.skim = True
        while True:
            event = reader.read(_SILENCE_S)
            if event is None and not reader.ended:
                raise SourceUnavailable(f"reading the binary log from {self._start}: not even a heartbeat came")
            if event is None or (isinstance(event, events.Rotate) and event.file != self._start.file):
                return self._found
            self._offsets.pass_over(event)
            self._accept(event)
            if stop is not None and not event.artificial and self._offsets.end_of(event) >= stop:
                return self._found

    def _accept(self, event: events.Event) -> None:
        transaction = self._transaction
        if isinstance(event, events.Gtid | events.MariadbGtid):
            self._begin(event, event.gtid or None)
        elif isinstance(event, events.Query):
            self._statement(event)
        elif isinstance(event, events.SkimmedRows):
            if transaction is not None:
                transaction.changes += 1
        elif isinstance(event, events.XaPrepare):
            if transaction is not None and event.xid == self._xid and not event.one_phase:
                self._found = transaction.prepared(event.xid, self._start.server, None)
            self._transaction = None
        elif isinstance(event, events.Xid):
            self._transaction = None

    def _begin(self, event: events.Event, gtid: str | None) -> None:
        self._transaction = Transaction(self._start.file, self._offsets.start_of(event), gtid)

    def _statement(self, event: events.Query) -> None:
        statement = classify(event.sql, event.database)
        if statement.kind in {Kind.BEGIN, Kind.XA_START}:
            if self._transaction is None:
                self._begin(event, None)
        elif self._transaction is None:
            return
        elif statement.kind is Kind.SAVEPOINT:
            self._transaction.set_savepoint(statement.name)
        elif statement.kind is Kind.ROLLBACK_TO_SAVEPOINT:
            self._transaction.roll_back_to(statement.name)
        elif statement.kind is not Kind.XA_END:
            self._transaction = None
