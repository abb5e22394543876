"""Which tables a statement gave other names, and which it took away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connectors.mysql.ddl.catalog import ChangeKind, Name, TableChange


@dataclass(frozen=True, slots=True)
class NameChanges:
    """What one statement did to the names of tables."""

    former: Mapping[Name, Name]
    """For each name that another table has now: the one that this table had before."""
    gone: frozenset[Name]
    """Names that no table has any more."""

    @property
    def names(self) -> frozenset[Name]:
        """All that are concerned, old and new."""
        return self.gone.union(self.former, self.former.values())


NO_NAME_CHANGES = NameChanges({}, frozenset())


def name_changes(changes: Iterable[TableChange]) -> NameChanges:
    """What became of names from before the statement to after it.

    Those on the way (``RENAME TABLE a TO x, b TO a, x TO b``) are left out.
    """
    former, dropped = dict[Name, Name](), set[Name]()
    for change in changes:
        if change.kind is ChangeKind.DROP:
            dropped.add(change.name)
        elif change.previous is not None:
            former[change.name] = former.pop(change.previous, change.previous)
    former = {name: before for name, before in former.items() if name != before}
    return NameChanges(former, frozenset(dropped.union(former.values()).difference(former)))
