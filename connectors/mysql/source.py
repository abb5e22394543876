"""Committed changes of a MySQL or MariaDB server: a snapshot of the captured tables, then the binary log.

What is promised: every row that a statement inserts, updates or deletes comes once, in commit order; a row of the
snapshot has the same values as the same row in the log; a TRUNCATE comes as one. What cannot be followed stops the
source: statement-based changes, event types that are not known. The rows of an XA transaction come when it is committed.

What is not: DROP TABLE and DROP or TRUNCATE PARTITION take rows away, and ALTER TABLE may rewrite them, without telling
which; as with Debezium they make no deletes or updates. MariaDB, and MySQL before 9.6, leave out of the log what foreign keys
with CASCADE or SET NULL change in child tables; a warning names such tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache, partial

from connectors.mysql.cascades import CascadeWarnings
from connectors.mysql.connection import Connection
from connectors.mysql.continuity import require_continuity
from connectors.mysql.divergence import explained
from connectors.mysql.origin import OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.preflight import require_readable, require_settings, require_tables
from connectors.mysql.replication import register
from connectors.mysql.schema import tables
from connectors.mysql.schema_log import SchemaLog
from connectors.mysql.server import Flavor, Server, inspect, log_end
from connectors.mysql.settings import MysqlSettings
from connectors.mysql.snapshots.absorbed import Absorbed
from connectors.mysql.snapshots.jobs import adapted, initial_jobs
from connectors.mysql.snapshots.opening import SnapshotSettings
from connectors.mysql.snapshots.readable import require_as_asked
from connectors.mysql.snapshots.renames import Captured
from connectors.mysql.snapshots.signalled import obeyed
from connectors.mysql.snapshots.snapshots import Snapshots
from connectors.mysql.snapshots.state import SnapshotState
from connectors.mysql.stream import BinlogStream, StreamSettings
from connectors.mysql.structures import adopt_missing, announced, structures_at
from connectors.mysql.transaction import HoldLimits
from connectors.signals import SignalChannel, parse
from connectors.source import NO_NOTES, Position, SchemaChange, SourceBatch, SourceEvent, TransactionEvent
from connectors.topic_owners import TopicOwners, require_own_topics
from streamtrain import log
from streamtrain.errors import PositionLost, SourceMisconfigured, SourceUnavailable

_log = log.get("mysql")

# Before the first file of another server's log, until it says in which file its GTIDs are.
_ELSEWHERE = "unknown.0"
_LISTEN_EVERY_S = 0.5


class MysqlSource:
    """``connectors.source.Source`` over one server.

    ``clock`` gives seconds since 1970, ``monotonic`` seconds that only rise.
    """

    def __init__(
        self,
        settings: MysqlSettings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        signals: SignalChannel | None = None,
    ) -> None:
        self._settings = settings
        self._signals = signals
        self._signal_offset: int | None = None
        self._signals_read_s = 0.0
        self._listened = signals is None
        """Whether those that were sent before are known."""
        self._address = settings.address
        self._clock = clock
        self._monotonic = monotonic
        self._captures = lru_cache(maxsize=65_536)(settings.captures)
        self._cascades = CascadeWarnings(self._captures, self._connect)
        self._stream_settings = StreamSettings(
            replica_id=settings.replica_id,
            prefix=settings.prefix,
            captured=self._captures,
            limits=HoldLimits(settings.max_rows, settings.max_bytes),
            heartbeat_s=settings.heartbeat_s,
            silence_s=settings.silence_s,
            monotonic=monotonic,
            modes=settings.modes,
            include_schema_changes=settings.include_schema_changes,
            transaction_metadata=settings.transaction_metadata,
            include_query=settings.include_query,
            altered=self._cascades.saw,
        )
        self._schema_log: SchemaLog | None = None
        self._found: list[SchemaChange] = []
        """Tables that a beginning has found, until they are given out."""
        self._idle: Connection | None = None
        self._server: Server | None = None
        self._snapshots: Snapshots | None = None
        self._stream: BinlogStream | None = None
        self._position: LogPosition | None = None
        """After all that was read of the log."""

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:
        self.close()
        try:
            self._idle = Connection(self._address)
            server = self._server = self._examined(self._idle)
            self._schema_log = SchemaLog(server, self._captures, TopicOwners(self._settings.prefix))
            self._schema_log.load(notes)
            if position is None:
                self._begin(server)
                return
            self._go_on(server, position)
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> SourceBatch:
        batch = self._read(timeout_s)
        notes = self._structures().take_notes()
        if not (notes or self._found):
            return batch
        found, self._found = self._found, []
        return replace(batch, changes=[*found, *batch.changes], notes={**batch.notes, **notes})

    def _read(self, timeout_s: float) -> SourceBatch:
        server, snapshots = self._opened(), self._opened_snapshots()
        try:
            if snapshots.alone and self._position is not None:
                return self._read_alone(snapshots, self._position)
            if self._stream is None and self._position is not None:
                self._stream = self._follow(server, self._position)
            return self._read_stream(snapshots, timeout_s)
        except PositionLost as error:
            self._begin_again(server, error)
            return SourceBatch((), self._document())

    def confirm(self, position: Position) -> None:
        """Nothing to do: when binary logs go is the server's decision."""

    def end(self) -> Position:
        return self._log_end(self._opened()).to_json()

    def reached(self, end: Position) -> bool:
        if self._opened_snapshots().pending or not self._listened:
            return False
        here, there = self._position, LogPosition.from_json(end)
        if here is None:
            return False
        if here.server == there.server:
            return not here.is_before(there)
        ours, theirs = here.parsed_gtids(), there.parsed_gtids()
        return ours is not None and theirs is not None and ours.covers(theirs)

    def close(self) -> None:
        for part in (self._idle, self._snapshots, self._stream, self._signals):
            if part is not None:
                part.close()
        self._schema_log, self._found = None, []
        self._signal_offset, self._signals_read_s, self._listened = None, 0.0, self._signals is None
        self._idle = self._server = self._snapshots = self._stream = self._position = None

    def _connect(self) -> Connection:
        return Connection(self._address)

    def _connection(self) -> Connection:
        """The connection that ``open`` began with, for its first taker; a new one for the others."""
        connection, self._idle = self._idle, None
        return connection or Connection(self._address)

    def _opened(self) -> Server:
        if self._server is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._server

    def _structures(self) -> SchemaLog:
        if self._schema_log is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._schema_log

    def _opened_snapshots(self) -> Snapshots:
        if self._snapshots is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        return self._snapshots

    def _examined(self, connection: Connection) -> Server:
        """The server, once it is known that it can be captured from."""
        server = inspect(connection, by_gtid=self._settings.follow == "auto")
        if server.server_id == self._settings.replica_id:
            raise SourceMisconfigured(
                f"source.server_id is {server.server_id}, which is the server's own", hint="choose another number"
            )
        require_settings(connection, server)
        schemas = tables(connection, self._captures)
        require_tables(schemas)
        require_own_topics(self._settings.prefix, [(each.table.database, each.table.name) for each in schemas])
        self._cascades.look(connection, schemas)
        return server

    def _log_end(self, server: Server) -> LogPosition:
        with closing(Connection(self._address)) as connection:
            return log_end(connection, server)

    def _begin(self, server: Server) -> None:
        """From the end of the log as it is now on; rows that are there already are read beside it."""
        began_us = self._now_us()
        with closing(self._connection()) as connection:
            register(connection, self._settings.replica_id)  # the right to it is looked at before anything is read
            connection.query("SET SESSION lock_wait_timeout = %s", (self._settings.lock_wait_s,))
            if self._settings.snapshot != "no_data":
                require_readable(connection, tables(connection, self._captures), self._settings.include)
            found = structures_at(connection, self._captures, lambda: log_end(connection, server))
            self._structures().fill(found.entries, found.databases)
            if self._settings.include_schema_changes:
                origin = OriginWriter(server.flavor.value, self._settings.prefix)
                self._found = announced(connection, found, origin, began_us)
        jobs = () if self._settings.snapshot == "no_data" else initial_jobs(found.schemas, self._settings, began_us)
        self._snapshots = self._snapshots_at(server, SnapshotState(jobs), Absorbed())
        self._stream = self._follow(server, found.position)
        self._position = self._stream.position

    def _go_on(self, server: Server, position: Position) -> None:
        document = dict(position)
        state = SnapshotState.from_json(document.pop("snapshots", None))
        self._signal_offset = document.pop("signals", None)
        absorbed = Absorbed(document.pop("absorbed", None))
        start = self._position = LogPosition.from_json(document)
        try:
            with closing(self._connect()) as connection:
                adopt_missing(self._structures(), connection, server, start, self._captures)
                if self._settings.snapshot != "no_data":
                    found = tables(connection, self._captures)
                    state = adapted(state, start, found, self._settings, self._now_us())
            self._stream = self._follow(server, start)
        except PositionLost as error:
            self._begin_again(server, error)
        else:
            self._snapshots = self._snapshots_at(server, state, absorbed)

    def _snapshots_at(self, server: Server, state: SnapshotState, absorbed: Absorbed) -> Snapshots:
        settings = SnapshotSettings(
            sessions=self._settings.snapshot_sessions,
            chunk_rows=self._settings.chunk_rows,
            range_rows=self._settings.range_rows,
            lock_wait_s=self._settings.lock_wait_s,
            clock=self._clock,
            monotonic=self._monotonic,
            modes=self._settings.modes,
            structure_of=lambda *name: self._structures().entries.get(name),
            captured=Captured(self._captures, self._settings.snapshot_keys),
        )
        origin = OriginWriter(server.flavor.value, self._settings.prefix)
        return Snapshots(self._address, server, origin, state, settings, absorbed=absorbed)

    def _begin_again(self, server: Server, error: PositionLost) -> None:
        if server.flavor is Flavor.MARIADB and self._position is not None:
            with closing(self._connect()) as connection:
                error = explained(connection, server, self._position, error)
        if self._settings.snapshot != "when_needed":
            raise error
        _log.warning("position lost, reading all rows again", reason=error.message)
        for part in (self._stream, self._snapshots):
            if part is not None:
                part.close()
        self._stream = self._snapshots = self._position = None
        self._begin(server)

    def _follow(self, server: Server, position: LogPosition) -> BinlogStream:
        connection = self._connection()
        try:
            if self._settings.follow == "file":
                position = replace(position, gtids=None)
            require_continuity(connection, server, position, self._settings)
            start = position.capturing(self._settings.include, self._settings.exclude)
            if position.server != server.identity:
                start = replace(start, server=server.identity, file=_ELSEWHERE, offset=0)
            return BinlogStream(
                connection,
                self._connect,
                server,
                start,
                schema_log=self._structures(),
                settings=self._stream_settings,
            )
        except BaseException:
            connection.close()
            raise

    def _read_alone(self, snapshots: Snapshots, position: LogPosition) -> SourceBatch:
        """Rows as of the place that the log was read to; it is not kept open meanwhile, as that may take hours."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        changes = snapshots.read_alone(position)
        return SourceBatch(changes, None if snapshots.alone else self._document(), snapshot=snapshots.progress())

    def _read_stream(self, snapshots: Snapshots, timeout_s: float) -> SourceBatch:
        if self._stream is None:
            raise SourceUnavailable("the source is not open", hint="open it first")
        self._listen(snapshots)  # first of all: what ends a snapshot is heard though that may not be able to go on
        snapshots.take_up()
        changes = self._stream.read(snapshots.patience_s(timeout_s), snapshots.halt)
        position = self._position = self._stream.position
        passed = snapshots.route(changes)
        snapshots.rename(self._stream.take_renamed())
        if not snapshots.active:
            return SourceBatch(passed, self._document(), self._lag_ms(changes))
        read = snapshots.advance(position)
        return SourceBatch([*passed, *read], self._document(), self._lag_ms(changes), snapshot=snapshots.progress())

    def _listen(self, snapshots: Snapshots) -> None:
        """Obey the signals that have come. Their offset goes into the position, so that each is obeyed once."""
        now_s = self._monotonic()
        if self._signals is None or (self._listened and now_s - self._signals_read_s < _LISTEN_EVERY_S):
            return
        self._signals_read_s = now_s
        self._signal_offset, values = self._signals.read(self._signal_offset)
        for signal in filter(None, map(parse, values)):
            with closing(self._connect()) as connection:
                captured = tables(connection, self._captures)
                require = partial(require_as_asked, connection, modes=self._settings.modes)
                snapshots.change(obeyed(snapshots.state, signal, captured, self._now_us(), require))
        self._listened = True

    def _document(self) -> Position | None:
        """The position as it is kept."""
        if self._position is None or self._snapshots is None:
            return None
        document = self._position.to_json()
        if self._snapshots.active:
            document["snapshots"] = self._snapshots.state.document
        if self._snapshots.absorbed.counts:
            document["absorbed"] = dict(self._snapshots.absorbed.counts)
        if self._signal_offset is not None:
            document["signals"] = self._signal_offset
        return document

    def _now_us(self) -> int:
        return int(self._clock() * 1_000_000)

    def _lag_ms(self, changes: Sequence[SourceEvent]) -> int | None:
        if not changes:
            return None
        last = changes[-1]
        committed_ms: int = last.committed_ms if isinstance(last, TransactionEvent) else last.origin["ts_ms"]
        return max(0, int(self._clock() * 1_000) - committed_ms)
