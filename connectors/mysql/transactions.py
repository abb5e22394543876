"""Binlog events -> committed changes, and the position after them.

The rows of a transaction are held until its end is seen, so that a rollback can still drop them: the log holds one where
a transaction also touched a temporary table or one of an engine without transactions. A transaction that grows past
``hold_rows`` is given out in pieces, as it may be larger than memory; should such a one end in a rollback, reading stops.
Between the pieces the position is the transaction's beginning and the number of its rows that have been given out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.mysql.binlog import events
from connectors.mysql.origin import LogPlace, OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.statements import Kind, Statement, classify
from connectors.mysql.transaction import Transaction
from connectors.source import Change, Table
from streamtrain.envelope import Op
from streamtrain.errors import PositionLost, UnsupportedChange

_ROW_FORMAT_HINT = (
    "only row events can be captured: SET GLOBAL binlog_format = 'ROW' and end the sessions with another format; "
    "`snapshot: when_needed` with a new topic.prefix reads the tables anew"
)
_XA_HINT = "XA transactions on captured tables are not supported: leave these tables out of source.include"


class Transactions:
    """Takes the log's events in order; gives out changes and the position after them. Not thread-safe.

    Raises UnsupportedChange on whatever may change captured rows in a way that cannot be followed, PositionLost if the
    transaction that ``start`` says is half published is not the one that comes.
    """

    def __init__(
        self,
        start: LogPosition,
        captured: Callable[[str, str], bool],
        origin: OriginWriter,
        *,
        hold_rows: int,
        lower_case_names: bool,
    ) -> None:
        self._start = start
        self._file, self._offset = start.file, start.offset
        self._gtids = start.parsed_gtids()
        self._given, self._given_gtid = start.skip_rows, start.skip_gtid
        self._captured = captured
        self._origin = origin
        self._hold_rows = hold_rows
        self._lower_case_names = lower_case_names
        self._transaction: Transaction | None = None
        self._ready: list[Change] = []
        self._ready_rows = 0
        self._wraps, self._last_end = 0, 0
        self._handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.Rows: self._rows,
            events.Query: self._query,
            events.Xid: self._commit,
            events.Gtid: self._gtid,
            events.MariadbGtid: self._mariadb_gtid,
            events.XaPrepare: self._xa_prepare,
            events.Rotate: self._rotate,
            events.FormatDescription: self._format,
        }
        self._statements: dict[Kind, Callable[[events.Query, Statement], None]] = {
            Kind.BEGIN: self._begin_statement,
            Kind.XA_START: self._begin_statement,
            Kind.COMMIT: lambda event, _: self._commit(event),
            Kind.ROLLBACK: lambda event, _: self._rollback(event),
            Kind.SAVEPOINT: self._savepoint,
            Kind.ROLLBACK_TO_SAVEPOINT: self._rollback_to_savepoint,
            Kind.XA_END: lambda _event, _statement: None,
            Kind.NO_ROWS: lambda event, _: self._statement_done(event),
            Kind.TRUNCATE: self._truncate,
            Kind.EXCHANGE: self._exchange,
            Kind.UNKNOWN: self._unknown,
        }

    @property
    def ready_rows(self) -> int:
        """Rows that ``take`` would give; a TRUNCATE counts as one."""
        return self._ready_rows

    def accept(self, event: events.Event) -> None:
        """Take in the next event of the log."""
        if event.end_position and not event.artificial:
            # The header holds the low 32 bits of an offset; a fall by half of that range is a step past 4 GiB.
            self._wraps += self._last_end - event.end_position > 1 << 31
            self._last_end = event.end_position
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        elif self._transaction is None:
            self._move_on(event)

    def take(self) -> list[Change]:
        """The changes that are ready, which are the caller's from now on."""
        ready, self._ready = self._ready, []
        self._ready_rows = 0
        return ready

    def position(self) -> LogPosition:
        """Where to go on after all that ``take`` has given."""
        return replace(
            self._start,
            file=self._file,
            offset=self._offset,
            gtids=None if self._gtids is None else str(self._gtids),
            skip_rows=self._given,
            skip_gtid=self._given_gtid if self._given else None,
        )

    # Where we are

    def _rotate(self, event: events.Rotate) -> None:
        self._abandon()
        if event.file != self._file or not event.artificial:
            self._file, self._offset = event.file, event.position
            self._wraps = self._last_end = 0

    def _format(self, event: events.FormatDescription) -> None:
        self._abandon()
        self._move_on(event)

    def _abandon(self) -> None:
        """A file ends within a transaction: the server died while it wrote it, and has rolled it back since."""
        if self._transaction is not None:
            self._refuse_if_given("the server died in a transaction whose rows are published already")
            self._transaction = None

    def _move_on(self, event: events.Event) -> None:
        """Past an event between two transactions. A connection by GTID begins with those at the beginning of the file."""
        if event.end_position and not event.artificial and not self._given:
            self._offset = max(self._offset, self._end_of(event))

    def _end_of(self, event: events.Event) -> int:
        return (self._wraps << 32) + event.end_position

    def _place(self, event: events.Event) -> str:
        return f"{self._file}:{self._end_of(event) - event.size}"

    # Beginnings and ends

    def _gtid(self, event: events.Gtid) -> None:
        self._begin(event, Transaction(event.gtid or None, event.committed_us))

    def _mariadb_gtid(self, event: events.MariadbGtid) -> None:
        transaction = Transaction(event.gtid, two_phase=event.prepared_xa)
        transaction.explicit = not (event.standalone or event.completed_xa)
        self._begin(event, transaction)

    def _begin_statement(self, event: events.Query, statement: Statement) -> None:
        if self._transaction is None:
            self._begin(event, Transaction())
        transaction = self._open(event)
        if transaction.explicit:
            raise self._nested(event)
        transaction.explicit = True
        transaction.two_phase |= statement.kind is Kind.XA_START

    def _begin(self, event: events.Event, transaction: Transaction) -> None:
        if self._transaction is not None:
            raise self._nested(event)
        beginning = self._end_of(event) - event.size
        if not self._given:
            self._offset = beginning
        elif transaction.gtid != self._given_gtid or (transaction.gtid is None and beginning != self._offset):
            raise PositionLost(
                f"{self._given} rows of the transaction at {self._start} are published, but another one is there: "
                f"{transaction.gtid or self._place(event)}",
                hint="the server's log is not the one that was read before: go back to that server, "
                "or begin again under a new topic.prefix",
            )
        self._transaction = transaction

    def _nested(self, event: events.Event) -> UnsupportedChange:
        return UnsupportedChange(f"a transaction begins within another at {self._place(event)}")

    def _open(self, event: events.Event) -> Transaction:
        if self._transaction is None:
            raise UnsupportedChange(f"a change or a commit without a transaction at {self._place(event)}")
        return self._transaction

    def _commit(self, event: events.Event) -> None:
        transaction = self._open(event)
        if self._given > transaction.rows:
            raise PositionLost(
                f"{self._given} rows of the transaction at {self._start} are published, but it has {transaction.rows}",
                hint="the server's log, or source.include, is not what it was: begin again under a new topic.prefix",
            )
        self._give_out(transaction)
        self._finish(event, transaction)

    def _rollback(self, event: events.Event) -> None:
        transaction = self._open(event)
        self._refuse_if_given(f"a transaction is rolled back at {self._place(event)}, after it was published in part")
        self._finish(event, transaction)

    def _finish(self, event: events.Event, transaction: Transaction) -> None:
        if transaction.gtid is not None and self._gtids is not None:
            self._gtids.add(transaction.gtid)
        self._transaction = None
        self._given = 0
        self._offset = self._end_of(event)

    def _refuse_if_given(self, message: str) -> None:
        if self._given:
            raise UnsupportedChange(
                message,
                hint=f"raise source.commit_rows above {self._given} and begin again under a new topic.prefix, "
                "and keep temporary tables and engines without transactions out of large transactions",
            )

    def _xa_prepare(self, event: events.XaPrepare) -> None:
        transaction = self._open(event)
        if event.one_phase:
            self._commit(event)
        elif transaction.rows:
            raise UnsupportedChange(f"XA PREPARE of captured rows at {self._place(event)}", hint=_XA_HINT)
        else:
            self._finish(event, transaction)

    def _savepoint(self, event: events.Query, statement: Statement) -> None:
        transaction = self._open(event)
        transaction.savepoints[statement.name] = transaction.rows

    def _rollback_to_savepoint(self, event: events.Query, statement: Statement) -> None:
        transaction = self._open(event)
        if transaction.rows < self._given:
            return  # read before: it took back nothing that was given out, or reading would have stopped here
        kept = transaction.savepoints.get(statement.name, -1)
        if kept < self._given:
            self._refuse_if_given(f"rows that are published are rolled back at {self._place(event)}")
            raise UnsupportedChange(f"rollback to an unknown savepoint at {self._place(event)}")
        transaction.drop_after(kept)

    # Changes

    def _rows(self, event: events.Rows) -> None:
        transaction = self._open(event)
        change = Change(event.table, event.op, event.before, event.after, self._block(event, event.table, transaction))
        transaction.add(change, self._given)
        if transaction.held_rows >= self._hold_rows:
            if transaction.two_phase:
                raise UnsupportedChange(f"a large XA transaction at {self._place(event)}", hint=_XA_HINT)
            self._give_out(transaction)
            self._given, self._given_gtid = transaction.rows, transaction.gtid

    def _block(self, event: events.Rows | events.Query, table: Table, transaction: Transaction) -> dict[str, Any]:
        committed_us = transaction.committed_us or event.timestamp * 1_000_000
        place = LogPlace(
            self._file, self._end_of(event) - event.size, event.server_id, transaction.gtid, event.thread_id
        )
        return self._origin.block(table, committed_us, place)

    def _give_out(self, transaction: Transaction) -> None:
        self._ready_rows += transaction.held_rows
        self._ready.extend(transaction.take())

    def _query(self, event: events.Query) -> None:
        statement = classify(event.sql, event.database)
        self._statements[statement.kind](event, statement)

    def _statement_done(self, event: events.Query) -> None:
        if self._transaction is None:
            self._move_on(event)
        elif not self._transaction.explicit:
            self._commit(event)

    def _truncate(self, event: events.Query, statement: Statement) -> None:
        name = self._stored_name(statement)
        if self._captured(*name):
            if self._transaction is None:
                self._begin(event, Transaction())
            table = Table(*name, columns=())
            transaction = self._open(event)
            transaction.held.append((0, Change(table, Op.TRUNCATE, None, None, self._block(event, table, transaction))))
            transaction.held_rows += 1
        self._statement_done(event)

    def _exchange(self, event: events.Query, statement: Statement) -> None:
        if self._captured(*self._stored_name(statement)):
            raise UnsupportedChange(
                f"{'.'.join(statement.table)} got rows that no event tells of at {self._place(event)}",
                hint="`snapshot: when_needed` with a new topic.prefix reads the tables anew",
            )
        self._statement_done(event)

    def _stored_name(self, statement: Statement) -> tuple[str, str]:
        database, name = statement.table
        return (database.lower(), name.lower()) if self._lower_case_names else (database, name)

    def _unknown(self, event: events.Query, _statement: Statement) -> None:
        verb = event.sql.split(maxsplit=1)[0][:20]
        raise UnsupportedChange(
            f"a statement that may change rows without row events at {self._place(event)}: {verb} …",
            hint=_ROW_FORMAT_HINT,
        )
