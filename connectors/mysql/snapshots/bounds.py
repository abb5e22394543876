"""Places in a table's key order: how they are kept, written in SQL, and compared with the keys of changed rows.

A bound is made of a row that SELECT gave; what is compared with it comes out of the log as JSON values. Numbers, moments
and bytes are compared here. Text is compared by the server, in the column's own collation: no other order is the index's.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from connectors.mysql import values
from connectors.mysql.connection import Connection, quote_identifier
from connectors.mysql.structure import Column
from connectors.mysql.text_cells import Cell
from connectors.mysql.value_modes import DEFAULT_MODES, BinaryMode, ValueModes
from connectors.source import Row
from streamtrain.errors import UnsupportedChange

Comparable = Any
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
_BYTES = frozenset({"binary", "varbinary"})
_TEXTS = frozenset({"char", "varchar"})
# Their order is the server's secret: MariaDB sorts a UUID by its parts in another order.
_CAST = frozenset({"uuid", "inet4", "inet6"})
# Text of these comes back from Unicode as it went in, so that a bound finds its own row again.
_CHARSETS = frozenset({"utf8mb4", "utf8mb3", "ascii", "latin1", "ucs2", "utf16", "utf16le", "utf32"})
_EPOCH = date(1970, 1, 1)
_ZERO_TIMESTAMP = "0000-00-00 00:00:00"
_DAY_US = 86_400_000_000
_TEXTS_AT_ONCE = 200
_TWO_64 = 1 << 64
_MOMENTS = frozenset({"date", "datetime", "time"})
_OF_BYTES: dict[BinaryMode, Callable[[str], bytes]] = {
    "bytes": b64decode, "base64": b64decode, "base64-url-safe": urlsafe_b64decode, "hex": bytes.fromhex,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sorting:
    """What makes the order of one column: as long as it stays, rows stay on their side of a bound."""

    column: str
    type: str
    """As it is declared; ``integer`` for whole numbers of all sizes."""
    collation: str | None
    """Of text."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The last row of a chunk: the server's texts of its ordering columns, bytes as hexadecimal digits. NULL is None."""

    texts: tuple[str | None, ...]
    order: tuple[Sorting, ...] = ()
    """Of which it is a place; empty where an older version has kept it, which did not tell."""


@dataclass(frozen=True, slots=True)
class OrderColumn:
    """A column that rows are read by: its place in the row, and the collation of text."""

    index: int
    column: Column
    collation: str | None = None

    @property
    def sorting(self) -> Sorting:
        """What is kept of it with a bound."""
        whole_number = self.column.data_type.endswith("int")
        return Sorting(self.column.name, "integer" if whole_number else self.column.declared, self.collation)


@dataclass(frozen=True, slots=True)
class _Rules:
    """One ordering column: of a bound's text, and of a changed row's value, what can be compared, here or by the server."""

    literal: Callable[[str], str]
    """A text in SQL, of the column's own type."""
    of_text: Callable[[str], Comparable] | None = None
    """None: the server compares."""
    of_value: Callable[[Any], Comparable] = str


