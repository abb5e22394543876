"""Follows a server's binary log from a position on, and gives what has been committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Event, PlainTransaction, Query, TableMap
from connectors.mysql.connection import Connection
from connectors.mysql.ddl.catalog import TableChange
from connectors.mysql.ddl.renames import NO_NAME_CHANGES, NameChanges, name_changes
from connectors.mysql.emission import Emission
from connectors.mysql.log_reader import LogReader
from connectors.mysql.log_search import find_prepared
from connectors.mysql.origin import OriginWriter
from connectors.mysql.position import LogPosition, PreparedXa
from connectors.mysql.replication import Dump
from connectors.mysql.schema_log import SchemaLog
from connectors.mysql.select import TableReader
from connectors.mysql.server import Server
from connectors.mysql.server_errors import POSITION_LOST_HINT
from connectors.mysql.structure import TableSchema
from connectors.mysql.structure_watch import StructureWatch
from connectors.mysql.transaction import HoldLimits
from connectors.mysql.transactions import Transactions, TransactionSettings
from connectors.mysql.value_modes import DEFAULT_MODES, ValueModes
from connectors.source import SourceEvent, Table
from streamtrain.errors import PositionLost, SourceUnavailable, StreamtrainError

_FIRST_EVENT_S = 60.0
_CLOCK_EVERY = 256


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How the log is followed."""

    replica_id: int
    prefix: str
    captured: Callable[[str, str], bool]
    """Whether a table, as (database, name), is captured."""
    limits: HoldLimits
    """What one read gives, about, and what is held of an unfinished transaction and of prepared ones."""
    heartbeat_s: float
    """The server shows at least this often that it is there and how far its log has come."""
    silence_s: float
    """After this long without even a heartbeat the connection is taken for dead."""
    monotonic: Callable[[], float]
    modes: ValueModes = DEFAULT_MODES
    include_schema_changes: bool = False
    """Tell of changes of the structure of captured tables; followed they are in any case."""
    transaction_metadata: bool = False
    """Tell of transactions' beginnings and ends, and number their rows."""
    include_query: bool = False
    """Tell the statement behind each row, where the server logs it."""
    altered: Callable[[str], None] = lambda _statement: None
    """Told each statement that has changed the structure of a captured table."""


