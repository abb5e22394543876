"""One table as its records leave it behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.chaos.schema import TableModel
from tests.chaos.topics import Record
from tests.chaos.truth import Contents

Row = dict[str, Any]


class Misfit(Exception):
    """A record that does not fit what the records before it left behind."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


class Fold:
    """Rows by key or, without one, as often as each is there. A misfit is told and then taken for true."""

    def __init__(self, model: TableModel, renamed_columns: Mapping[str, str]) -> None:
        self._model = model
        self._renamed = renamed_columns
        self._key = tuple(column.name for column in model.key)
        self._columns: frozenset[str] = frozenset()
        self._rows: dict[str, Row] = {}
        self._bag: Counter[str] = Counter()
        self._heard_ms: dict[str, int] = {}
        """When the last record of each row came; of rows without a key as one."""
        self._rereads: Counter[str] = Counter()
        self._reread_at: tuple[int, ...] = ()

    def apply(self, record: Record, *, ordered: bool) -> None:
        """Raises Misfit.

        ``ordered``: the records of its transaction are in order even across partitions. Otherwise a row without a key may be
        changed before it is there; at the end it must have been there.
        """
        if record.op == "t":
            self._rows.clear()
            self._bag.clear()
            return
        self._reshape(frozenset(record.row))
        if self._key:
            self._apply_keyed(record)
        else:
            self._apply_bagged(record, ordered=ordered)

    def _apply_keyed(self, record: Record) -> None:
        row = record.row
        if record.key != {name: row.get(name) for name in self._key}:
            raise Misfit("key", f"the key {record.key} is not that of the row {row}")
        identity = self._identity(row)
        self._hear(identity, record)
        present = self._rows.get(identity)
        if record.after is None:
            self._rows.pop(identity, None)
        else:
            self._rows[identity] = record.after
        if record.op in {"c", "r"}:
            if present is not None:
                raise Misfit("duplicate", f"{record.op} of a key that is there already: {_version(present)} {row}")
            return
        if present is None:
            raise Misfit("lost", f"{record.op} of a key that is not there: {record.before}")
        self._compare(present, record.before or {})
        if (
            record.after is not None
            and record.after["born"] == present["born"]
            and record.after["ver"] <= present["ver"]
        ):
            raise Misfit("order", f"version {_version(record.after)} after {_version(present)}")

    def _compare(self, present: Row, before: Row) -> None:
        if present == before:
            return
        ours, theirs = (present["born"], present["ver"]), (before.get("born"), before.get("ver"))
        if ours == theirs:
            different = sorted(name for name in before if before[name] != present.get(name))
            shown = {name: (present.get(name), before[name]) for name in different}
            raise Misfit("value", f"columns were left otherwise than they are now: {_short(shown)}")
        newer = None not in theirs and theirs > ours
        raise Misfit("lost" if newer else "order", f"the row was left at version {ours}, and is at {theirs} now")

    def _apply_bagged(self, record: Record, *, ordered: bool) -> None:
        if record.key is not None:
            raise Misfit("key", f"a table without a key has the key {record.key}")
        self._hear("", record)
        if record.after is not None:
            identity = _text(record.after)
            self._bag[identity] += 1
            if not self._bag[identity]:
                del self._bag[identity]
        if record.before is not None:
            identity = _text(record.before)
            self._bag[identity] -= 1
            if self._bag[identity] < 0 and ordered:
                del self._bag[identity]
                raise Misfit("lost", f"{record.op} of a row that is not there: {_short(record.before)}")
            if not self._bag[identity]:
                del self._bag[identity]

    def _identity(self, row: Row) -> str:
        return _text({name: row[name] for name in self._key})

    # Rows that are read again

    def reread(self, record: Record, most: int) -> None:
        """A row that a signal had read again has to be what the records before it left. It leaves all as it is.

        ``most`` is how often that may be of one row. Raises Misfit.
        """
        row = record.row
        self._reshape(frozenset(row))
        if not self._key:
            self._reread_bagged(record, most)
            return
        if record.key != {name: row.get(name) for name in self._key}:
            raise Misfit("key", f"the key {record.key} is not that of the row {row}")
        identity = self._identity(row)
        self._hear(identity, record)
        present = self._rows.get(identity)
        if present is None:
            raise Misfit("phantom", f"a row that is not there is read again: {_version(row)} {_short(row)}")
        self._compare(present, row)
        self._rereads[identity] += 1
        if self._rereads[identity] > most:
            raise Misfit("duplicate", f"read again {self._rereads[identity]} times, at most {most}: {_short(row)}")

    def _reread_bagged(self, record: Record, most: int) -> None:
        """A table without a key is read whole, as of one place in the log."""
        self._hear("", record)
        if record.log_place != self._reread_at:
            self._reread_at = record.log_place
            self._rereads.clear()
        identity = _text(record.row)
        self._rereads[identity] += 1
        if self._bag[identity] < 1:
            raise Misfit("phantom", f"a row that is not there is read again: {_short(record.row)}")
        if self._rereads[identity] > most * self._bag[identity]:
            raise Misfit("duplicate", f"read again more often than it is there: {_short(record.row)}")

    def _hear(self, identity: str, record: Record) -> None:
        self._heard_ms[identity] = max(self._heard_ms.get(identity, 0), record.sent_ms)

    def unheard(self, since_ms: int) -> Iterator[str]:
        """The rows of which no record has come since, which should have been read again."""
        if self._key:
            yield from (identity for identity in self._rows if self._heard_ms.get(identity, 0) < since_ms)
        elif self._bag and self._heard_ms.get("", 0) < since_ms:
            yield f"all {self._bag.total()} rows"

    # Columns come and go

    def _reshape(self, columns: frozenset[str]) -> None:
        """As ALTER TABLE has done without a record: columns that are added hold NULL."""
        if columns == self._columns:
            return
        self._columns = columns
        self._rows = {identity: self._reshaped(row) for identity, row in self._rows.items()}
        bag: Counter[str] = Counter()
        for text, count in self._bag.items():
            bag[_text(self._reshaped(json.loads(text)))] += count
        self._bag = bag

    def _reshaped(self, row: Row) -> Row:
        return {name: row.get(self._former(name, row)) for name in self._columns}

    def _former(self, name: str, row: Row) -> str:
        """The name that column ``name`` has in ``row``."""
        former: str | None = name
        while former is not None and former not in row:
            former = self._renamed.get(former)
        return name if former is None else former

    # The end

    def differences(self, contents: Contents) -> Iterator[tuple[str, str]]:
        """Kind and description of each row that is not as in the table."""
        columns = contents.model.every_column
        self._reshape(frozenset(column.name for column in columns))
        converted: list[Row] = []
        for row in self._all():
            try:
                converted.append({column.name: column.from_topic(row[column.name]) for column in columns})
            except (ValueError, TypeError, KeyError) as error:
                yield "value", f"a value that its type does not have: {error!r} in {_short(row)}"
        if self._key:
            yield from self._keyed_differences(converted, contents.rows)
        else:
            yield from (("lost", f"changed, and never there: {text}") for text, count in self._bag.items() if count < 0)
            folded, there = Counter(map(_text, converted)), Counter(map(_text, contents.rows))
            yield from (("lost", f"not in the topic: {_short(row)}") for row in (there - folded).elements())
            yield from (("phantom", f"not in the table: {_short(row)}") for row in (folded - there).elements())

    def _all(self) -> Iterator[Row]:
        yield from self._rows.values()
        for text in self._bag.elements():
            yield json.loads(text)

    def _keyed_differences(self, folded: list[Row], there: list[Row]) -> Iterator[tuple[str, str]]:
        ours = {_text([row[name] for name in self._key]): row for row in folded}
        theirs = {_text([row[name] for name in self._key]): row for row in there}
        yield from (("lost", f"not in the topic: {_short(theirs[key])}") for key in sorted(theirs.keys() - ours.keys()))
        yield from (
            ("phantom", f"not in the table: {_short(ours[key])}") for key in sorted(ours.keys() - theirs.keys())
        )
        for key in sorted(ours.keys() & theirs.keys()):
            if ours[key] != theirs[key]:
                different = {
                    name: (value, theirs[key][name]) for name, value in ours[key].items() if value != theirs[key][name]
                }
                yield "value", f"key {key}: topic and table hold {_short(different)}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _version(row: Row) -> str:
    return f"born {row.get('born')} version {row.get('ver')}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 600 else text[:600] + "…"
