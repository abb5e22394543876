"""Rows of a table -> JSON, a whole change at a time: in C (``_row_json.c``) where that was built, else by orjson."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Protocol

import orjson

from connectors.source import Row, Table

try:
    from connectors._row_json import RowEncoder as _InC
except ImportError:  # no compiler was there when this was installed
    BUILT = False
else:
    BUILT = True


class RowEncoder(Protocol):
    """Writes the rows of one table. Raises TypeError on a value that is none of JSON's, as orjson does."""

    def keys(self, rows: Sequence[Row], /) -> list[bytes | None]:
        """Each row's key as a JSON object; None for each if the table has no key."""

    def documents(
        self,
        befores: Sequence[Row] | None,
        afters: Sequence[Row] | None,
        parts: tuple[bytes, ...],
        counters: tuple[int, ...],
        /,
    ) -> list[bytes | None]:
        """A document for each row, or one if there are none on either side.

        It is ``parts[0]``, the row before as a JSON object or null, ``parts[1]``, the row after, ``parts[2]``, and then each
        of ``counters``, which rises by one a row, with the next part after it.
        """


def row_encoder(table: Table) -> RowEncoder:
    """The fastest encoder that there is for the rows of ``table``."""
    return _InC(table.columns, table.key, orjson.dumps) if BUILT else PythonRowEncoder(table)


class PythonRowEncoder:
    """The encoder without C, to which the one in C is held."""

    def __init__(self, table: Table) -> None:
        self._columns = table.columns
        self._key = tuple((table.columns[index], index) for index in table.key)

    def keys(self, rows: Sequence[Row], /) -> list[bytes | None]:
        if not self._key:
            return [None] * len(rows)
        return [orjson.dumps({name: row[index] for name, index in self._key}) for row in rows]

    def documents(
        self,
        befores: Sequence[Row] | None,
        afters: Sequence[Row] | None,
        parts: tuple[bytes, ...],
        counters: tuple[int, ...],
        /,
    ) -> list[bytes | None]:
        head, middle, tail, *rest = parts
        rows = befores if befores is not None else afters
        count = 1 if rows is None else len(rows)
        images = zip(self._images(befores, count), self._images(afters, count), strict=True)
        if not counters:
            return [b"%b%b%b%b%b" % (head, before, middle, after, tail) for before, after in images]
        counted = [(counter, part) for counter, part in zip(counters, rest, strict=True)]
        return [
            b"%b%b%b%b%b%b"
            % (head, before, middle, after, tail, b"".join(b"%d%b" % (counter + n, part) for counter, part in counted))
            for n, (before, after) in enumerate(images)
        ]

    def _images(self, rows: Sequence[Row] | None, count: int) -> Sequence[bytes]:
        if rows is None:
            return list(repeat(b"null", count))
        return [orjson.dumps(dict(zip(self._columns, row, strict=True))) for row in rows]
