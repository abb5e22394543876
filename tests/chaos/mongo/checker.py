"""Judges a round: what the topics hold against what the workload knows and what the collections hold.

A collection's records lie in the topics of the names that it had, one after the other; in this order each record has to fit
the document that the records before it left behind. The journal's topic has the transactions in the order of commits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tests.chaos.checker import Verdict
from tests.chaos.fold import Misfit
from tests.chaos.history import History
from tests.chaos.mongo.catalog import DATABASE, JOURNAL, CollectionModel
from tests.chaos.mongo.fold import Fold, Terms
from tests.chaos.mongo.truth import Truth
from tests.chaos.rereads import Rereads
from tests.chaos.topics import Partitions, Record

MOST_TOLD = 50
Transaction = tuple[str, int]
"""Session and number."""


def check(
    partitions: Partitions, history: History, truth: Truth, models: Mapping[int, CollectionModel], terms: Terms
) -> Verdict:
    """Compare. ``models`` are all collections that there have been, by home."""
    return _Checker(partitions, history, truth, models, terms).run()


class _Checker:
    def __init__(
        self,
        partitions: Partitions,
        history: History,
        truth: Truth,
        models: Mapping[int, CollectionModel],
        terms: Terms,
    ) -> None:
        self._partitions = partitions
        self._history = history
        self._truth = truth
        self._models = models
        self._terms = terms
        self._verdict = Verdict()
        self._folds = {home: Fold(terms) for home in models}
        self._chains = _chains(history)
        self._rereads = Rereads(history, database=None)
        self._counts: Counter[Transaction] = Counter()
        self._tags: dict[Transaction, int] = {}
        """As the topic of transactions calls them."""
        self._shown: Counter[int] = Counter()

    def run(self) -> Verdict:
        runs: dict[tuple[int, str], list[tuple[Record, str]]] = defaultdict(list)
        for (topic, partition), records in self._partitions.items():
            name = topic.partition(".")[2]
            self._verdict.records += len(records)
            if name == f"{DATABASE}.{JOURNAL}":
                self._read_journal(records)
            elif name.partition(".")[2].startswith(("noise", "out")):
                self._verdict.add("phantom", f"{topic}[{partition}]", "a collection that is not captured has a topic")
            elif "." in name:
                for home, record, key in self._placed(records, name):
                    runs[home, name].append((record, key))
        for home, names in self._chains.items():
            for name in names:
                for record, key in runs[home, name]:
                    self._apply(home, record, key)
        self._count_transactions()
        self._compare()
        return self._verdict

    # The journal

    def _read_journal(self, records: list[Record]) -> None:
        journal: dict[int, Record] = {}
        latest = 0
        for record in records:
            if record.op not in {"c", "r"} or record.after is None:
                self._verdict.add("phantom", record.place, f"the journal has op {record.op}")
                continue
            tag = record.after["tx"]
            if record.reread:
                self._verdict.reread += 1
                present = journal.get(tag)
                if present is None or present.row["text"] != record.row["text"]:
                    self._verdict.add("phantom", record.place, f"read again and never there so: {record.row}")
                continue
            self._note(record)
            if tag in journal and not (record.op == "r" and self._terms.losses_ms):
                self._verdict.add("duplicate", record.place, f"transaction {tag} is in the journal's topic again")
                continue
            journal[tag] = record
            if record.op == "c":
                latest = self._in_order(record, tag, latest)
        for tag in sorted(self._truth.journal.keys() - journal.keys())[:MOST_TOLD]:
            self._verdict.add("lost", JOURNAL, f"transaction {tag} is committed and has no record")
        for tag in sorted(journal.keys() - self._truth.journal.keys())[:MOST_TOLD]:
            self._verdict.add("phantom", JOURNAL, f"transaction {tag} has a record and was never committed")

    def _in_order(self, record: Record, tag: int, latest: int) -> int:
        """``latest`` is the latest moment at which any transaction before this one began; the new such moment."""
        began, acknowledged = int(record.row["began"]), self._history.acknowledged.get(tag)
        if acknowledged is not None and acknowledged < latest:
            what = f"transaction {tag} was committed before one that stands before it had begun"
            self._verdict.add("order", record.place, what)
        return max(latest, began)

    # Collections

    def _placed(self, records: list[Record], name: str) -> Iterator[tuple[int, Record, str]]:
        """The records of a partition, each with its collection's home and its key; tombstones are checked on the way."""
        homes: dict[str, int] = {}
        before: Record | None = None
        for record in records:
            key = str((record.key or {}).get("id"))
            if record.op is None:
                if before is None or before.op != "d" or before.key != record.key:
                    self._verdict.add("phantom", record.place, "a tombstone that follows no delete of its key")
                before = record
                continue
            self._require_tombstone(before)
            before = record
            home = record.row.get("home") or homes.get(key)
            if home is None or name not in self._chains.get(home, ()):
                self._verdict.add("phantom", record.place, f"a document of home {home}: {record.key} {record.row}")
                continue
            homes[key] = home
            yield home, record, key
        self._require_tombstone(before)

    def _require_tombstone(self, before: Record | None) -> None:
        if before is not None and before.op == "d":
            self._verdict.add("lost", before.place, "no tombstone follows the delete")

    def _apply(self, home: int, record: Record, key: str) -> None:
        tag = record.row.get("tx")
        if tag in self._history.undone and self._terms.after != "lookup":
            self._verdict.add("phantom", record.place, f"of transaction {tag}, which was rolled back: {record.row}")
        fold = self._folds[home]
        try:
            fold.apply(record, key, images=self._models[home].images)
        except Misfit as misfit:
            self._verdict.add(misfit.kind, record.place, str(misfit))
        if not record.reread:
            self._note(record)
            return
        self._verdict.reread += 1
        if fold.rereads[key] > self._rereads.most(home):
            self._verdict.add("duplicate", record.place, f"read again more often than signals asked: {record.row}")

    def _note(self, record: Record) -> None:
        """Count a change for its transaction."""
        self._verdict.rows += 1
        source, after = record.source or {}, record.after
        # A look-up shows a later change's tag.
        tells = record.op == "c" or (record.op == "u" and source.get("after_from") != "lookup")
        tag = after["tx"] if after is not None and tells else None
        if source.get("lsid") is None:
            if tag is not None:
                self._shown[tag] += 1
            return
        identity = source["lsid"], source["txnNumber"]
        self._counts[identity] += 1
        if tag is not None and self._tags.setdefault(identity, tag) != tag:
            self._verdict.add("torn", record.place, f"{identity} has changes of {self._tags[identity]} and of {tag}")

    def _count_transactions(self) -> None:
        self._verdict.transactions = len(self._counts)
        whole_from = self._terms.whole_from
        for identity, tag in self._tags.items():
            began, low, high = self._truth.journal.get(tag, (0, 0, 0))
            if whole_from is None or began <= whole_from:
                continue
            # Its own document in the journal is captured too, if any of that is.
            own = int(any(topic.endswith(f".{JOURNAL}") for topic, _ in self._partitions))
            if not low + own <= self._counts[identity] <= high + own:
                what = f"transaction {tag} changed {low + own} documents, of which {self._counts[identity]} are told"
                self._verdict.add("torn", str(identity), what)
        for tag, (began, low, high) in self._history.alone.items():
            if whole_from is not None and began > whole_from and not self._alone_fits(tag, low, high):
                what = f"statement {tag} changed {low} to {high} documents, of which {self._shown[tag]} are told"
                self._verdict.add("torn", "statements", what)

    def _alone_fits(self, tag: int, low: int, high: int) -> bool:
        return (low if self._terms.after != "lookup" else 0) <= self._shown[tag] <= high

    def _compare(self) -> None:
        captured = set[int]()
        for home, contents in self._truth.collections.items():
            if self._chains.get(home, ("",))[-1] != contents.model.name:
                continue  # it has left what is captured
            captured.add(home)
            self._verdict.tables += 1
            for kind, what in self._folds[home].differences(contents.documents):
                self._verdict.add(kind, contents.model.name, what)
        for home, what in self._rereads.missing(captured, self._folds):
            self._verdict.add("lost", self._models[home].name, what)


def _chains(history: History) -> dict[int, list[str]]:
    """The captured names of each collection, one after the other."""
    found: dict[int, list[str]] = {}
    for _, names in history.namings:
        for name, home in names.items():
            had = found.setdefault(home, [])
            if name not in had:
                had.append(name)
    return found
