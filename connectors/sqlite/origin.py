"""The ``source`` block of SQLite's records, after Debezium's common fields.

Source: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-change-event-values. What is
SQLite's own is ``change``: the number of the first change of those that share the block; ``row`` counts on from there.
"""

from __future__ import annotations

from typing import Any

from connectors.sqlite.settings import DATABASE
from streamtrain import __version__


def origin(prefix: str, table: str, committed_ms: int, change: int, snapshot: str = "false") -> dict[str, Any]:
    """The block of changes that one statement's time and one run of change numbers hold together."""
    return {
        "version": __version__,
        "connector": "sqlite",
        "name": prefix,
        "ts_ms": committed_ms,
        "snapshot": snapshot,
        "db": DATABASE,
        "sequence": None,
        "ts_us": committed_ms * 1_000,
        "ts_ns": committed_ms * 1_000_000,
        "table": table,
        "change": change,
    }
