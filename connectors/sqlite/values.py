"""Values as SQLite stores them -> JSON values, by columns."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

from connectors.source import Row
from connectors.sqlite.connection import StoredRow


def json_rows(rows: Sequence[StoredRow], booleans: Sequence[int]) -> list[Row]:
    """The rows with every value as JSON can carry it, exactly.

    NULL, INTEGER, REAL and TEXT stay; BLOB becomes Base64 text. An infinite REAL, for which JSON has no number, becomes
    the text ``Infinity`` or ``-Infinity`` (SQLite stores NaN as NULL). In the columns ``booleans``, 0 and 1 become false
    and true, anything else stays. SQLite lets any column hold any kind of value, so the values decide and not the type.
    """
    columns = [_json_column(column, index in booleans) for index, column in enumerate(zip(*rows, strict=True))]
    return list(zip(*columns, strict=True))


def _json_column(column: Sequence[Any], is_boolean: bool) -> Sequence[Any]:
    kinds = set(map(type, column))
    if bytes in kinds:
        column = [_text(value) if type(value) is bytes else value for value in column]
    if float in kinds and not all(math.isfinite(value) for value in column if type(value) is float):
        column = [_finite(value) if type(value) is float else value for value in column]
    if is_boolean and int in kinds:
        column = [bool(value) if type(value) is int and value in {0, 1} else value for value in column]
    return column


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _finite(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "Infinity" if value > 0 else "-Infinity"
