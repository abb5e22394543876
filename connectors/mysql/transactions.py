"""Binlog events -> committed changes, and the position after them.

Nothing of a transaction is given out before its end has been seen: the log holds rollbacks where a transaction also
touched a temporary table or one of an engine without transactions, and transactions that a crash of the server cut off.
A small one is held in memory. One that is too large is only skimmed to its end, and then read again; it is given out in
pieces, between which the position is its beginning and the number of its rows that have been given out. The rows of an
XA transaction are in the log where it is prepared, and belong to its XA COMMIT, which may come much later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.mysql.again import Again
from connectors.mysql.binlog import events
from connectors.mysql.ddl.catalog import TableChange
from connectors.mysql.ddl.tokens import NotUnderstood
from connectors.mysql.emission import Commit, Emission
from connectors.mysql.offsets import Offsets
from connectors.mysql.position import LogPosition, PreparedXa
from connectors.mysql.prepared import PreparedTransactions
from connectors.mysql.statements import STRUCTURAL, Kind, Statement, classify
from connectors.mysql.transaction import Held, HoldLimits, Ranges, Transaction, in_ranges
from connectors.source import Table
from streamtrain.errors import PositionLost, UnsupportedChange

_ROW_FORMAT_HINT = (
    "only row events can be captured: SET GLOBAL binlog_format = 'ROW' and end the sessions with another format; "
    "`snapshot: when_needed` with a new topic.prefix reads the tables anew"
)
_OTHER_LOG_HINT = "the server's log is not the one that was read before: go back to that server, or begin again under a new topic.prefix"


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """What of the log is given out, and how much of it is held in memory."""

    captured: Callable[[str, str], bool]
    """Whether a table, as (database, name), is captured."""
    limits: HoldLimits
    lower_case_names: bool
    """The server stores names in lower case, however they were written."""
    find_prepared: Callable[[str, LogPosition], PreparedXa]
    """Looks for an XA transaction that was prepared before reading began, from the point of its commit back."""
    follow_ddl: Callable[[events.Query], Sequence[TableChange]] = lambda _event: ()
    """Takes note of what a statement does to the structure of tables, on which the decoding of what follows depends."""
    table_of: Callable[[str, str], Table] = lambda database, name: Table(database, name, columns=())
    """A captured table as it is known there, with its columns if they are."""


class Transactions:
    """Takes the log's events in order; gives out changes and the position after them. Not thread-safe.

    Raises UnsupportedChange on whatever may change captured rows in a way that cannot be followed, PositionLost if the
    transaction that ``start`` says is half published is not the one that comes.
    """

    def __init__(self, start: LogPosition, emission: Emission, settings: TransactionSettings) -> None:
        self._start = start
        self._file, self._offset = start.file, start.offset
        self._gtids = start.parsed_gtids()
        self._given, self._given_gtid = start.skip_rows, start.skip_gtid
        self._settings = settings
        self._emission = emission
        self._prepared = PreparedTransactions(start.prepared, settings.limits)
        self._transaction: Transaction | None = None
        self._again: Again | None = None
        self._offsets = Offsets(start.offset)
        self._handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.PlainTransaction: self._plain,
            events.Rows: self._rows,
            events.SkimmedRows: self._skimmed,
            events.RowsQuery: self._rows_query,
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
            Kind.XA_COMMIT: self._xa_commit,
            Kind.XA_ROLLBACK: self._xa_rollback,
            Kind.NO_ROWS: lambda event, _: self._statement_done(event),
            Kind.TRUNCATE: self._truncate,
            Kind.EXCHANGE: self._exchange,
            Kind.UNKNOWN: self._unknown,
        }

    @property
    def skimming(self) -> bool:
        """Whether rows need not be decoded for now: they are part of a transaction that is read again in any case."""
        return self._transaction is not None and self._transaction.deferred and self._again is None

    @property
    def between(self) -> bool:
        """Whether the next event begins a transaction of which nothing is published."""
        return self._transaction is None and self._again is None and not self._given

    @property
    def wanted(self) -> LogPosition | None:
        """Where the log has to be read again, before it goes on: ``accept`` is then to be given what comes from there."""
        return None if self._again is None else self._again.start

    def accept(self, event: events.Event) -> None:
        """Take in the next event of the log, or of what is read again."""
        if self._again is not None:
            if self._again.accept(event):
                self._finish(self._again.last, self._again.commit)
            return
        self._offsets.pass_over(event)
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        elif self._transaction is None:
            self._move_on(event)

    def position(self) -> LogPosition:
        """Where to go on after all that ``take`` has given."""
        given = self._given if self._again is None else self._again.commit.given
        return replace(
            self._start,
            file=self._file,
            offset=self._offset,
            gtids=None if self._gtids is None else str(self._gtids),
            skip_rows=given,
            skip_gtid=self._given_gtid if given else None,
            prepared=self._prepared.listed(),
        )

    # Where we are

    def _rotate(self, event: events.Rotate) -> None:
        self._abandon()
        if event.file != self._file or not event.artificial:
            self._file, self._offset = event.file, event.position
            self._offsets = Offsets()

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
            self._offset = max(self._offset, self._offsets.end_of(event))

    def _at(self, event: events.Event) -> tuple[str, int]:
        return self._file, self._offsets.start_of(event)

    def _place(self, event: events.Event) -> str:
        return f"{self._file}:{self._offsets.start_of(event)}"

    # Beginnings and ends

    def _gtid(self, event: events.Gtid) -> None:
        self._begin(event, Transaction(*self._at(event), event.gtid or None, event.committed_us))

    def _mariadb_gtid(self, event: events.MariadbGtid) -> None:
        explicit = not (event.standalone or event.completed_xa)
        alters = not event.unfinished_alter
        self._begin(event, Transaction(*self._at(event), event.gtid, explicit=explicit, alters=alters))

    def _begin_statement(self, event: events.Query, _statement: Statement) -> None:
        transaction = self._joined(event)
        if transaction.explicit:
            raise self._nested(event)
        transaction.explicit = True

    def _joined(self, event: events.Query) -> Transaction:
        """The transaction that is open, or the one that begins with this statement, where the log has no GTIDs."""
        if self._transaction is None:
            self._begin(event, Transaction(*self._at(event)))
        return self._open(event)

    def _begin(self, event: events.Event, transaction: Transaction) -> None:
        if self._transaction is not None:
            raise self._nested(event)
        if not self._given:
            self._offset = transaction.offset
        elif transaction.gtid != self._given_gtid or (transaction.gtid is None and transaction.offset != self._offset):
            raise PositionLost(
                f"{self._given} rows of the transaction at {self._start} are published, but another one is there: "
                f"{transaction.gtid or self._place(event)}",
                hint=_OTHER_LOG_HINT,
            )
        self._transaction = transaction

    def _nested(self, event: events.Event) -> UnsupportedChange:
        return UnsupportedChange(f"a transaction begins within another at {self._place(event)}")

    def _open(self, event: events.Event) -> Transaction:
        if self._transaction is None:
            raise UnsupportedChange(f"a change or a commit without a transaction at {self._place(event)}")
        return self._transaction

    def _committed(self, event: events.Event, transaction: Transaction, place: tuple[str, int] | None = None) -> Commit:
        """What its changes share, now that its end has come."""
        gtid = transaction.gtid
        committed_us = transaction.committed_us or (event.timestamp * 1_000_000 if place else None)
        name = gtid or f"file={transaction.file},pos={transaction.offset}"
        return Commit(name, gtid, committed_us, place, given=self._given)

    def _commit(self, event: events.Event) -> None:
        transaction = self._open(event)
        commit = self._committed(event, transaction)
        if transaction.deferred:
            self._read_again(event, self._origin_of("", transaction), commit)
            return
        self._give_out(transaction.held, transaction.taken_back, commit)
        self._finish(event, commit)

    def _give_out(self, changes: Sequence[Held], taken_back: Ranges, commit: Commit) -> None:
        for number, held in enumerate(changes):
            if taken_back and in_ranges(taken_back, number):
                commit.rows += held.event.count
            else:
                self._emission.rows_of(commit, held.event, (self._file, held.offset), held.query)

    def _read_again(self, event: events.Event, origin: PreparedXa, commit: Commit) -> None:
        start = self._start_of(origin)
        self._given_gtid = commit.gtid
        self._again = Again(start, origin, self._emission, commit, event)

    def _start_of(self, origin: PreparedXa) -> LogPosition:
        """Where it can be read again: by its file, or by its GTID where another server has taken over since."""
        here = replace(self._start, file=origin.file, offset=origin.offset, gtids=None, prepared=())
        if origin.server == self._start.server and origin.offset < 1 << 32:
            return here
        if origin.before is not None:
            return replace(here, gtids=origin.before)
        if self._gtids is not None and origin.gtid is not None:
            return replace(here, gtids=str(self._gtids.without(origin.gtid)))
        raise PositionLost(f"{origin} was read from another server", hint=_OTHER_LOG_HINT)

    def _plain(self, event: events.PlainTransaction) -> None:
        """All of a transaction at once, which is what its events come to one by one."""
        end = self._offsets.end_of(event)
        gtid = event.gtid or None
        commit = Commit(gtid or f"file={self._file},pos={end - event.size}", gtid, event.committed_us)
        for rows in event.changes:
            self._emission.rows_of(commit, rows, (self._file, self._offsets.start_of(rows)), None)
        self._emission.end(commit, event)
        if gtid is not None and self._gtids is not None:
            self._gtids.add(gtid)
        self._offset = end

    def _rollback(self, event: events.Event) -> None:
        transaction = self._open(event)
        self._refuse_if_given(f"a transaction is rolled back at {self._place(event)}, after it was published in part")
        self._end(event, transaction)

    def _finish(self, event: events.Event, commit: Commit) -> None:
        """All of a committed transaction has been given out."""
        transaction, self._again = self._open(event), None
        if self._given > commit.rows:
            raise PositionLost(
                f"{self._given} rows of the transaction at {self._start} are published, but it has {commit.rows}",
                hint="the server's log, or source.include, is not what it was: begin again under a new topic.prefix",
            )
        if transaction.explicit or transaction.completes:
            self._emission.end(commit, event)
        self._end(event, transaction)

    def _end(self, event: events.Event, transaction: Transaction) -> None:
        if transaction.gtid is not None and self._gtids is not None:
            self._gtids.add(transaction.gtid)
        if transaction.completes is not None:
            self._prepared.remove(transaction.completes)
        self._transaction = None
        self._given = 0
        self._offset = self._offsets.end_of(event)

    def _refuse_if_given(self, message: str) -> None:
        if self._given:
            raise UnsupportedChange(message, hint=_OTHER_LOG_HINT)

    # XA

    def _xa_prepare(self, event: events.XaPrepare) -> None:
        transaction = self._open(event)
        if event.one_phase:
            self._commit(event)
            return
        self._prepared.add(self._origin_of(event.xid, transaction), transaction)
        self._end(event, transaction)

    def _origin_of(self, xid: str, transaction: Transaction) -> PreparedXa:
        mariadb = self._start.flavor == "mariadb" and self._gtids is not None
        return transaction.prepared(xid, self._start.server, str(self._gtids) if mariadb else None)

    def _xa_commit(self, event: events.Query, statement: Statement) -> None:
        transaction = self._joined(event)
        if transaction.explicit:
            self._commit(event)
            return
        transaction.completes = statement.name
        origin = self._prepared.get(statement.name) or self._settings.find_prepared(statement.name, self.position())
        commit = self._committed(event, transaction, self._at(event))
        held = self._prepared.held(statement.name)
        if held is None and origin.changes:
            self._read_again(event, origin, commit)
            return
        self._give_out(held or (), origin.taken_back, commit)
        self._finish(event, commit)

    def _xa_rollback(self, event: events.Query, statement: Statement) -> None:
        transaction = self._joined(event)
        transaction.completes = statement.name
        self._rollback(event)

    # Savepoints, changes and other statements

    def _savepoint(self, event: events.Query, statement: Statement) -> None:
        self._open(event).set_savepoint(statement.name)

    def _rollback_to_savepoint(self, event: events.Query, statement: Statement) -> None:
        if not self._open(event).roll_back_to(statement.name):
            raise UnsupportedChange(f"rollback to an unknown savepoint at {self._place(event)}")

    def _rows_query(self, event: events.RowsQuery) -> None:
        if self._transaction is not None:
            self._transaction.query = event.sql

    def _rows(self, event: events.Rows) -> None:
        self._open(event).add(event, self._offsets.start_of(event), self._settings.limits)

    def _skimmed(self, event: events.SkimmedRows) -> None:
        self._open(event).changes += 1

    def _query(self, event: events.Query) -> None:
        statement = classify(event.sql, event.database)
        transaction = self._transaction
        altered = self._altered(event) if statement.kind in STRUCTURAL else ()
        self._statements[statement.kind](event, statement)
        if altered:
            transaction = transaction or Transaction(*self._at(event))
            self._emission.structure(self._committed(event, transaction), event, altered, self._at(event))

    def _altered(self, event: events.Query) -> Sequence[TableChange]:
        if self._transaction is not None and not self._transaction.alters:
            return ()
        try:
            return self._settings.follow_ddl(event)
        except NotUnderstood as error:
            raise UnsupportedChange(
                f"a statement at {self._place(event)} may alter any table: {error}",
                hint="`snapshot: when_needed` with a new topic.prefix reads the tables anew",
            ) from error

    def _statement_done(self, event: events.Query) -> None:
        if self._transaction is None:
            self._move_on(event)
        elif not self._transaction.explicit:
            self._commit(event)

    def _truncate(self, event: events.Query, statement: Statement) -> None:
        for name in self._captured(statement):
            transaction = self._joined(event)
            if transaction.explicit:
                raise UnsupportedChange(f"a TRUNCATE within a transaction at {self._place(event)}")
            commit = self._committed(event, transaction)
            self._emission.truncate(commit, event, self._settings.table_of(*name), self._at(event))
        self._statement_done(event)

    def _exchange(self, event: events.Query, statement: Statement) -> None:
        names = self._captured(statement)
        if names:
            raise UnsupportedChange(
                f"{', '.join(map('.'.join, names))} got or lost rows that no event tells of at {self._place(event)}",
                hint="`snapshot: when_needed` with a new topic.prefix reads the tables anew",
            )
        self._statement_done(event)

    def _captured(self, statement: Statement) -> list[tuple[str, str]]:
        """The captured tables that a statement is about, as the server stores their names."""
        lower = self._settings.lower_case_names
        names = [(database.lower(), name.lower()) if lower else (database, name) for database, name in statement.tables]
        return [name for name in names if self._settings.captured(*name)]

    def _unknown(self, event: events.Query, _statement: Statement) -> None:
        verb = event.sql.split(maxsplit=1)[0][:20]
        raise UnsupportedChange(
            f"a statement that may change rows without row events at {self._place(event)}: {verb} …",
            hint=_ROW_FORMAT_HINT,
        )
