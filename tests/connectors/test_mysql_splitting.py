"""What is left of a change of which some rows are not to be published yet."""

from __future__ import annotations

from connectors.mysql.snapshots.splitting import passing
from connectors.source import Change, Table
from streamtrain.envelope import Op

TABLE = Table("shop", "t", ("k", "v"), key=(0,))
BEFORE = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]
AFTER = [(1, 1), (2, 1), (30, 1), (4, 1), (5, 1)]
YES, NO = True, False


def update() -> Change:
    return Change(TABLE, Op.UPDATE, BEFORE, AFTER, {})


def test_a_change_that_passes_whole_is_itself_and_one_that_does_not_is_nothing() -> None:
    change = update()
    assert passing(change, [YES] * 5, [YES] * 5) == [change]
    assert passing(change, [NO] * 5, [NO] * 5) == []


def test_an_update_by_half_is_a_delete_or_an_insert() -> None:
    left = passing(update(), [YES, NO, YES, NO, YES], [YES, NO, NO, YES, YES])
    assert [(part.op, part.before, part.after) for part in left] == [
        (Op.UPDATE, [(1, 0)], [(1, 1)]),
        (Op.DELETE, [(3, 0)], None),
        (Op.CREATE, None, [(4, 1)]),
        (Op.UPDATE, [(5, 0)], [(5, 1)]),
    ]
    assert [part.first_row for part in left] == [0, 2, 3, 4]


def test_the_new_half_of_an_update_that_moves_a_key_keeps_the_number_of_its_row() -> None:
    before, after = [(1, 0), (2, 0), (3, 0)], [(10, 0), (2, 1), (30, 0)]
    change = Change(TABLE, Op.UPDATE, before, after, {}, first_row=7)
    left = passing(change, [NO, NO, NO], [YES, YES, YES])
    assert [(part.op, part.after, part.first_row) for part in left] == [
        (Op.CREATE, [(10, 0)], 7), (Op.CREATE, [(2, 1)], 8), (Op.CREATE, [(30, 0)], 9),
    ]  # fmt: skip


def test_rows_of_an_insert_and_of_a_delete_pass_one_by_one() -> None:
    inserted = Change(TABLE, Op.CREATE, None, AFTER, {})
    deleted = Change(TABLE, Op.DELETE, BEFORE, None, {})
    flags = [NO, YES, YES, NO, NO]
    assert [part.after for part in passing(inserted, None, flags)] == [AFTER[1:3]]
    assert [(part.op, part.before) for part in passing(deleted, flags, None)] == [(Op.DELETE, BEFORE[1:3])]
