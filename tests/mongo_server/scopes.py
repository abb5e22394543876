"""What a change stream looks at: a collection, a database, or all of them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.mongo_server.engine import HIDDEN_DATABASES
from tests.mongo_server.oplog import Operation

DATA = {"insert", "update", "replace", "delete"}
PLAIN = DATA | {"drop", "rename", "dropDatabase"}
"""Events that every stream shows; others are shown where ``showExpandedEvents`` asks."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A stream's namespace: no collection means a whole database, no database means the deployment."""

    database: str | None
    collection: str | None

    @property
    def namespace(self) -> str:
        return f"{self.database or 'admin'}.{self.collection or '$cmd.aggregate'}"

    def shows(self, operation: Operation, *, expanded: bool) -> bool:
        """Whether an operation is an event of this stream."""
        if operation.kind == "noop" or (operation.kind not in PLAIN and not expanded):
            return False
        if self.database is None:
            return operation.database not in HIDDEN_DATABASES and not operation.collection.startswith("system.")
        if operation.kind == "rename" and self._is(*_target(operation)):
            return True
        if self.collection is not None and operation.kind == "dropDatabase":
            return False
        return self._is(operation.database, operation.collection)

    def ends_with(self, operation: Operation) -> bool:
        """Whether an event is followed by an ``invalidate``."""
        if self.database is None:
            return False
        if self.collection is None:
            return operation.kind == "dropDatabase"
        return operation.kind in {"drop", "rename"}

    def _is(self, database: str, collection: str) -> bool:
        if self.collection is None:
            return database == self.database and not collection.startswith(("system.", "tmp"))
        return (database, collection) == (self.database, self.collection)


def _target(operation: Operation) -> tuple[str, str]:
    to = operation.details["to"]
    return to["db"], to["coll"]
