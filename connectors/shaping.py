"""What is published of a change: columns left out, masked, hashed or cut, other keys, and changes that are left out.

Applied between source and serializer, so that keys, both images and every format see the same. Options are Debezium's:
https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-connector-properties
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from connectors.serializing import Addressed, Serializer
from connectors.source import Change, DocumentChange, Heartbeat, Row, SchemaChange, SourceEvent, Table
from streamtrain.envelope import Op
from streamtrain.errors import ConfigError
from streamtrain.topic.base import Messages

Patterns = tuple[str, ...]
"""Shell patterns over ``database.table.column``, case-sensitive."""
Convert = Callable[[str | None], str | None]


@dataclass(frozen=True, slots=True)
class ShapingSettings:
    """Which columns are treated how."""

    exclude: Patterns = ()
    """Columns that are left out."""
    include: Patterns = ()
    """If there are any: the columns that are not left out."""
    mask: Mapping[str, int] = field(default_factory=dict)
    """By pattern: columns whose text, NULL too, is replaced by so many asterisks."""
    truncate: Mapping[str, int] = field(default_factory=dict)
    """By pattern: columns whose text is cut to so many characters."""
    hash: Patterns = ()
    """Columns whose text is replaced by its salted hash."""
    hash_algorithm: str = "sha256"
    hash_salt: str = field(default="", repr=False)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By table, ``database.table``: the columns that make the messages' keys instead of the primary key."""
    skip_unchanged: bool = False
    """Leave out updates after which all that is published of the row is as before."""
    skipped: frozenset[Op] = frozenset()
    """Operations that are left out."""
    tombstones: bool = True