class BinlogStream:
    """Follows the log of ``server`` from ``position`` on.

    Owns ``connection``; ``connect`` opens others, on which large and prepared transactions are read a second time.
    Not thread-safe. Raises PositionLost if the log does not hold ``position`` any more, AccessDenied without
    REPLICATION SLAVE.
    """

    def __init__(
        self,
        connection: Connection,
        connect: Callable[[], Connection],
        server: Server,
        position: LogPosition,
        *,
        schema_log: SchemaLog,
        settings: StreamSettings,
    ) -> None:
        self._schema_log = schema_log
        self._renamed = NO_NAME_CHANGES
        self._restructured = False
        """The last statement that was read has changed the structure or the name of a captured table."""
        self._connect = connect
        self._server = server
        self._settings = settings
        self._doing = f"reading the binary log from {position}"
        origin = OriginWriter(server.flavor.value, settings.prefix)
        self._emission = Emission(
            origin,
            metadata=settings.transaction_metadata,
            query=settings.include_query,
            structure_of=settings.captured if settings.include_schema_changes else None,
        )
        self._transactions = Transactions(
            position,
            self._emission,
            TransactionSettings(
                settings.captured,
                settings.limits,
                server.lower_case_names,
                self._find_prepared,
                self._follow_ddl,
                self._table_of,
            ),
        )
        self._watch = StructureWatch(schema_log, server, settings.captured, connect)
        self._watch.begin(position)
        self._received = -1
        self._silent_since_s = 0.0
        """When nothing was found for the first time since so many bytes were ``_received``."""
        self._failure: StreamtrainError | None = None
        self._again: LogReader | None = None
        self._wanted: LogPosition | None = None
        """Where ``_again`` began."""
        self._log = LogReader(
            connection,
            self._decoder(),
            server,
            position,
            Dump(settings.replica_id, settings.heartbeat_s, annotated=settings.include_query),
        )
        first = self._log.read(_FIRST_EVENT_S)
        if first is None:
            raise SourceUnavailable(f"{self._doing}: the server does not answer")
        self._transactions.accept(first)

    @property
    def position(self) -> LogPosition:
        """Where to go on after all that ``read`` has given."""
        return self._transactions.position()

    def read(self, timeout_s: float, until: LogPosition | None = None) -> Sequence[SourceEvent]:
        """What comes next, waiting at most ``timeout_s`` for the first of it, and nothing of what lies behind ``until``.

        What was committed before something that cannot be read is given first; the error is raised by the next call.
        Nothing that lies behind a statement that changes captured tables comes together with what lies before it: what
        passes of it may be another matter. See ``take_renamed``.
        """
        if self._failure is not None:
            raise self._failure
        self._restructured = False
        try:
            self._read(timeout_s, until)
        except StreamtrainError as failure:
            if not self._emission.rows:
                raise
            self._failure = failure
        return self._emission.take()

    def take_renamed(self) -> NameChanges:
        """What the last statement that was read did to the names of captured tables."""
        renamed, self._renamed = self._renamed, NO_NAME_CHANGES
        return renamed

    def _follow_ddl(self, event: Query) -> Sequence[TableChange]:
        with self._schema_log.whole():
            changes = self._schema_log.apply(event)
            if any(self._settings.captured(*change.name) for change in changes):
                self._restructured = True
                self._settings.altered(event.sql)
        renamed = name_changes(changes)
        if any(self._settings.captured(*name) for name in renamed.names):
            self._renamed, self._restructured = renamed, True
        return changes

    def _read(self, timeout_s: float, until: LogPosition | None) -> None:
        transactions, emission, limits, clock = (
            self._transactions, self._emission, self._settings.limits, self._settings.monotonic,
        )  # fmt: skip
        deadline = clock() + timeout_s
        # A row has a byte at least: what has no more bytes has not more rows than may be held.
        plain = 0 if self._watch.active else min(limits.rows, limits.size)
        wait_s, count = timeout_s, 0
        while emission.rows < limits.rows and emission.size < limits.size and not self._restructured:
            if until is not None and not self.position.is_before(until):
                return
            if self._again is None:
                event = self._log.read(wait_s, plain if transactions.between else 0)
            else:
                event = self._read_again(self._again)
            if event is None:
                self._listen(clock())
                return
            if isinstance(event, TableMap) and self._again is None:
                self._watch.saw(event, transactions.position)
            transactions.accept(event)
            if not isinstance(event, PlainTransaction):
                self._follow_up(transactions)
            if emission.rows:
                wait_s = 0.0
            count += 1
            if count % _CLOCK_EVERY == 0 or wait_s:
                left_s = deadline - clock()
                if left_s <= 0:
                    return
                wait_s = min(wait_s, left_s)

    def _follow_up(self, transactions: Transactions) -> None:
        """Read on as the last event asks for."""
        self._log.skim = transactions.skimming
        if transactions.wanted is not self._wanted:
            self._turn_to(transactions.wanted)

    def _turn_to(self, wanted: LogPosition | None) -> None:
        """Read a transaction a second time from where it begins, or go on in the log after it has been read."""
        if self._again is not None:
            self._again.close()
            self._again = None
        if wanted is not None:
            request = Dump(0, self._settings.heartbeat_s, stops=True, annotated=self._settings.include_query)
            self._again = LogReader(self._connect(), self._decoder(), self._server, wanted, request)
        self._wanted = wanted

    def _read_again(self, reader: LogReader) -> Event:
        """The next event of a transaction that is read a second time."""
        event = reader.read(self._settings.silence_s)
        if event is None:
            if reader.ended:
                raise PositionLost(f"the log ends before the transaction at {self._wanted}", hint=POSITION_LOST_HINT)
            raise SourceUnavailable(f"reading the binary log from {self._wanted}: not even a heartbeat came")
        return event

    def _find_prepared(self, xid: str, before: LogPosition) -> PreparedXa:
        # Tables had other names there, which are not claims to their topics now.
        return find_prepared(self._connect, lambda: EventDecoder(self._schema_log.publishes), self._server, xid, before)

    def _table_of(self, database: str, name: str) -> Table:
        known = self._schema_log.schema_of(database, name)
        if isinstance(known, TableSchema):
            return TableReader(known, self._settings.modes).table
        return Table(database, name, columns=())

    def _decoder(self) -> EventDecoder:
        return EventDecoder(self._schema_log.captures, schema_of=self._schema_log.schema_of, modes=self._settings.modes)

    def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        for reader in (self._log, self._again):
            if reader is not None:
                reader.close()

    def _listen(self, now_s: float) -> None:
        """Nothing has arrived that was not read. What comes while nobody reads is found by the next read: that is no silence."""
        if self._log.received != self._received:
            self._received, self._silent_since_s = self._log.received, now_s
        silent_s = now_s - self._silent_since_s
        if silent_s >= self._settings.silence_s:
            raise SourceUnavailable(f"{self._doing}: not even a heartbeat for {silent_s:.0f} s")
