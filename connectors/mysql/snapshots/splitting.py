"""Takes out of a change the rows that are not to be published, and splits updates that are to be published by half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from connectors.source import Change
from streamtrain.envelope import Op


def passing(change: Change, before: Sequence[bool] | None, after: Sequence[bool] | None) -> list[Change]:
    """What is left of ``change`` when only the images pass of which ``before`` and ``after`` say so, in order.

    An update of which only the old row passes is a delete of it; one of which only the new row does is an insert. Places in a
    transaction are left as they are (``absorbed.Absorbed``).
    """
    flags = [each for each in (before, after) if each is not None]
    if all(all(each) for each in flags):
        return [change]
    if not any(any(each) for each in flags):
        return []
    count = len(change)
    pairs = zip(before or [False] * count, after or [False] * count, strict=True)
    left: list[Change] = []
    for (passes, _), run in groupby(enumerate(pairs), key=lambda item: _together(change, *item)):
        indexes = [index for index, _ in run]
        if passes != (False, False):
            left.append(_part(change, slice(indexes[0], indexes[-1] + 1), *passes))
    return left


def _together(change: Change, index: int, passes: tuple[bool, bool]) -> tuple[tuple[bool, bool], int | None]:
    """What rows have in common that go into one change: a half of an update goes alone, its other half may be a record too."""
    by_half = change.op is Op.UPDATE and passes[0] != passes[1]
    return passes, index if by_half else None


def _part(change: Change, rows: slice, old: bool, new: bool) -> Change:
    op = Op.UPDATE if old and new else Op.DELETE if old else Op.CREATE
    return replace(
        change,
        op=op,
        first_row=change.first_row + rows.start,
        before=change.before[rows] if old and change.before is not None else None,
        after=change.after[rows] if new and change.after is not None else None,
    )
