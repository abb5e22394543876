"""Makes, for one table layout, the function that turns the bytes of a row event into rows.

Where the decoder in C was built, it is that one. Else it is generated here, as Python; the two are held to each other by
tests. The generated text is made of column numbers and types only. Neighbouring columns of fixed width are unpacked together, by one
``struct`` for the little-endian and one for the big-endian integers among them; a row without nulls takes a branch of its
own, in which all neighbours can be taken together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from struct import Struct, calcsize
from typing import NamedTuple, cast

from connectors.mysql.binlog import native_rows
from connectors.mysql.binlog.column_code import NAMES, Fixed, Sized, column_code, filled_in
from connectors.mysql.binlog.reading import Malformed
from connectors.mysql.binlog.table_map import TableLayout
from connectors.source import Row

RowsDecoder = Callable[[bytes, int, int], list[Row]]
"""``decode(data, start, end)``: the rows in ``data[start:end]``. Raises Malformed, or the ValueError, IndexError or
struct.error of whatever met bytes that make no sense."""


def compile_rows_decoder(layout: TableLayout) -> RowsDecoder:
    """Make the decoder of full row images: for each row a bitmap of its nulls, then the values that are not null."""
    return native_rows.rows_decoder(layout) if native_rows.BUILT else generate_rows_decoder(layout)


def generate_rows_decoder(layout: TableLayout) -> RowsDecoder:
    """Make the same decoder in Python, whether or not there is one in C."""
    return _Compiler(layout).compile()


class _Part(NamedTuple):
    """One ``struct`` code of a run of columns, and the variable that it is unpacked into."""

    order: str
    """``<``, ``>``, or empty for a single byte or bytes."""
    code: str
    size: int
    name: str


_CODE = re.compile(r"\d*[A-Za-z]")
_PREFIX_CODES = {1: "B", 2: "H", 3: "HB", 4: "I"}


class _Compiler:
    """Writes the source text line by line, and collects the constants that it names."""

    def __init__(self, layout: TableLayout) -> None:
        self._codes = [column_code(column) for column in layout.columns]
        self._nullable = [column.nullable for column in layout.columns]
        self._lines: list[str] = []
        self._names: dict[str, object] = {"Malformed": Malformed, **NAMES}
        for index, code in enumerate(self._codes):
            self._names[f"constant_{index}"] = code.constant

    def compile(self) -> RowsDecoder:
        count = len(self._codes)
        width = (count + 7) // 8
        self._write(0, "def decode(b, p, end):")
        self._write(1, "b = b[:end]")  # what is cut off then ends the bytes too
        self._write(1, "rows = []", "add = rows.append", "while p < end:")
        self._write(2, f"if {self._any_null(count, width)}:")
        self._row_with_nulls(width)
        self._write(2, "else:")
        self._write(3, f"p += {width}")
        self._values(3, list(self._runs(0, count)))
        self._write(1, "if p != end:", "    raise Malformed('the last row does not end where the event does')")
        self._write(1, "return rows")
        exec("\n".join(self._lines), self._names)  # noqa: S102 - our own text, of numbers and types only
        return cast("RowsDecoder", self._names["decode"])

    def _write(self, depth: int, *lines: str) -> None:
        self._lines.extend("    " * depth + line for line in lines)

    def _any_null(self, count: int, width: int) -> str:
        """Whether a bit of the null bitmap is set; those beyond the last column mean nothing."""
        last = f"b[p + {width - 1}]" + (f" & {(1 << count % 8) - 1}" if count % 8 else "")
        if width > 4:
            self._names["no_nulls"] = bytes(width - 1)
            return f"b[p:p + {width - 1}] != no_nulls or {last}"
        return " | ".join([*(f"b[p + {n}]" for n in range(width - 1)), last])

    def _row_with_nulls(self, width: int) -> None:
        required = sum(1 << index for index, nullable in enumerate(self._nullable) if not nullable)
        self._write(3, f"nulls = int.from_bytes(b[p:p + {width}], 'little')")
        self._write(3, f"if nulls & {required}:", "    raise Malformed('a NOT NULL column is null')")
        self._write(3, f"p += {width}")
        runs: list[list[int]] = []
        start = 0
        for index in [*(n for n, nullable in enumerate(self._nullable) if nullable), len(self._codes)]:
            runs.extend(self._runs(start, index))
            if index < len(self._codes):
                runs.append([index])
            start = index + 1
        self._values(3, runs, check_nulls=True)

    def _runs(self, start: int, stop: int) -> Iterator[list[int]]:
        """Columns whose places are known from the first one's: all up to, and with, one that has a length before it."""
        run: list[int] = []
        for index in range(start, stop):
            run.append(index)
            if isinstance(self._codes[index], Sized):
                yield run
                run = []
        if run:
            yield run

    def _values(self, depth: int, runs: Sequence[list[int]], *, check_nulls: bool = False) -> None:
        """Lines that read ``runs`` and add the row."""
        values: dict[int, str] = {}
        for run in runs:
            index = run[0]
            if check_nulls and self._nullable[index]:
                self._write(depth, f"if nulls & {1 << index}:", f"    v{index} = None", "else:")
                value = self._read(depth + 1, run)[index]
                values[index] = f"v{index}"
                if value != values[index]:
                    self._write(depth + 1, f"v{index} = {value}")
            else:
                values |= self._read(depth, run)
        self._write(depth, f"add(({', '.join(values[index] for index in range(len(self._codes)))},))")

    def _read(self, depth: int, run: list[int]) -> dict[int, str]:
        """Lines that unpack a run and move on behind it; the expression of each column's value."""
        parts: list[_Part] = []
        values: dict[int, str] = {}
        for index in run:
            code = self._codes[index]
            if isinstance(code, Sized):
                parts.extend(_parts(_PREFIX_CODES[code.prefix], "<", "n"))
                continue
            parts.extend(_parts(code.codes, ">" if code.big_endian else "<", f"f{index}_"))
            values[index] = self._expression(index, code, "")
        self._unpack(depth, parts)
        last = self._codes[run[-1]]
        size = sum(part.size for part in parts)
        self._write(depth, f"p += {size}")
        if isinstance(last, Sized):
            self._write(depth, f"q = p + {'(n0 | n1 << 16)' if last.prefix == 3 else 'n0'}")
            self._write(depth, f"v{run[-1]} = {self._expression(run[-1], last, 'b[p:q]')}", "p = q")
            values[run[-1]] = f"v{run[-1]}"
        return values

    def _unpack(self, depth: int, parts: Sequence[_Part]) -> None:
        if [part.code for part in parts] == ["B"]:
            self._write(depth, f"{parts[0].name} = b[p]")
            return
        orders = [order for order in "<>" if any(part.order == order for part in parts)] or ["<"]
        for order in orders:
            own = [part.order == order or (not part.order and order == orders[0]) for part in parts]
            text = "".join(part.code if mine else f"{part.size}x" for part, mine in zip(parts, own, strict=True))
            unpack = f"unpack_{len(self._names)}"
            self._names[unpack] = Struct(order + text).unpack_from
            names = ", ".join(part.name for part, mine in zip(parts, own, strict=True) if mine)
            self._write(depth, f"{names}, = {unpack}(b, p)")

    def _expression(self, index: int, code: Fixed | Sized, value: str) -> str:
        return filled_in(code.expression, unpacked=f"f{index}_", value=value, constant=f"constant_{index}")


def _parts(codes: str, order: str, prefix: str) -> Iterator[_Part]:
    for n, code in enumerate(_CODE.findall(codes)):
        neutral = code[-1] in "bBs"
        yield _Part("" if neutral else order, code, calcsize("<" + code), f"{prefix}{n}")
