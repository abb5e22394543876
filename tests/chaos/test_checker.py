"""The checker itself must be able to fail: each kind of damage to a good topic is found, and named for what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos import kinds
from tests.chaos.checker import Verdict, check
from tests.chaos.history import History
from tests.chaos.metadata import misfits
from tests.chaos.schema import Column, TableModel
from tests.chaos.topics import Partitions, Record
from tests.chaos.truth import Contents, Truth

NUMBER = kinds.Kind("INT", lambda chance: chance.randrange(100))
KEYED = TableModel("t1", 1, (Column("id", kinds.WHOLE_KEY, nullable=False),), (Column("c0", NUMBER),))
KEYLESS = TableModel("t2", 2, (), (Column("c0", NUMBER),))
MODELS = {1: KEYED, 2: KEYLESS}
T1, T2, JOURNAL = ("chaos.chaos.t1", 0), ("chaos.chaos.t2", 0), ("chaos.chaos.journal", 0)


class Story:
    """Writes a small true history: what the source committed, and the topics as they must be."""

    def __init__(self) -> None:
        self.history = History(captured_at=0)
        self.partitions: Partitions = {T1: [], T2: [], JOURNAL: []}
        self.rows: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
        self.journal: set[int] = set()
        self._position = 0
        self.transaction()
        self.history.name(1, {"t1": 1, "t2": 2})

    def transaction(self, *changes: tuple[tuple[str, int], dict[str, Any] | None, dict[str, Any] | None]) -> int:
        """Commit (partition, before, after) of each change."""
        tag, began = self.history.begin()
        for where, before, after in changes:
            self.change(where, before, after and {**after, "tx": tag}, tag)
        row = {"tag": tag, "began": began, "low": len(changes), "high": len(changes)}
        self.publish(JOURNAL, "c", {"tag": tag}, None, row, tag)
        self.journal.add(tag)
        self.history.acknowledge(tag)
        return tag

    def change(
        self, where: tuple[str, int], before: dict[str, Any] | None, after: dict[str, Any] | None, tag: int
    ) -> None:
        there = self.rows[1 if where == T1 else 2]
        row = after or before or {}
        key = {"id": row["id"]} if "id" in row else None
        if before is not None:
            before = next(one for one in there if {**one, "tx": 0} == {**before, "tx": 0})
            there.remove(before)
        if after is not None:
            there.append(after)
        self.publish(where, "c" if before is None else "d" if after is None else "u", key, before, after, tag)
        if after is None and key is not None:
            self.partitions[where].append(Record(*where, len(self.partitions[where]), key))

    def publish(self, where: tuple[str, int], op: str, key: Any, before: Any, after: Any, tag: int) -> None:
        self._position += 10
        source = {"gtid": f"server:{tag}", "file": "binlog.000001", "pos": self._position, "row": 0}
        self.partitions[where].append(Record(*where, len(self.partitions[where]), key, op, before, after, source))

    def judged(self) -> Verdict:
        tables = {home: Contents(MODELS[home], rows) for home, rows in self.rows.items()}
        return check(self.partitions, self.history, Truth(tables, frozenset(self.journal)), MODELS)


def row(version: int, value: int, identity: int | None = None, home: int = 1) -> dict[str, Any]:
    head = {} if identity is None else {"id": identity}
    return {**head, "home": home, "born": 1, "ver": version, "c0": value}


@pytest.fixture
def story() -> Story:
    """Five transactions over both tables; key 7 is written four times and then deleted."""
    made = Story()
    made.transaction((T1, None, row(1, 10, 7)), (T2, None, row(1, 5, home=2)))
    made.transaction((T1, row(1, 10, 7), row(2, 20, 7)), (T1, None, row(1, 1, 8)))
    made.transaction((T1, row(2, 20, 7), row(3, 30, 7)))
    made.transaction((T1, row(3, 30, 7), row(4, 40, 7)), (T2, row(1, 5, home=2), row(2, 6, home=2)))
    made.transaction((T1, row(4, 40, 7), None))
    return made


def test_a_true_history_is_passed_and_counted(story: Story) -> None:
    verdict = story.judged()
    assert [str(one) for one in verdict.differences] == []
    assert (verdict.found, verdict.rows, verdict.transactions, verdict.tables) == (0, 14, 6, 2)


def lose(where: tuple[str, int], index: int) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        del story.partitions[where][index]

    return damage


def double(where: tuple[str, int], index: int) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        story.partitions[where].insert(index, story.partitions[where][index])

    return damage


def repeat_later(where: tuple[str, int], index: int) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        story.partitions[where].append(story.partitions[where][index])

    return damage


def reorder(where: tuple[str, int], index: int) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        records = story.partitions[where]
        records[index], records[index + 1] = records[index + 1], records[index]

    return damage


def alter(where: tuple[str, int], index: int, side: str, **values: Any) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        record = story.partitions[where][index]
        story.partitions[where][index] = replace(record, **{side: {**(getattr(record, side) or {}), **values}})

    return damage


def rolled_back(story: Story) -> None:
    tag, _ = story.history.begin()
    story.publish(T1, "c", {"id": 9}, None, {**row(1, 1, 9), "tx": tag}, tag)
    story.history.undo(tag)


def late(story: Story) -> None:
    """The last transaction but one is in the topics before one that was acknowledged before it began."""
    journal = story.partitions[JOURNAL]
    journal[3], journal[4] = journal[4], journal[3]


def not_in_the_table(story: Story) -> None:
    story.rows[2].clear()


def value_in_the_table(story: Story) -> None:
    story.rows[1] = [{**one, "c0": 99} for one in story.rows[1]]


def statement_alone_lost(story: Story) -> None:
    tag, moment = story.history.begin()
    story.history.acknowledge_alone(tag, moment, 1, 1)


DAMAGES = {
    "a lost insert": (lose(T1, 0), "lost"),
    "a lost update": (lose(T1, 3), "lost"),
    "a lost last update": (lose(T2, 1), "lost"),
    "a lost delete": (lose(T1, 5), "phantom"),
    "a lost tombstone": (lose(T1, 6), "lost"),
    "a lost transaction": (lose(JOURNAL, 2), "lost"),
    "a row missing from its transaction": (lose(T1, 2), "torn"),
    "a record twice in a row": (double(T1, 1), "duplicate"),
    "a record again at the end": (repeat_later(T1, 1), "order"),
    "an insert twice": (double(T1, 0), "duplicate"),
    "a row of a table without a key twice": (double(T2, 0), "duplicate"),
    "a transaction twice": (double(JOURNAL, 1), "duplicate"),
    "two records of one key exchanged": (reorder(T1, 3), "order"),
    "records of two keys exchanged": (reorder(T1, 1), "order"),
    "records of a table without a key exchanged": (reorder(T2, 0), "order"),
    "transactions out of the order of their commits": (late, "order"),
    "a wrong value after": (alter(T1, 3, "after", c0=31), "value"),
    "a wrong value before": (alter(T1, 4, "before", c0=31), "value"),
    "a wrong value at the end": (alter(T2, 1, "after", c0=7), "phantom"),
    "a wrong last value of a key": (alter(T1, 2, "after", c0=2), "value"),
    "a wrong key": (alter(T1, 1, "key", id=8), "key"),
    "a key where there is none": (alter(T2, 0, "key", id=8), "key"),
    "a row of another table": (alter(T1, 2, "after", home=2), "value"),
    "a row that was rolled back": (rolled_back, "phantom"),
    "a row that the table does not have": (not_in_the_table, "phantom"),
    "a value that the table does not have": (value_in_the_table, "value"),
    "a statement in autocommit that is missing": (statement_alone_lost, "torn"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_named(story: Story, name: str) -> None:
    damage, kind = DAMAGES[name]
    damage(story)
    verdict = story.judged()
    assert verdict.found
    assert kind in {one.kind for one in verdict.differences}, [str(one) for one in verdict.differences]


def test_columns_that_are_altered_without_a_record_are_followed(story: Story) -> None:
    story.history.renamed_columns["r1"] = "c0"
    altered = {name: value for name, value in row(1, 1, 8).items() if name != "c0"} | {"r1": 1, "x1": None}
    model = replace(KEYED, columns=(Column("r1", NUMBER), Column("x1", NUMBER)))
    before = {**altered, "tx": story.partitions[T1][2].row["tx"]}
    tag, _ = story.history.begin()
    after = {**altered, "ver": 2, "tx": tag}
    story.publish(T1, "u", {"id": 8}, before, after, tag)
    story.rows[1] = [after]
    tables = {1: Contents(model, story.rows[1])}
    verdict = check(story.partitions, story.history, Truth(tables, frozenset(story.journal)), MODELS)
    assert [str(one) for one in verdict.differences] == []


def test_a_table_is_followed_that_is_dropped_while_a_snapshot_reads_the_journal(story: Story) -> None:
    dropped = story.transaction()
    story.history.name(dropped, {"t1": 1})
    del story.rows[2]
    story.history.captured_at = story.history.begin()[1]
    story.partitions[JOURNAL] = [
        replace(record, op="r", source={**(record.source or {}), "gtid": None, "snapshot": "true"})
        for record in story.partitions[JOURNAL]
    ]
    assert story.judged().differences == []


def test_a_truncate_empties_the_table_that_has_the_name_then(story: Story) -> None:
    tag = story.transaction()
    story.history.name(tag, {"t1": 2, "t2": 1})
    story.publish(T1, "t", None, None, None, 0)
    story.rows[2].clear()
    verdict = story.judged()
    assert [str(one) for one in verdict.differences] == []
    assert verdict.truncates == 1


def told(*documents: tuple[str, str, int]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (str(number), {"status": status, "id": identity, "event_count": count,
                       "data_collections": [{"data_collection": "chaos.t1", "event_count": count}]})
        for number, (status, identity, count) in enumerate(documents)
    ]  # fmt: skip


GOOD = (("BEGIN", "a", 0), ("END", "a", 2), ("BEGIN", "b", 0), ("END", "b", 1))


@pytest.mark.parametrize(
    ("documents", "orders", "kind"),
    [
        (GOOD, (1, 2), None),
        ((GOOD[0], *GOOD), (1, 2), "duplicate"),
        ((*GOOD, GOOD[3]), (1, 2), "duplicate"),
        (GOOD[1:], (1, 2), "lost"),
        (GOOD[:3], (1, 2), "lost"),
        ((GOOD[0], ("END", "a", 3), *GOOD[2:]), (1, 2), "torn"),
        (GOOD, (1, 1), "order"),
        (GOOD, (1, 3), "order"),
    ],
)
def test_a_transaction_that_is_told_or_counted_wrongly_is_named(
    documents: tuple[tuple[str, str, int], ...], orders: tuple[int, int], kind: str | None
) -> None:
    source = {"db": "chaos", "table": "t1"}
    parts = [
        {"id": "a", "total_order": orders[0]},
        {"id": "a", "total_order": orders[1]},
        {"id": "b", "total_order": 1},
    ]
    records = [Record(*T1, at, None, "c", source=source, transaction=part) for at, part in enumerate(parts)]
    found = {one for one, _, _ in misfits(told(*documents), {T1: records})}
    assert found == ({kind} if kind else set())