class Ordering:
    """The order of a table's rows by some of its columns. ``connection`` is asked to compare text; it must be idle then."""

    def __init__(self, columns: Sequence[OrderColumn], connection: Connection, modes: ValueModes) -> None:
        self._columns = [each.column for each in columns]
        self._order = tuple(each.sorting for each in columns)
        self._indexes = tuple(each.index for each in columns)
        self._rules = [_rules(each, modes) for each in columns]
        self._connection = connection
        self._compared: dict[tuple[int, str, str], int] = {}
        self.names = ", ".join(quote_identifier(column.name) for column in self._columns)

    def of_row(self, row: Row) -> tuple[Any, ...]:
        """The ordering values of a row that the log or a chunk gave."""
        return tuple([row[index] for index in self._indexes])

    def bound(self, row: Sequence[Cell]) -> Bound:
        """The bound that a row of SELECT makes."""
        return self.bound_of([row[index] for index in self._indexes])

    def bound_of(self, cells: Sequence[Cell]) -> Bound:
        """The bound that the texts of the ordering columns make."""
        return Bound(
            tuple(
                None if cell is None else cell.hex() if column.data_type in _BYTES else cell.decode()
                for cell, column in zip(cells, self._columns, strict=True)
            ),
            self._order,
        )

    def has(self, bound: Bound) -> bool:
        """Whether ``bound`` is a place in this order, and not in that of another key, type or collation."""
        return bound.order == self._order if bound.order else len(bound.texts) == len(self._order)

    def after(self, bound: Bound) -> str:
        """The SQL condition that a row lies beyond ``bound``, in the form that the server finds by an index."""
        return self._condition(bound, lambda name, literal: f"{name} > {literal}", lambda name: f"{name} IS NOT NULL")

    def until(self, bound: Bound) -> str:
        """The SQL condition that a row does not lie beyond ``bound``."""
        return self._condition(
            bound, lambda name, literal: f"({name} < {literal} OR {name} IS NULL)", lambda _: "FALSE", or_equal=True
        )

    def _condition(
        self,
        bound: Bound,
        past: Callable[[str, str], str],
        past_null: Callable[[str], str],
        *,
        or_equal: bool = False,
    ) -> str:
        alternatives, equal = list[str](), list[str]()
        for column, rules, text in zip(self._columns, self._rules, bound.texts, strict=True):
            name = quote_identifier(column.name)
            if text is None:
                alternatives.append(" AND ".join([*equal, past_null(name)]))
                equal.append(f"{name} IS NULL")
            else:
                literal = rules.literal(text)
                alternatives.append(" AND ".join([*equal, past(name, literal)]))
                equal.append(f"{name} = {literal}")
        if or_equal:
            alternatives.append(" AND ".join(equal))
        return "(" + " OR ".join(f"({each})" for each in alternatives) + ")"

    def beyond(self, keys: Sequence[tuple[Any, ...]], bound: Bound) -> list[bool]:
        """For each key, as ``of_row`` gives it, whether it lies beyond ``bound``.

        Raises UnsupportedChange if a key is a date of which the log does not tell which one it is.
        """
        rules, text = self._rules[0], bound.texts[0]
        if len(self._rules) == 1 and rules.of_text is not None and text is not None:
            edge, of_value = rules.of_text(text), rules.of_value
            return [key[0] is not None and of_value(key[0]) > edge for key in keys]
        self._ask(keys, bound)
        return [self._compare(key, bound) > 0 for key in keys]

    def _compare(self, key: tuple[Any, ...], bound: Bound) -> int:
        for index, (rules, value, text) in enumerate(zip(self._rules, key, bound.texts, strict=True)):
            if value is None or text is None:
                sign = (text is None) - (value is None)
            elif rules.of_text is None:
                sign = 0 if value == text else self._compared[index, value, text]
            else:
                one, other = rules.of_value(value), rules.of_text(text)
                sign = (one > other) - (one < other)
            if sign:
                return sign
        return 0

    def _ask(self, keys: Sequence[tuple[Any, ...]], bound: Bound) -> None:
        """Have the server compare the texts that are not compared yet."""
        self._compared.clear()
        for index, (rules, text) in enumerate(zip(self._rules, bound.texts, strict=True)):
            if rules.of_text is not None or text is None:
                continue
            found = sorted({key[index] for key in keys} - {None, text})
            for first in range(0, len(found), _TEXTS_AT_ONCE):
                asked = found[first : first + _TEXTS_AT_ONCE]
                other = rules.literal(text)
                signs = ", ".join(_sign(rules.literal(each), other) for each in asked)
                answer = self._connection.query(f"SELECT {signs}")[0]
                for value, sign in zip(asked, answer, strict=True):
                    self._compared[index, value, text] = int(sign)


def can_be_ordered(column: Column, modes: ValueModes) -> bool:
    """Whether places in the order of this column can be kept and compared, in the modes in which the log shows its values.

    Not so FLOAT and DOUBLE (a text does not name one number), ENUM and SET (their order is that of their labels' numbers),
    BIT, text in character sets that Unicode does not give back as it was, decimals as doubles, and moments other than in
    the default mode.
    """
    kind = column.data_type
    if kind in _TEXTS:
        return column.charset in _CHARSETS
    if kind in _MOMENTS:
        return modes.time_precision == DEFAULT_MODES.time_precision
    return kind in _RULES and not (kind == "decimal" and modes.decimal == "double")


def compared_alike(one: Column, other: Column) -> bool:
    """Whether these are columns of one name whose places are compared by the same rules."""
    return one.name == other.name and _RULES.get(one.data_type) is _RULES.get(other.data_type)


