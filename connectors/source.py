"""What a source of changes offers to the relay: open at a position, read, end, close.

``tests/contract/test_sources.py`` holds every source to this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

from streamtrain.envelope import Op

Row = tuple[Any, ...]
"""A row's values in column order, each already a JSON value (int, float, str, bool, None)."""

Position = dict[str, Any]
"""Where a source goes on, as a JSON object that only the source itself reads."""


Notes = Mapping[str, bytes | None]
"""Small facts that are kept beside the position, by name; None takes one away. See ``SourceBatch.notes``."""

NO_NOTES: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class FieldType:
    """How a column's values are declared in topics, in Kafka Connect's terms.

    ``type`` is what JSON shows: ``bytes`` are base64 text there. ``name``, ``version`` and ``parameters`` are the semantic
    type's, such as ``io.debezium.time.Date``.
    https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-data-types
    """

    type: Literal[
        "boolean", "int8", "int16", "int32", "int64", "float32", "float64", "string", "bytes", "array", "struct"
    ]
    optional: bool
    name: str | None = None
    version: int = 1
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A captured table as it stood when the rows beside it were written."""

    database: str
    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...] = ()
    """Indexes into ``columns`` of the primary key, in key order; empty if the table has none."""
    types: tuple[FieldType, ...] = ()
    """One a column; empty where the source does not tell, which formats with schemas cannot do without."""

    @property
    def full_name(self) -> str:
        """``database.table``, as in ``source.include``."""
        return f"{self.database}.{self.name}"


@dataclass(frozen=True, slots=True)
class TransactionPart:
    """Where in its transaction a change's first row is; both orders count from 1, the rows after it follow.

    What is counted is what is published: a row whose key changes counts as two, a delete and an insert.
    """

    id: str
    total_order: int
    """Among all captured rows of the transaction."""
    data_collection_order: int
    """Among its captured rows of this table."""


@dataclass(frozen=True, slots=True)
class Change:
    """Committed rows of one table that share an operation and an origin: one row event of a binlog, one chunk of a read.

    ``before`` and ``after`` are columns of rows and of equal length where both are there: an insert or a read has only
    ``after``, a delete only ``before``.
    """

    table: Table
    op: Op
    before: Sequence[Row] | None
    after: Sequence[Row] | None
    origin: Mapping[str, Any]
    """The Debezium ``source`` block without ``row``, shared by all the rows."""
    markers: Sequence[str] = field(default=())
    """For snapshot rows only: the ``snapshot`` marker of each row where it differs from ``origin``'s; else empty."""
    transaction: TransactionPart | None = None
    """Only where transaction metadata was asked for."""
    first_row: int = 0
    """The first one's number among the rows of its event; the others follow."""

    def __len__(self) -> int:
        rows = self.after if self.after is not None else self.before
        return len(rows) if rows is not None else 0


@dataclass(frozen=True, slots=True)
class Collection:
    """A captured collection of documents."""

    database: str
    name: str

    @property
    def full_name(self) -> str:
        """``database.collection``, as in ``source.include``."""
        return f"{self.database}.{self.name}"


class DocumentUpdate(NamedTuple):
    """What an update says that it changed.

    https://www.mongodb.com/docs/manual/reference/change-events/update/
    """

    updated: bytes
    """Fields by dotted path and their new values, a document in extended JSON."""
    removed: Sequence[str]
    """Dotted paths."""
    truncated: Sequence[tuple[str, int]]
    """Dotted paths of arrays, and how many elements each has left."""


class DocumentOrigin(NamedTuple):
    """What the ``source`` block of a change does not share with those of others of its collection."""

    committed_us: int
    """Microseconds since 1970, as precise as the server tells."""
    ord: int
    """Number among the operations of its second."""
    lsid: str | None
    """The session's id in extended JSON, for changes of transactions."""
    txn_number: int | None
    wall_ms: int | None
    """The server's wall clock at the change, where it tells."""
    after_from: str | None
    """Where ``after`` is from: see ``docs/mongodb.md``; None where the event itself has it, or there is none."""


