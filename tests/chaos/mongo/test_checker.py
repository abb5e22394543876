"""The checker of MongoDB's rounds must be able to fail: each damage to a good topic is found, and named for what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bson
import pytest
from bson import Int64
from bson.datetime_ms import DatetimeMS

from tests.chaos.checker import Verdict
from tests.chaos.history import History, Reading
from tests.chaos.mongo import text
from tests.chaos.mongo.catalog import CollectionModel
from tests.chaos.mongo.checker import check
from tests.chaos.mongo.fold import Terms
from tests.chaos.mongo.truth import Contents, Truth
from tests.chaos.topics import Partitions, Record

Document = dict[str, Any]
OLD, NEW, JOURNAL = ("chaos.chaos.t1", 0), ("chaos.chaos.t2", 0), ("chaos.chaos.journal", 0)
NAMES = {OLD: "chaos.t1", NEW: "chaos.t2"}


class Story:
    """Writes a small true history of one collection that is renamed: what was committed, and the topics as they must be."""

    def __init__(self) -> None:
        self.history = History(captured_at=0)
        self.history.name(0, {"chaos.t1": 1})
        self.partitions: Partitions = {OLD: [], NEW: [], JOURNAL: []}
        self.documents: dict[int, Document] = {}
        self.journal: dict[int, tuple[int, int, int]] = {}
        self.where = OLD
        self.terms = Terms()
        self._clock = 0

    def rename(self) -> None:
        self.where = NEW
        self.history.name(0, {"chaos.t2": 1})

    def transaction(self, *changes: tuple[int, Document | None]) -> int:
        """Commit (``_id``, document after it) of each change."""
        tag, began = self.history.begin()
        for identity, after in changes:
            self.change(identity, after and {"_id": identity, "home": 1, "tx": tag, **after}, tag)
        size = len(changes)
        entry = {"_id": tag, "tx": tag, "began": Int64(began), "low": size, "high": size}
        self.publish(JOURNAL, "c", tag, None, entry, tag)
        self.journal[tag] = (began, size, size)
        self.history.acknowledge(tag)
        return tag

    def alone(self, identity: int, after: Document) -> None:
        tag, began = self.history.begin()
        self.change(identity, {"_id": identity, "home": 1, "tx": tag, **after}, None)
        self.history.acknowledge_alone(tag, began, 1, 1)

    def change(self, identity: int, after: Document | None, transaction: int | None) -> None:
        before = self.documents.pop(identity, None)
        if after is not None:
            self.documents[identity] = after
        op = "c" if before is None else "d" if after is None else "u"
        self.publish(self.where, op, identity, before, after, transaction)
        if after is None:
            records = self.partitions[self.where]
            records.append(Record(*self.where, len(records), {"id": str(identity)}))

    def publish(
        self,
        where: tuple[str, int],
        op: str,
        identity: int,
        before: Document | None,
        after: Document | None,
        transaction: int | None,
        snapshot: str = "false",
    ) -> None:
        self._clock += 10
        told = {"c": "event", "u": "delta"}.get(op)
        session = None if transaction is None else "session"
        source = {"lsid": session, "txnNumber": transaction, "after_from": told, "snapshot": snapshot}
        update = {"updatedFields": "{}"} if op == "u" else None
        shown = [None if one is None else text.marks(text.document_text(bson.encode(one))) for one in (before, after)]
        records = self.partitions[where]
        place = (*where, len(records), {"id": str(identity)}, op)
        records.append(Record(*place, shown[0], shown[1], source, sent_ms=self._clock, update=update))

    def judged(self) -> Verdict:
        model = CollectionModel(1, NAMES[self.where])
        raw = [bson.encode(one) for one in self.documents.values()]
        documents = {text.key_text(one): text.marks(text.document_text(one)) or {} for one in raw}
        truth = Truth({1: Contents(model, documents)}, self.journal)
        return check(self.partitions, self.history, truth, {1: model}, self.terms)


def row(born: int, version: int, value: object = 0) -> Document:
    return {"born": born, "ver": version, "a": value}


@pytest.fixture
def story() -> Story:
    """Document 7 is written three times under one name and twice under another, 8 stays, and 9 comes back."""
    made = Story()
    made.transaction((7, row(1, 1)), (8, row(2, 1, "x")))
    made.transaction((7, row(1, 2)), (9, row(3, 1)))
    made.transaction((9, None), (7, row(1, 3)))
    made.rename()
    made.transaction((7, row(1, 4)), (9, row(4, 1)))
    made.alone(7, row(1, 5))
    return made


def test_a_true_history_is_passed_and_counted(story: Story) -> None:
    verdict = story.judged()
    assert [str(one) for one in verdict.differences] == []
    assert (verdict.found, verdict.rows, verdict.transactions, verdict.tables) == (0, 13, 4, 1)


Damage = Callable[[Story], None]


def lose(where: tuple[str, int], index: int) -> Damage:
    return lambda story: story.partitions[where].__delitem__(index)


def double(where: tuple[str, int], index: int) -> Damage:
    return lambda story: story.partitions[where].insert(index, story.partitions[where][index])


def exchange(where: tuple[str, int], one: int, other: int) -> Damage:
    def damage(story: Story) -> None:
        records = story.partitions[where]
        records[one], records[other] = records[other], records[one]

    return damage


def alter(where: tuple[str, int], index: int, side: str, **values: Any) -> Damage:
    def damage(story: Story) -> None:
        record = story.partitions[where][index]
        changed: dict[str, Any] = {side: {**(getattr(record, side) or {}), **values}}
        story.partitions[where][index] = replace(record, **changed)

    return damage


def without_before(story: Story) -> None:
    story.partitions[OLD][2] = replace(story.partitions[OLD][2], before=None)


def without_after(story: Story) -> None:
    story.partitions[OLD][2] = replace(story.partitions[OLD][2], after=None)


def rolled_back(story: Story) -> None:
    tag, _ = story.history.begin()
    story.publish(NEW, "c", 11, None, {"_id": 11, "home": 1, "tx": tag, **row(9, 1)}, tag)
    story.history.undo(tag)


def under_the_old_name(story: Story) -> None:
    story.partitions[OLD].append(story.partitions[NEW].pop())


def read_twice(story: Story) -> None:
    story.publish(NEW, "r", 8, None, story.documents[8], None, "last")


def read_without_a_signal(story: Story) -> None:
    story.publish(NEW, "r", 8, None, story.documents[8], None, "incremental")


def read_as_it_was(story: Story) -> None:
    story.history.readings.append(Reading(0, frozenset({"chaos[.].*"}), frozenset({1}), named=False, certain=True))
    for identity in (7, 9):
        story.publish(NEW, "r", identity, None, story.documents[identity], None, "incremental")
    story.publish(NEW, "r", 8, None, {**story.documents[8], "a": "y"}, None, "incremental")


def not_read_again(story: Story) -> None:
    story.history.readings.append(Reading(10**6, frozenset({"chaos[.].*"}), frozenset({1}), named=False, certain=True))


def another_value(story: Story) -> None:
    story.documents[8]["a"] = "y"


def another_type(story: Story) -> None:
    story.documents[8]["born"] = Int64(2)


def another_order_of_fields(story: Story) -> None:
    story.documents[8] = {"_id": 8, "a": "x", **story.documents[8]}


def gone(story: Story) -> None:
    del story.documents[8]


def out_of_commit_order(story: Story) -> None:
    journal = story.partitions[JOURNAL]
    journal[1], journal[2] = journal[2], journal[1]


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a lost insert": (lose(OLD, 0), "lost"),
    "a lost insert that nothing follows": (lose(OLD, 1), "lost"),
    "a lost update": (lose(OLD, 2), "lost"),
    "a lost update before a rename": (lose(OLD, 6), "lost"),
    "a lost last update": (lose(NEW, 2), "lost"),
    "a lost delete": (lose(OLD, 4), "duplicate"),
    "a lost tombstone": (lose(OLD, 5), "lost"),
    "a lost transaction": (lose(JOURNAL, 2), "lost"),
    "a document missing from its transaction": (lose(OLD, 1), "torn"),
    "a missing statement of its own": (lose(NEW, 2), "torn"),
    "an insert twice": (double(OLD, 0), "duplicate"),
    "an update twice": (double(OLD, 2), "order"),
    "a delete twice": (double(OLD, 4), "lost"),
    "a transaction twice": (double(JOURNAL, 1), "duplicate"),
    "two updates of a document exchanged": (exchange(OLD, 2, 6), "order"),
    "transactions out of the order of their commits": (out_of_commit_order, "order"),
    "a wrong value after": (alter(OLD, 2, "after", text="{}"), "value"),
    "a wrong value before": (alter(OLD, 6, "before", text="{}"), "value"),
    "a wrong value at the end": (alter(NEW, 2, "after", text="{}"), "value"),
    "a wrong key": (alter(OLD, 1, "key", id="9"), "duplicate"),
    "an update without the document before it": (without_before, "value"),
    "an update without the document after it": (without_after, "value"),
    "a delta called an event": (alter(OLD, 2, "source", after_from="event"), "value"),
    "a delta called a look-up": (alter(OLD, 2, "source", after_from="lookup"), "value"),
    "an image of a collection that keeps none": (alter(OLD, 2, "source", after_from="post_image"), "value"),
    "a document that was rolled back": (rolled_back, "phantom"),
    "a document under a name that its collection had": (under_the_old_name, "order"),
    "a document of another collection": (alter(OLD, 1, "after", home=5), "phantom"),
    "a document of a snapshot again": (read_twice, "duplicate"),
    "a document read again that nobody asked for": (read_without_a_signal, "duplicate"),
    "a document read again as it never was": (read_as_it_was, "value"),
    "a document that a signal asked for in vain": (not_read_again, "lost"),
    "a value that the collection does not have": (another_value, "value"),
    "a type that the collection does not have": (another_type, "value"),
    "an order of fields that the document does not have": (another_order_of_fields, "value"),
    "a document that the collection does not have": (gone, "phantom"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_named(story: Story, name: str) -> None:
    damage, kind = DAMAGES[name]
    damage(story)
    verdict = story.judged()
    assert verdict.found
    assert kind in {one.kind for one in verdict.differences}, [str(one) for one in verdict.differences]


def test_a_look_up_may_show_a_later_state_and_never_an_earlier_one(story: Story) -> None:
    story.terms = Terms("lookup")
    for records in story.partitions.values():
        for at, record in enumerate(records):
            if record.op == "u":
                source = {**(record.source or {}), "after_from": "lookup"}
                records[at] = replace(record, source=source, before=None)
    latest = story.partitions[NEW][2].after
    story.partitions[NEW][0] = replace(story.partitions[NEW][0], after=latest)
    assert [str(one) for one in story.judged().differences] == []
    story.partitions[NEW][2] = replace(story.partitions[NEW][2], after=story.partitions[OLD][0].after)
    assert "order" in {one.kind for one in story.judged().differences}


def test_after_a_gap_documents_may_be_read_again_but_not_without_one(story: Story) -> None:
    story.terms = Terms(losses_ms=(10**6,), whole_from=None)
    gone_unseen = story.documents.pop(9)
    for identity, document in story.documents.items():
        document |= {"ver": document["ver"] + 1}
        story.publish(NEW, "r", identity, None, document, None, "true")
    assert gone_unseen["born"] == 4
    assert [str(one) for one in story.judged().differences] == []
    story.terms = Terms(whole_from=None)
    assert {"duplicate", "phantom"} <= {one.kind for one in story.judged().differences}


def test_texts_are_those_of_the_documented_table() -> None:
    document = {"_id": DatetimeMS(1500), "a": Int64(1), "b": [1.0, 1e10, 5e-324, None], "é": "\u200b\U0001f600"}
    raw = bson.encode(document)
    assert text.key_text(raw) == '{"$date": "1970-01-01T00:00:01.5Z"}'
    assert text.document_text(raw) == (
        '{"_id": {"$date": 1500},"a": {"$numberLong": "1"},"b": [1.0,1.0E10,4.9E-324,null],'
        '"é": "\\u200b\\ud83d\\ude00"}'
    )
