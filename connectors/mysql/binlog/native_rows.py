"""The decoder of rows in C (``_rows.c``), where it was built: what it is told of a table's columns."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, calcsize
from typing import Any, cast

from connectors.mysql.binlog.column_code import NAMES, Fixed, Sized, column_code, filled_in
from connectors.mysql.binlog.columns import Column
from connectors.mysql.binlog.table_map import TableLayout
from connectors.source import Row

try:
    from connectors.mysql.binlog._rows import Decoder
except ImportError:  # no compiler was there when this was installed
    BUILT = False
else:
    BUILT = True

Step = tuple[str, bool, int, int, int, int, object]
"""Operation, nullable, bytes of the length before a value, bytes of a value of fixed width, length, scale, constant."""


def rows_decoder(layout: TableLayout) -> Callable[[bytes, int, int], list[Row]]:
    """``decode(data, start, end)``: the rows in ``data[start:end]``. Only to be called where it is ``BUILT``."""
    return Decoder(tuple(step(column) for column in layout.columns)).decode


def step(column: Column) -> Step:
    """How the decoder reads one column: by an operation of its own, or by calling what the column's expression says."""
    code = column_code(column)
    prefix, size = (code.prefix, 0) if isinstance(code, Sized) else (0, calcsize("<" + code.codes))
    if code.native:
        return code.native, column.nullable, prefix, size, column.length, column.scale, code.constant
    return "call", column.nullable, prefix, size, 0, 0, value_function(code)


def value_function(code: Fixed | Sized) -> Callable[[bytes], Any]:
    """A function of a value's bytes, without the length before them."""
    names = {**NAMES, "constant": code.constant}
    expression = filled_in(code.expression, unpacked="f", value="v", constant="constant")
    lines = ["def convert(v):"]
    if isinstance(code, Fixed):
        unpack = Struct((">" if code.big_endian else "<") + code.codes)
        names["unpack"] = unpack.unpack
        count = len(unpack.unpack(bytes(unpack.size)))
        lines.append(f"    {''.join(f'f{n}, ' for n in range(count))}= unpack(v)")
    lines.append(f"    return {expression}")
    exec("\n".join(lines), names)  # noqa: S102 - our own text, of numbers and types only
    return cast("Callable[[bytes], Any]", names["convert"])
