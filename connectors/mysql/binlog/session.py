"""What a statement's event tells of the session in which it was run.

The status variables of https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Query__event.html,
of which MariaDB has the first dozen, and some of its own from 128 on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connectors.mysql.binlog.reading import Reader

_FLAGS, _SQL_MODE, _CHARSET, _EXPLICIT_TIMESTAMPS = 0, 1, 4, 16
_MARIADB_EXPLICIT_TIMESTAMPS = 1 << 24
"""Of the flags."""
_UNLISTED = 254
"""In place of a count of databases: there are more than are listed."""


@dataclass(slots=True)
class SessionVariables:
    """Of the session; None is what the server did not tell."""

    sql_mode: int = 0
    server_collation: int | None = None
    """``collation_server``, by its number: that of databases that are created without one."""
    explicit_timestamps: bool | None = None
    """``explicit_defaults_for_timestamp``: without it a TIMESTAMP is NOT NULL if it is not said to be NULL."""


def read_session(status: bytes, *, mariadb: bool) -> SessionVariables:
    """Read the status variables up to one that is not known, whose length nothing tells."""
    reader, found = Reader(status), SessionVariables()
    while reader.left:
        code = reader.uint(1)
        if code == _FLAGS:
            flags = reader.uint(4)
            if mariadb:
                found.explicit_timestamps = bool(flags & _MARIADB_EXPLICIT_TIMESTAMPS)
        elif code == _SQL_MODE:
            found.sql_mode = reader.uint(8)
        elif code == _CHARSET:
            reader.take(4)
            found.server_collation = reader.uint(2)
        elif code == _EXPLICIT_TIMESTAMPS and not mariadb:
            found.explicit_timestamps = bool(reader.uint(1))
        elif skip := _SKIP.get(code):
            skip(reader)
        else:
            break
    return found


def _fixed(length: int) -> Callable[[Reader], object]:
    return lambda reader: reader.take(length)


def _short_text(reader: Reader) -> None:
    reader.take(reader.uint(1))


def _two_short_texts(reader: Reader) -> None:
    _short_text(reader)
    _short_text(reader)


def _terminated_short_text(reader: Reader) -> None:
    reader.take(reader.uint(1) + 1)


def _databases(reader: Reader) -> None:
    count = reader.uint(1)
    if count != _UNLISTED:
        for _ in range(count):
            while reader.uint(1):
                pass


_SKIP: dict[int, Callable[[Reader], object]] = {
    2: _terminated_short_text,
    3: _fixed(4),
    5: _short_text,
    6: _short_text,
    7: _fixed(2),
    8: _fixed(2),
    9: _fixed(8),
    10: _fixed(4),
    11: _two_short_texts,
    12: _databases,
    13: _fixed(3),
}
