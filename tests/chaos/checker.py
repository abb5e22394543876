"""Judges a round: what the topics hold against what the workload knows and what the tables hold.

All records of a round are put into one order, that of the journal's topic: a transaction's records stand where its row of
the journal stands, and those of a statement in autocommit or of a TRUNCATE where their place in the log says. In that
order every record has to fit the row that the records before it left behind, to the last column. So a record that is lost,
doubled or out of order shows at the next one of its key, and a wrong value there or against the table.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.chaos.fold import Fold, Misfit
from tests.chaos.history import History
from tests.chaos.rereads import Rereads
from tests.chaos.schema import DATABASE, JOURNAL, NOISE, TableModel
from tests.chaos.topics import Partitions, Record
from tests.chaos.truth import Truth

MOST_KEPT = 50
Order = tuple[int, int, int, int, int, int]
"""Where a record stands: among the transactions; log file; offset; event there; row of it; part of a row that moved.

Events that are told to lie at one place in the log are counted as they come."""
_BEGINNING: Order = (-1, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Difference:
    """Something that may not be."""

    kind: str
    """``lost``, ``duplicate``, ``order``, ``value``, ``phantom``, ``torn``, ``key`` or ``source``."""
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.where}: {self.what}"


@dataclass
class Verdict:
    """What a round came to."""

    differences: list[Difference] = field(default_factory=list)
    """The first ones."""
    found: int = 0
    """How many there are in all."""
    records: int = 0
    rows: int = 0
    """Row changes, those of the snapshot included."""
    transactions: int = 0
    truncates: int = 0
    reread: int = 0
    """Rows that signals had read again."""
    tables: int = 0

    def add(self, kind: str, where: str, what: str) -> None:
        self.found += 1
        if len(self.differences) < MOST_KEPT:
            self.differences.append(Difference(kind, where, what))


def check(partitions: Partitions, history: History, truth: Truth, models: Mapping[int, TableModel]) -> Verdict:
    """Compare. ``models`` are all tables that there have been, by home."""
    return _Checker(partitions, history, truth, models).run()


class _Checker:
    def __init__(
        self, partitions: Partitions, history: History, truth: Truth, models: Mapping[int, TableModel]
    ) -> None:
        self._partitions = partitions
        self._history = history
        self._truth = truth
        self._folds = {home: Fold(model, history.renamed_columns) for home, model in models.items()}
        self._verdict = Verdict()
        self._index: dict[str, int] = {}
        """GTID -> place in the journal's topic."""
        self._limits: dict[str, tuple[Record, int, int]] = {}
        self._places: list[tuple[int, int]] = []
        """Log places of the journal's rows, rising; ``_place_index`` is the place in the topic of each."""
        self._place_index: list[int] = []
        self._tag_index: dict[int, int] = {}
        self._changes: Counter[str] = Counter()
        self._shown: Counter[int] = Counter()
        self._rereads = Rereads(history)

    def run(self) -> Verdict:
        journal, others = [], []
        for (topic, partition), records in self._partitions.items():
            table = topic.rpartition(f".{DATABASE}.")[2]
            self._verdict.records += len(records)
            if table == NOISE:
                self._verdict.add("phantom", f"{topic}[{partition}]", "a table that is not captured has a topic")
            elif table == JOURNAL:
                journal.append(records)
            elif table.startswith("t"):
                others.append((table, records))
        self._read_journal([record for records in journal for record in records])
        namings = _Namings(self._history, self._tag_index)
        ordered = [list(self._in_order(records)) for _, records in others]
        for order, record in heapq.merge(*ordered, key=lambda pair: pair[0]):
            self._apply(order, record, namings)
        self._count_transactions()
        self._compare_tables()
        for home, what in self._rereads.missing(self._truth.tables.keys(), self._folds):
            self._verdict.add("lost", self._truth.tables[home].model.name, what)
        return self._verdict

    # The journal

    def _read_journal(self, records: list[Record]) -> None:
        journal: dict[int, Record] = {}
        latest = 0
        for record in records:
            if record.op not in {"c", "r"} or record.after is None:
                self._verdict.add("phantom", record.place, f"the journal has op {record.op}")
                continue
            tag = record.after["tag"]
            if record.reread:
                self._reread_journal(record, journal.get(tag))
                continue
            self._verdict.rows += 1
            if tag in journal:
                self._verdict.add("duplicate", record.place, f"transaction {tag} is in the journal's topic again")
                continue
            journal[tag] = record
            if record.op == "r":
                self._tag_index[tag] = -1
                continue
            latest = self._add_to_journal(record, tag, latest)
        for tag in sorted(self._truth.journal - journal.keys())[:MOST_KEPT]:
            self._verdict.add("lost", JOURNAL, f"transaction {tag} is committed and has no record")
        for tag in sorted(journal.keys() - self._truth.journal)[:MOST_KEPT]:
            self._verdict.add("phantom", JOURNAL, f"transaction {tag} has a record and was never committed")
        for tag in sorted(self._history.acknowledged.keys() - self._history.alone.keys() - self._truth.journal):
            self._verdict.add("source", JOURNAL, f"the source acknowledged transaction {tag} and has lost it")

    def _reread_journal(self, record: Record, present: Record | None) -> None:
        self._verdict.reread += 1
        if present is None:
            self._verdict.add("phantom", record.place, f"read again and never there: {record.row}")
        elif present.after != record.after:
            self._verdict.add("value", record.place, f"{record.row} is read again, which was {present.row}")

    def _add_to_journal(self, record: Record, tag: int, latest: int) -> int:
        """``latest`` is the latest moment at which any transaction before this one began; the new such moment."""
        index = len(self._index)
        assert record.after is not None
        began, acknowledged = record.after["began"], self._history.acknowledged.get(tag)
        if acknowledged is not None and acknowledged < latest:
            what = f"transaction {tag} was committed before one that stands before it had begun"
            self._verdict.add("order", record.place, what)
        self._index[record.gtid or str(record.log_place)] = index
        self._limits[record.gtid or str(record.log_place)] = (record, record.after["low"], record.after["high"])
        self._tag_index[tag] = index
        self._verdict.transactions += 1
        if not self._places or record.log_place > self._places[-1]:
            self._places.append(record.log_place)
            self._place_index.append(index)
        return max(latest, began)

    # One order of all

    def _in_order(self, records: list[Record]) -> Iterator[tuple[Order, Record]]:
        """The records of a partition with their places; the order of the partition is checked on the way.

        Rows of a snapshot are read beside the log: they stand where they come. Those that are read again also say up to which
        place the log had been read then: that is what places them among the records of the other partitions.
        """
        last = _BEGINNING
        before: Record | None = None
        for record in records:
            if record.op is None:
                self._check_tombstone(record, before)
            else:
                self._require_tombstone(before)
                last = self._next_place(record, last)
                yield (max(last, self._order(record, last)) if record.reread else last), record
            before = record
        self._require_tombstone(before)

    def _next_place(self, record: Record, last: Order) -> Order:
        if record.op == "r":
            return last
        order = self._order(record, last)
        if order == last:
            self._verdict.add("duplicate", record.place, f"the same place in the log as the one before: {order}")
        elif order < last:
            self._verdict.add("order", record.place, f"{order} after {last}")
        return max(order, last)

    def _require_tombstone(self, before: Record | None) -> None:
        if before is not None and before.op == "d" and before.key is not None:
            self._verdict.add("lost", before.place, "no tombstone follows the delete")

    def _check_tombstone(self, record: Record, before: Record | None) -> None:
        if before is None or before.op != "d" or before.key != record.key:
            self._verdict.add("phantom", record.place, "a tombstone that follows no delete of its key")

    def _order(self, record: Record, last: Order) -> Order:
        place = (self._major(record), *record.log_place)
        within = (int((record.source or {}).get("row") or 0), int(record.old_key))
        event = 0
        if place == last[:3]:
            event = last[3] + (self._one_place(record) and within <= last[4:])
        return (*place, event, *within)

    def _one_place(self, record: Record) -> bool:
        """Whether all of the record's transaction may stand at one place in the log."""
        limits = self._limits.get(record.gtid or "")
        gathered = self._history.at_one_place
        return bool(gathered) and (limits is None or limits[0].row["tag"] in gathered)

    def _major(self, record: Record) -> int:
        index = self._index.get(record.gtid or "")
        if index is not None:
            return 2 * index + 1
        before = bisect_right(self._places, record.log_place)
        return 2 * (self._place_index[before - 1] + 1) if before else 0

    # Row by row

    def _apply(self, order: Order, record: Record, namings: _Namings) -> None:
        name = record.topic.rpartition(".")[2]
        initial = record.op == "r" and not record.reread
        if record.op == "t":
            self._verdict.truncates += 1
            home = namings.home(name, order[0])
        else:
            self._verdict.rows += 0 if record.old_key or record.reread else 1
            home = record.row.get("home")
            if not initial and home not in namings.homes(name, order[0]):
                self._verdict.add("value", record.place, f"a row of table {home}, which had another name")
            if not record.reread:
                self._count(record)
        fold = None if home is None else self._folds.get(home)
        if fold is None:
            self._verdict.add("phantom", record.place, f"there never was a table {home}")
            return
        try:
            if record.reread:
                self._verdict.reread += 1
                fold.reread(record, self._rereads.most(record.row["home"]))
            else:
                fold.apply(record, ordered=not self._one_place(record))
        except Misfit as misfit:
            self._verdict.add(misfit.kind, record.place, f"{misfit} {record.source}")

    def _count(self, record: Record) -> None:
        tag = record.row["tx"]
        if record.after is not None:
            self._shown[tag] += 1
            if tag in self._history.undone:
                self._verdict.add("phantom", record.place, f"a row of transaction {tag}, which was rolled back")
        if record.op != "r" and not record.old_key:
            self._changes[record.gtid or str(record.log_place)] += 1

    def _count_transactions(self) -> None:
        for gtid, (record, low, high) in self._limits.items():
            if not self._streamed(record.row["began"]):
                continue
            if not low <= self._changes[gtid] <= high:
                what = f"{self._changes[gtid]} row changes where the transaction made {low} to {high}"
                self._verdict.add("torn", f"{record.place} {gtid}", what)
        for tag, (began, low, high) in self._history.alone.items():
            streamed = self._streamed(began)
            if streamed and not low <= self._shown[tag] <= high:
                what = f"{self._shown[tag]} rows of statement {tag}, which changed {low} to {high}"
                self._verdict.add("torn", "autocommit", what)
            self._verdict.transactions += streamed

    def _streamed(self, began: int) -> bool:
        """Whether all of a transaction must be in the topics: changes of rows that the snapshot reads later may not be."""
        captured_at = self._history.captured_at
        return captured_at is not None and began > captured_at

    def _compare_tables(self) -> None:
        for home, contents in sorted(self._truth.tables.items()):
            self._verdict.tables += 1
            for kind, what in self._folds[home].differences(contents):
                self._verdict.add(kind, contents.model.name, what)


class _Namings:
    """Which table had which name at a place among the transactions."""

    def __init__(self, history: History, index: Mapping[int, int]) -> None:
        named = [(2 * index[tag] + 1, names) for tag, names in history.namings if tag in index]
        known = sorted(named, key=lambda pair: pair[0])
        self._from = [major for major, _ in known]
        self._names = [names for _, names in known]

    def home(self, name: str, major: int) -> int | None:
        """The table that TRUNCATE emptied: names do not change between it and the journal's row before it."""
        homes = [names[name] for names in self._at(major, 1) if name in names]
        return homes[-1] if homes else None

    def homes(self, name: str, major: int) -> set[int | None]:
        """The tables that a row under this name may be of: the name may have changed since the journal's last row."""
        return {names.get(name) for names in self._at(major, 2)}

    def _at(self, major: int, count: int) -> list[dict[str, int]]:
        """All names at one place, and so many places on. Rows of the journal that a snapshot has read are at one place."""
        at = max(bisect_right(self._from, major) - 1, 0)
        first = bisect_left(self._from, self._from[at]) if self._from else 0
        return self._names[first : at + count]