def _rules(each: OrderColumn, modes: ValueModes) -> _Rules:
    """The rules of a column, for values in these modes."""
    column, rules = each.column, _RULES[each.column.data_type](each)
    if column.data_type in _BYTES:
        return replace(rules, of_value=_OF_BYTES[modes.binary])
    if column.data_type == "decimal" and modes.decimal == "precise":
        return replace(
            rules, of_value=lambda value: Decimal(f"{_integer(value)}e-{column.scale}")
        )  # exact, as no operation is
    if column.data_type == "bigint" and column.unsigned and modes.bigint_unsigned != "exact":
        precise = modes.bigint_unsigned == "precise"
        return replace(rules, of_value=_integer if precise else lambda value: int(value) % _TWO_64)
    return rules


def _integer(text: str) -> int:
    """The number of which ``value_modes.integer_bytes`` is the way back."""
    return int.from_bytes(b64decode(text), "big", signed=True)


def _sign(one: str, other: str) -> str:
    """The SQL expression that is 1, 0 or -1."""
    return f"({one} > {other}) - ({one} < {other})"


def _number(text: str) -> str:
    return format(Decimal(text), "f")


def _quoted(text: str) -> str:
    return f"_utf8mb4 x'{text.encode().hex()}'"


def _collated(text: str, each: OrderColumn) -> str:
    if each.collation is None:
        raise UnsupportedChange(
            f"a row was changed of a table that has another one's name by now: the collation of its {each.column.name} is not "
            "known, and so not whether the row was read already",
            hint="give the tables back their names until this is read, or begin again under a new topic.prefix",
        )
    quoted = _quoted(text)
    as_stored = quoted if each.column.charset == "utf8mb4" else f"CONVERT({quoted} USING {each.column.charset})"
    return f"{as_stored} COLLATE {each.collation}"


def _timestamp_text(value: str, digits: int) -> str:
    """ISO 8601 as SELECT prints it."""
    if value == values.ZERO_TIMESTAMP:
        whole, fraction = _ZERO_TIMESTAMP, ""
    else:
        whole, _, fraction = value.removesuffix("Z").replace("T", " ").partition(".")
    return f"{whole}.{fraction.ljust(digits, '0')}" if digits else whole


def _date_text(days: int, column: Column) -> str:
    _require_known(days, column)
    return (_EPOCH + timedelta(days=days)).isoformat()


def _datetime_text(moment: int, column: Column) -> str:
    _require_known(moment, column)
    digits = column.fraction_digits
    days, rest = divmod(moment if digits > 3 else moment * 1_000, _DAY_US)
    seconds, microseconds = divmod(rest, 1_000_000)
    day = (_EPOCH + timedelta(days=days)).isoformat()
    text = f"{day} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{microseconds:06d}"[: len(text) + 1 + digits] if digits else text


def _require_known(value: int, column: Column) -> None:
    if value == values.ZERO:
        raise UnsupportedChange(
            f"a row was changed whose key has 1970-01-01 or an impossible date in {column.name}, while the table is read: "
            "the log does not tell which of the two, and so not whether the row was read already",
            hint="name another column to read the table by: source.snapshot_keys: {DATABASE.TABLE: COLUMN}",
        )


_RULES: dict[str, Callable[[OrderColumn], _Rules]] = {
    **dict.fromkeys(_INTEGERS, lambda _: _Rules(_number, int, int)),
    **dict.fromkeys(_BYTES, lambda _: _Rules(lambda text: f"x'{bytes.fromhex(text).hex()}'", bytes.fromhex, b64decode)),
    **dict.fromkeys(_TEXTS, lambda each: _Rules(lambda text: _collated(text, each))),
    **dict.fromkeys(_CAST, lambda each: _Rules(lambda text: f"CAST({_quoted(text)} AS {each.column.data_type})")),
    "decimal": lambda _: _Rules(_number, Decimal, Decimal),
    "date": lambda each: _Rules(_quoted, str, lambda days: _date_text(days, each.column)),
    "datetime": lambda each: _Rules(_quoted, str, lambda moment: _datetime_text(moment, each.column)),
    "timestamp": lambda each: _Rules(_quoted, str, lambda text: _timestamp_text(text, each.column.fraction_digits)),
    "time": lambda _: _Rules(_quoted, values.time_from_text, int),
}
