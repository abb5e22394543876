"""The kinds of events, and what becomes of those that are not decoded: ignored by their meaning, or a reason to stop.

https://dev.mysql.com/doc/dev/mysql-server/latest/namespacemysql_1_1binlog_1_1event.html (Log_event_type), and for the
numbers from 160 on https://mariadb.com/kb/en/2-binlog-event-header/
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class EventType(IntEnum):
    """An event's kind, as numbered in its header."""

    QUERY = 2
    STOP = 3
    ROTATE = 4
    INTVAR = 5
    APPEND_BLOCK = 9
    DELETE_FILE = 11
    RAND = 13
    USER_VAR = 14
    FORMAT_DESCRIPTION = 15
    XID = 16
    BEGIN_LOAD_QUERY = 17
    EXECUTE_LOAD_QUERY = 18
    TABLE_MAP = 19
    WRITE_ROWS_V1 = 23
    UPDATE_ROWS_V1 = 24
    DELETE_ROWS_V1 = 25
    INCIDENT = 26
    HEARTBEAT = 27
    IGNORABLE = 28
    ROWS_QUERY = 29
    WRITE_ROWS = 30
    UPDATE_ROWS = 31
    DELETE_ROWS = 32
    GTID = 33
    ANONYMOUS_GTID = 34
    PREVIOUS_GTIDS = 35
    TRANSACTION_CONTEXT = 36
    VIEW_CHANGE = 37
    XA_PREPARE = 38
    PARTIAL_UPDATE_ROWS = 39
    TRANSACTION_PAYLOAD = 40
    HEARTBEAT_V2 = 41
    GTID_TAGGED = 42
    MARIADB_ANNOTATE_ROWS = 160
    MARIADB_BINLOG_CHECKPOINT = 161
    MARIADB_GTID = 162
    MARIADB_GTID_LIST = 163
    MARIADB_START_ENCRYPTION = 164
    MARIADB_QUERY_COMPRESSED = 165
    MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166
    MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167
    MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168
    MARIADB_WRITE_ROWS_COMPRESSED = 169
    MARIADB_UPDATE_ROWS_COMPRESSED = 170
    MARIADB_DELETE_ROWS_COMPRESSED = 171


IGNORABLE_FLAG: Final = 0x80
"""A reader that does not know an event with this flag may pass over it."""
ARTIFICIAL_FLAG: Final = 0x20
IN_USE_FLAG: Final = 0x01
"""On the FORMAT_DESCRIPTION of a file that is being written; its checksum is that without the flag."""

IGNORED = frozenset(
    {
        EventType.STOP,  # the server shut down; another file follows
        EventType.INTVAR,  # INTVAR, RAND and USER_VAR hold values for the Query after them, which is judged by itself
        EventType.RAND,
        EventType.USER_VAR,
        EventType.IGNORABLE,
        EventType.TRANSACTION_CONTEXT,  # of group replication, as VIEW_CHANGE
        EventType.VIEW_CHANGE,
        EventType.MARIADB_BINLOG_CHECKPOINT,  # for the server's own crash recovery
        EventType.MARIADB_START_ENCRYPTION,  # of the file; the server decrypts what it sends
    }
)

_ROW_FORMAT_HINT = "SET GLOBAL binlog_format=ROW, and have open sessions log in anew"
UNSUPPORTED = {
    EventType.APPEND_BLOCK: _ROW_FORMAT_HINT,
    EventType.DELETE_FILE: _ROW_FORMAT_HINT,
    EventType.BEGIN_LOAD_QUERY: _ROW_FORMAT_HINT,
    EventType.EXECUTE_LOAD_QUERY: _ROW_FORMAT_HINT,
    EventType.INCIDENT: "the server says that changes are missing from its log: begin again under a new topic.prefix, "
    "which reads the tables anew",
    EventType.HEARTBEAT_V2: "do not ask for it when the dump begins",
}


def event_name(number: int) -> str:
    """``WRITE_ROWS``, or ``event type 99``."""
    try:
        return EventType(number).name
    except ValueError:
        return f"event type {number}"
