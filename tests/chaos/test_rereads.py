"""Rows that signals had read again: what the checker takes, and what it finds wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.history import Reading
from tests.chaos.test_checker import JOURNAL, T1, T2, Story, row
from tests.chaos.topics import Record

ALL = frozenset({"chaos[.].*"})


@pytest.fixture
def story() -> Story:
    """Two rows with a key, two alike without one, read again in the middle; then one more transaction."""
    made = Story()
    made.transaction((T1, None, row(1, 1, 7)), (T1, None, row(1, 2, 8)))
    made.transaction((T2, None, row(1, 5, home=2)), (T2, None, row(1, 5, home=2)))
    made.history.readings.append(Reading(1_000, ALL, frozenset({1, 2}), named=False, certain=True))
    for where, there in ((T1, made.rows[1]), (T2, made.rows[2])):
        for one in there:
            read(made, where, one)
    for record in list(made.partitions[JOURNAL]):
        read(made, JOURNAL, record.row)
    made.transaction((T1, row(1, 1, 7), row(2, 3, 7)))
    return made


def read(story: Story, where: tuple[str, int], values: dict[str, Any]) -> None:
    """Publish a row as one that is read again while the log has been read up to its present end."""
    name = {T1: "id", JOURNAL: "tag"}.get(where)
    end = max(record.log_place[1] for records in story.partitions.values() for record in records if record.gtid)
    source = {"file": "binlog.000001", "pos": end + 5, "snapshot": "incremental"}
    key = None if name is None else {name: values[name]}
    at = len(story.partitions[where])
    story.partitions[where].append(Record(*where, at, key, "r", None, values, source, sent_ms=2_000))


def test_rows_that_are_as_they_were_left_are_taken_and_change_nothing(story: Story) -> None:
    verdict = story.judged()
    assert [str(one) for one in verdict.differences] == []
    assert verdict.reread == 7


def change(where: tuple[str, int], **values: Any) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        at = next(at for at, record in enumerate(story.partitions[where]) if record.reread)
        record = story.partitions[where][at]
        story.partitions[where][at] = replace(record, after={**record.row, **values})

    return damage


def again(where: tuple[str, int]) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        at = next(at for at, record in enumerate(story.partitions[where]) if record.reread)
        story.partitions[where].insert(at, story.partitions[where][at])

    return damage


def drop(where: tuple[str, int]) -> Callable[[Story], None]:
    def damage(story: Story) -> None:
        story.partitions[where] = [record for record in story.partitions[where] if not record.reread]

    return damage


def stale(story: Story) -> None:
    """A row as it was before its last change."""
    read(story, T1, {**row(1, 1, 7), "tx": 2})


def gone(story: Story) -> None:
    read(story, T1, {**row(1, 1, 9), "tx": 2})


def of_another(story: Story) -> None:
    read(story, T2, story.rows[1][0])


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (change(T1, c0=9), "value"),
        (change(T1, id=8), "key"),
        (change(T2, c0=9), "phantom"),
        (change(JOURNAL, low=9), "value"),
        (change(JOURNAL, tag=99), "phantom"),
        (again(T1), "duplicate"),
        (again(T2), "duplicate"),
        (drop(T1), "lost"),
        (drop(T2), "lost"),
        (stale, "order"),
        (gone, "phantom"),
        (of_another, "value"),
    ],
)
def test_damage_is_found_and_named(story: Story, damage: Callable[[Story], None], kind: str) -> None:
    damage(story)
    verdict = story.judged()
    assert kind in {one.kind for one in verdict.differences}, [str(one) for one in verdict.differences]


@pytest.mark.parametrize("but", [{"stopped": True}, {"certain": False}, {"whole": False}])
def test_rows_need_not_come_that_no_signal_asked_for_to_the_end(story: Story, but: dict[str, bool]) -> None:
    drop(T1)(story)
    drop(T2)(story)
    story.history.readings[0] = replace(story.history.readings[0], **but)
    assert [str(one) for one in story.judged().differences] == []


def test_a_table_that_has_changed_its_name_may_be_read_once_for_each(story: Story) -> None:
    tag = story.transaction()
    story.history.name(tag, {"t5": 1, "t2": 2})
    again(T1)(story)
    assert [str(one) for one in story.judged().differences] == []