class ShapingSerializer:
    """A serializer that is given events as they are to be published."""

    def __init__(self, serializer: Serializer, settings: ShapingSettings) -> None:
        self._serializer = serializer
        self._settings = settings
        self._tables: dict[tuple[str, str], _TableShape] = {}

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        if isinstance(event, Change):
            if event.op in self._settings.skipped:
                return
            shaped = self._shape(event.table).change(event, skip_unchanged=self._settings.skip_unchanged)
            for addressed in (
                self._serializer.serialize(shaped, now_ns) if len(shaped) or event.op is Op.TRUNCATE else ()
            ):
                yield (
                    addressed
                    if self._settings.tombstones
                    else addressed._replace(messages=_without_tombstones(addressed))
                )
            return
        if isinstance(event, DocumentChange):
            yield from self._documents(event, now_ns)
            return
        if isinstance(event, SchemaChange):
            event = replace(event, table_changes=[self._table_change(one) for one in event.table_changes])
        yield from self._serializer.serialize(event, now_ns)

    def _documents(self, change: DocumentChange, now_ns: int) -> Iterable[Addressed]:
        """Documents have no columns: only operations and tombstones are left out."""
        skipped = self._settings.skipped
        kept = change.of([at for at, op in enumerate(change.ops) if op not in skipped]) if skipped else change
        if not kept:
            return
        for addressed in self._serializer.serialize(kept, now_ns):
            messages = addressed.messages if self._settings.tombstones else _without_tombstones(addressed)
            yield addressed._replace(messages=messages)

    def _shape(self, table: Table) -> _TableShape:
        name = (table.database, table.name)
        known = self._tables.get(name)
        if known is None or known.table is not table:
            known = self._tables[name] = _TableShape(table, self._settings)
        return known

    def _table_change(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        """A change of structure without the columns that are left out."""
        table = change["table"]
        if table is None:
            return change
        name = str(change["id"]).strip('"').replace('"."', ".")
        columns = [one for one in table["columns"] if not _left_out(f"{name}.{one['name']}", self._settings)]
        return {**change, "table": {**table, "columns": columns}}


class _TableShape:
    """How the rows of one table, as it stands, are shaped."""

    def __init__(self, table: Table, settings: ShapingSettings) -> None:
        self.table = table
        names = [f"{table.full_name}.{column}" for column in table.columns]
        kept = [at for at, name in enumerate(names) if not _left_out(name, settings)]
        key = _key(table, settings)
        self._kept = kept
        self._converts = {
            place: convert
            for place, at in enumerate(kept)
            if (convert := _conversion(table, at, settings, in_key=at in key)) is not None
        }
        missing = [table.columns[at] for at in key if at not in kept]
        if missing:
            raise _refused(table, missing[0], "left out")
        self._whole = len(kept) == len(table.columns)
        types = tuple(table.types[at] for at in kept) if table.types else ()
        columns = tuple(table.columns[at] for at in kept)
        self._shaped = Table(table.database, table.name, columns, tuple(kept.index(at) for at in key), types)
        if self._whole and self._shaped == table:
            self._shaped = table

    def change(self, change: Change, *, skip_unchanged: bool) -> Change:
        """The change as it is published; it may be left without rows."""
        before, after = self._rows(change.before), self._rows(change.after)
        if skip_unchanged and before is not None and after is not None:
            changed = [n for n, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
            before, after = [before[n] for n in changed], [after[n] for n in changed]
        return replace(change, table=self._shaped, before=before, after=after)

    def _rows(self, rows: Sequence[Row] | None) -> Sequence[Row] | None:
        if rows is None or (self._whole and not self._converts):
            return rows
        picked = [[row[at] for at in self._kept] for row in rows]
        for place, convert in self._converts.items():
            for values in picked:
                values[place] = convert(self._text(values[place], place))
        return [tuple(values) for values in picked]

    def _text(self, value: Any, place: int) -> str | None:
        if value is None or isinstance(value, str):
            return value
        raise _not_text(self._shaped, place)


def _left_out(name: str, settings: ShapingSettings) -> bool:
    return _matches(name, settings.exclude) or bool(settings.include and not _matches(name, settings.include))


def _matches(name: str, patterns: Patterns) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _key(table: Table, settings: ShapingSettings) -> tuple[int, ...]:
    own = settings.keys.get(table.full_name)
    if own is None or not table.columns:
        return table.key
    for column in own:
        if column not in table.columns:
            raise ConfigError(f"source.message_key_columns: {table.full_name} has no column {column!r}")
    return tuple(table.columns.index(column) for column in own)


def _conversion(table: Table, at: int, settings: ShapingSettings, *, in_key: bool) -> Convert | None:
    name = f"{table.full_name}.{table.columns[at]}"
    for pattern, length in settings.mask.items():
        if fnmatchcase(name, pattern):
            return _checked(table, at, _masking(length), collapses=in_key)
    if _matches(name, settings.hash):
        return _checked(table, at, _hashing(settings), collapses=False)
    for pattern, length in settings.truncate.items():
        if fnmatchcase(name, pattern):
            return _checked(table, at, _cutting(length), collapses=in_key)
    return None


def _checked(table: Table, at: int, convert: Convert, *, collapses: bool) -> Convert:
    if collapses:
        raise _refused(table, table.columns[at], "masked or cut")
    if table.types and table.types[at].type != "string":
        raise _not_text(table, at)
    return convert


def _masking(length: int) -> Convert:
    mask = "*" * length
    return lambda _: mask


def _cutting(length: int) -> Convert:
    return lambda text: None if text is None else text[:length]


def _hashing(settings: ShapingSettings) -> Convert:
    """Debezium's ``column.mask.hash.v2``, not cut to the column's length: salt and text in UTF-8, in hexadecimal."""
    salted = hashlib.new(settings.hash_algorithm, settings.hash_salt.encode())

    def convert(text: str | None) -> str | None:
        if text is None:
            return None
        digest = salted.copy()
        digest.update(text.encode())
        return digest.hexdigest()

    return convert


def _not_text(table: Table, at: int) -> ConfigError:
    return ConfigError(
        f"{table.full_name}.{table.columns[at]} holds no text, and only text can be masked, hashed or cut",
        hint="leave the column out with source.column_exclude_list",
    )


def _refused(table: Table, column: str, how: str) -> ConfigError:
    return ConfigError(
        f"{table.full_name}.{column} is part of the key and cannot be {how}: rows could not be told apart",
        hint="hash it, or name another key in source.message_key_columns",
    )


def _without_tombstones(addressed: Addressed) -> Messages:
    return Messages.of(message for message in addressed.messages if message.value is not None)