@dataclass(frozen=True, slots=True)
class DocumentOrigins:
    """The same of several changes: the fields of ``DocumentOrigin`` as columns of equal length."""

    committed_us: Sequence[int]
    ord: Sequence[int]
    lsid: Sequence[str | None]
    txn_number: Sequence[int | None]
    wall_ms: Sequence[int | None]
    after_from: Sequence[str | None]

    def at(self, index: int) -> DocumentOrigin:
        """That of one change."""
        return DocumentOrigin(*(column[index] for column in self._columns()))

    def of(self, chosen: Sequence[int]) -> DocumentOrigins:
        """Those at these indexes."""
        return DocumentOrigins(*([column[at] for at in chosen] for column in self._columns()))

    def _columns(self) -> tuple[Sequence[Any], ...]:
        return (self.committed_us, self.ord, self.lsid, self.txn_number, self.wall_ms, self.after_from)


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """Committed changes of one collection in commit order, as columns of equal length. Texts are extended JSON."""

    collection: Collection
    ops: Sequence[Op]
    keys: Sequence[bytes]
    """Each document's ``_id``."""
    before: Sequence[bytes | None]
    after: Sequence[bytes | None]
    updates: Sequence[DocumentUpdate | None]
    origin: Mapping[str, Any]
    """What the ``source`` blocks have in common: version, connector, name, snapshot, db, collection."""
    origins: DocumentOrigins
    markers: Sequence[str] = field(default=())
    """As of a ``Change``."""
    transactions: Sequence[TransactionPart | None] = field(default=())
    """One a change, or none at all where transaction metadata was not asked for."""

    def __len__(self) -> int:
        return len(self.ops)

    def of(self, chosen: Sequence[int]) -> DocumentChange:
        """Those at these indexes."""
        return replace(
            self,
            ops=[self.ops[at] for at in chosen],
            keys=[self.keys[at] for at in chosen],
            before=[self.before[at] for at in chosen],
            after=[self.after[at] for at in chosen],
            updates=[self.updates[at] for at in chosen],
            origins=self.origins.of(chosen),
            markers=[self.markers[at] for at in chosen] if self.markers else (),
            transactions=[self.transactions[at] for at in chosen] if self.transactions else (),
        )


@dataclass(frozen=True, slots=True)
class TransactionEvent:
    """A source transaction begins or ends, among the changes that it made.

    https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-transaction-metadata
    """

    status: Literal["BEGIN", "END"]
    id: str
    committed_ms: int
    counts: Mapping[str, int] = field(default_factory=dict)
    """At the end: published changes by table, each ``database.table``, in the order in which they were first met."""


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A statement that changed the structure of a captured table, or its structure as a snapshot found it."""

    database: str
    statement: str
    """The DDL as it was run."""
    origin: Mapping[str, Any]
    """As of a ``Change``."""
    table_changes: Sequence[Mapping[str, Any]] = field(default=())
    """Debezium's ``tableChanges``: what was done to which table, and the table after it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A change that the source could not give: what is known of it."""

    collection: Collection
    op: Op
    key: bytes
    """The document's ``_id`` in extended JSON."""
    origin: Mapping[str, Any]
    """The whole ``source`` block."""
    place: str
    """Where in the log it is, as the source writes it."""
    reason: str


SourceEvent = Change | DocumentChange | TransactionEvent | SchemaChange | DeadLetter


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Capture goes on, whether or not anything changes. It is the relay's own: no source gives one."""


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """How far a snapshot has come."""

    kind: str
    """``initial`` or ``incremental``."""
    table: str
    """The table that is being read, as ``database.table``; several with commas."""
    rows: int
    """Read so far, of all its tables."""
    table_rows: int
    """Of them from ``table``."""
    table_estimate: int
    """Rows that the server believes them to have; 0 if it does not say."""
    tables_left: int
    """That are not read whole yet."""
    rows_per_s: float
    """Since the source was opened."""
    paused: bool = False
    """Nothing is read of it for now."""


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """What one read gave: changes in commit order, and where to go on after them.

    ``position`` is None while the source cannot be resumed here (in the middle of a table that is read as of one moment):
    the relay then keeps its transaction open.
    """

    changes: Sequence[SourceEvent]
    position: Position | None
    lag_ms: int | None = None
    """Age of the newest change when it was read, by the source's commit time; None if nothing was read."""
    notes: Notes = field(default_factory=dict)
    """What is to be kept beside the position, in the same transaction, and given back to ``open``: facts that change
    seldom, such as the structure of a table. What changes at every commit belongs into the position."""
    snapshot: SnapshotProgress | None = None
    """While rows are read beside the log."""


class Source(Protocol):
    """A database's committed changes, in commit order. Not thread-safe; one process owns one open source."""

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:
        """Go on at ``position``, or begin (with the snapshot that is configured) if it is None.

        ``notes`` are all those that were kept up to ``position``.

        Raises SourceUnavailable, AccessDenied, SourceMisconfigured, or PositionLost if the log no longer holds it.
        """

    def read(self, timeout_s: float) -> SourceBatch:
        """What has been committed next, waiting at most ``timeout_s`` for it; an empty batch if nothing came.

        Raises SourceUnavailable if the connection broke, UnsupportedChange on anything that is not understood.
        """

    def confirm(self, position: Position) -> None:
        """Take note that everything up to ``position`` has been published durably: what only serves to get there may go."""

    def end(self) -> Position:
        """The end of the log as it stands now."""

    def reached(self, end: Position) -> bool:
        """Whether all that was committed before ``end`` has been returned by ``read``."""

    def close(self) -> None:
        """Let go of connections. Safe to call twice."""
