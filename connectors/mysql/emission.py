"""Row events of a committed transaction -> changes, with their source block and their place in the transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.mysql.binlog import events
from connectors.mysql.ddl.catalog import TableChange
from connectors.mysql.origin import LogPlace, OriginWriter
from connectors.mysql.record_counts import records
from connectors.mysql.schema_changes import schema_changes
from connectors.source import Change, SourceEvent, Table, TransactionEvent, TransactionPart
from streamtrain.envelope import Op


@dataclass(slots=True)
class Commit:
    """A transaction whose end is known: what all its changes share, and how far it has been given out."""

    id: str
    """Its GTID, or ``file=FILE,pos=OFFSET`` of its beginning."""
    gtid: str | None
    committed_us: int | None
    """Microseconds since 1970; None to take the time of each event."""
    place: tuple[str, int] | None = None
    """File and offset that its changes are said to be at; None where each is at its own."""
    rows: int = 0
    """Rows so far as they stand in the log, those that a savepoint's rollback took back among them."""
    given: int = 0
    """As many of these have been given out, or need not be."""
    counts: dict[str, int] = field(default_factory=dict)
    """Records so far by table, if transaction metadata is asked for."""

    def committed_at(self, event: events.Event) -> int:
        """Microseconds since 1970."""
        return self.committed_us or event.timestamp * 1_000_000


class Emission:
    """Collects what is ready to be taken. Not thread-safe."""

    def __init__(
        self,
        origin: OriginWriter,
        *,
        metadata: bool,
        query: bool,
        structure_of: Callable[[str, str], bool] | None = None,
    ) -> None:
        """What to tell beside changes.

        ``metadata``: transactions' ends, and the rows' numbers in them; ``query``: the statement behind a change;
        ``structure_of(database, table)``, if given: changes of that table's structure.
        """
        self._structure_of = structure_of
        self._origin = origin
        self._metadata = metadata
        self._query = query
        self._ready: list[SourceEvent] = []
        self.rows = 0
        """Rows that are ready; what is not of rows counts as one."""
        self.size = 0
        """Bytes that they had in the log."""

    def take(self) -> list[SourceEvent]:
        """All that is ready, which is the caller's from now on."""
        ready, self._ready = self._ready, []
        self.rows = self.size = 0
        return ready

    def rows_of(self, commit: Commit, event: events.Rows, place: tuple[str, int], query: str | None) -> None:
        """The rows of ``event``, save those that have been given out before."""
        count, before = event.count, commit.rows
        commit.rows += count
        skipped = min(commit.given - before, count) if commit.given > before else 0
        part = self._numbered(commit, event, skipped) if self._metadata else None
        if skipped == count:
            return
        if part is not None and not commit.given:
            self._tell("BEGIN", commit, event)
        commit.given = commit.rows
        block = self._block(commit, event, event.table, place, query)
        self._ready.append(
            Change(
                event.table,
                event.op,
                event.before[skipped:] if skipped and event.before else event.before,
                event.after[skipped:] if skipped and event.after else event.after,
                block,
                transaction=part,
                first_row=skipped,
            )
        )
        self.rows += count - skipped
        self.size += event.image_size

    def truncate(self, commit: Commit, event: events.Query, table: Table, place: tuple[str, int]) -> None:
        """A TRUNCATE of ``table``. It is in no transaction."""
        self._ready.append(Change(table, Op.TRUNCATE, None, None, self._block(commit, event, table, place, None)))
        self.rows += 1

    def structure(
        self, commit: Commit, event: events.Query, changes: Sequence[TableChange], place: tuple[str, int]
    ) -> None:
        """What a statement did to the structure of tables, if any of them is captured."""
        if self._structure_of is None:
            return
        found = schema_changes(
            event.sql, changes, self._structure_of, lambda table: self._block(commit, event, table, place, None)
        )
        self._ready.extend(found)
        self.rows += len(found)

    def end(self, commit: Commit, event: events.Event) -> None:
        """The transaction is all given out; ``event`` ended it."""
        if self._metadata:
            if not commit.given:
                self._tell("BEGIN", commit, event)
            self._tell("END", commit, event)

    def _tell(self, status: Literal["BEGIN", "END"], commit: Commit, event: events.Event) -> None:
        counts = dict(commit.counts) if status == "END" else {}
        self._ready.append(TransactionEvent(status, commit.id, commit.committed_at(event) // 1_000, counts))
        self.rows += 1

    def _numbered(self, commit: Commit, event: events.Rows, skipped: int) -> TransactionPart:
        """Counts the records of ``event``; where its first one that is not ``skipped`` stands among those so far."""
        name = event.table.full_name
        before = commit.counts.get(name, 0)
        first = records(event.table, event.before, event.after, skipped) + 1
        part = TransactionPart(commit.id, sum(commit.counts.values()) + first, before + first)
        commit.counts[name] = before + records(event.table, event.before, event.after, event.count)
        return part

    def _block(
        self, commit: Commit, event: events.Rows | events.Query, table: Table, place: tuple[str, int], query: str | None
    ) -> dict[str, Any]:
        file, offset = commit.place or place
        shown = LogPlace(file, offset, event.server_id, commit.gtid, event.thread_id, query if self._query else None)
        return self._origin.block(table, commit.committed_at(event), shown)
