"""The events that carry no rows: from header and body to a dataclass. All raise Malformed on bytes that are not theirs.

Formats: https://dev.mysql.com/doc/dev/mysql-server/latest/namespacemysql_1_1binlog_1_1event.html, and for MariaDB's own
https://mariadb.com/kb/en/replication-protocol/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import NamedTuple, TypedDict
from uuid import UUID

from connectors.mysql.binlog.charsets import charset_of
from connectors.mysql.binlog.compressed_events import unpacked
from connectors.mysql.binlog.event_types import ARTIFICIAL_FLAG, EventType
from connectors.mysql.binlog.events import (
    Event,
    FormatDescription,
    Gtid,
    Heartbeat,
    MariadbGtid,
    MariadbGtidList,
    PreviousGtids,
    Query,
    Rotate,
    RowsQuery,
    XaPrepare,
    Xid,
)
from connectors.mysql.binlog.reading import Data, Malformed, Reader
from connectors.mysql.binlog.tagged_gtid import read_tagged_gtid

HEADER_LENGTH = 19
_HEADER = Struct("<IBIIIH")


class HeaderFields(TypedDict):
    """The fields that every event takes from its header."""

    timestamp: int
    server_id: int
    end_position: int
    size: int
    artificial: bool


class Header(NamedTuple):
    """An event's first 19 bytes."""

    timestamp: int
    type: int
    server_id: int
    size: int
    end_position: int
    flags: int

    @classmethod
    def read(cls, data: Data) -> Header:
        """Raises Malformed if ``data`` is shorter, or not of the length that the header tells."""
        if len(data) < HEADER_LENGTH:
            raise Malformed(f"{len(data)} bytes are shorter than an event's header")
        header = tuple.__new__(cls, _HEADER.unpack_from(data))  # _make would count the fields first
        if header[3] != len(data):
            raise Malformed(f"the header tells of {header.size} bytes, where {len(data)} have come")
        return header

    @property
    def artificial(self) -> bool:
        return bool(self.flags & ARTIFICIAL_FLAG) or not self.end_position

    def fields(self) -> HeaderFields:
        """What the event's dataclass takes."""
        timestamp, _, server_id, size, end_position, flags = self
        return {
            "timestamp": timestamp,
            "server_id": server_id,
            "end_position": end_position,
            "size": size,
            "artificial": bool(flags & ARTIFICIAL_FLAG) or not end_position,
        }


_FILE_NAME = re.compile(r"[^\0/]+\.\d+")


def _rotate(header: Header, reader: Reader) -> Rotate:
    position = reader.uint(8)
    file = reader.rest().decode()
    if not _FILE_NAME.fullmatch(file):
        raise Malformed("the next file's name does not end in a number")
    return Rotate(file, position, **header.fields())


_MARIADB_KINDS = 160
"""MariaDB's own kinds of events begin here; MySQL has far fewer in all."""
_CHECKSUM_NONE, _CHECKSUM_CRC32 = 0, 1


def _format_description(header: Header, reader: Reader) -> FormatDescription:
    version = reader.uint(2)
    server_version = reader.take(50).rstrip(b"\0").decode()
    reader.uint(4)
    header_length = reader.uint(1)
    lengths = reader.take(max(reader.left - 5, 0))
    algorithm = reader.uint(1)
    if version != 4 or header_length != HEADER_LENGTH or lengths[EventType.TABLE_MAP - 1] != 8:
        raise Malformed(f"binlog format {version} of server {server_version} is not supported")
    if algorithm not in {_CHECKSUM_NONE, _CHECKSUM_CRC32}:
        raise Malformed(f"checksum algorithm {algorithm} is not known")
    return FormatDescription(
        server_version, algorithm == _CHECKSUM_CRC32, header_length, len(lengths) >= _MARIADB_KINDS, **header.fields()
    )


# Status variables that come before the character set, with their lengths; None: a byte of length before it.
_STATUS_LENGTHS: dict[int, int | None] = {0: 4, 1: 8, 3: 4, 6: None}
_STATUS_CHARSET = 4


def _query(header: Header, reader: Reader) -> Query:
    body = reader.rest()
    read = _short_query if len(body) <= _SHORT else _query_body
    return Query(*read(body, Reader.rest), **header.fields())


def _compressed_query(header: Header, reader: Reader) -> Query:
    return Query(*_query_body(reader.rest(), unpacked), **header.fields())


def _query_body(body: bytes, read_sql: Callable[[Reader], bytes]) -> tuple[str, str, int, bytes, bool]:
    """The fields of a Query."""
    reader = Reader(body)
    thread_id = reader.uint(4)
    reader.uint(4)
    database_length = reader.uint(1)
    reader.uint(2)
    status = reader.take(reader.uint(2))
    database = reader.text(database_length)
    if reader.uint(1) != 0:
        raise Malformed("the database's name does not end in a zero byte")
    sql, exact = _statement(read_sql(reader), _client_collation(Reader(status)))
    return database, sql, thread_id, status, exact


_SHORT = 512
_short_query = lru_cache(maxsize=1024)(_query_body)
"""The BEGINs of one session are all alike."""


def _client_collation(status: Reader) -> int | None:
    while status.left:
        code = status.uint(1)
        if code == _STATUS_CHARSET:
            return status.uint(2)
        if code not in _STATUS_LENGTHS:
            return None
        length = _STATUS_LENGTHS[code]
        status.take(status.uint(1) if length is None else length)
    return None


def _statement(sql: bytes, collation: int | None) -> tuple[str, bool]:
    """The statement as text, and whether it is so to the letter: where it cannot be decoded, its bytes stay escaped."""
    try:
        return sql.decode() if collation is None else charset_of(collation, mariadb=True).decode(sql), True
    except (UnicodeDecodeError, Malformed, LookupError):
        return sql.decode(errors="backslashreplace"), False


def _xid(header: Header, reader: Reader) -> Xid:
    number = reader.uint(8)
    reader.finish()
    return Xid(number, **header.fields())


_ORIGINAL_COMMIT_FOLLOWS = 1 << 55


_GTID = Struct("<x16sQ")
_GTID_WITH_TIMES = Struct("<x16sQ17x7s")
_GTID_WITH_BOTH_TIMES = Struct("<x16sQ24x7s")


def _gtid(header: Header, reader: Reader) -> Gtid:
    """The time is that of the original commit, which follows the commit on this server if the two differ."""
    body = reader.rest()
    if len(body) < _GTID_WITH_TIMES.size:
        uuid, number = _GTID.unpack_from(body)
        committed_us = 0
    else:  # MySQL 8.0.1 and newer
        uuid, number, committed = _GTID_WITH_TIMES.unpack_from(body)
        committed_us = int.from_bytes(committed, "little")
        if committed_us & _ORIGINAL_COMMIT_FOLLOWS:
            committed_us = int.from_bytes(_GTID_WITH_BOTH_TIMES.unpack_from(body)[2], "little")
    anonymous = header.type == EventType.ANONYMOUS_GTID
    name = "" if anonymous else f"{uuid_text(uuid)}:{number}"
    return Gtid(name, committed_us or None, anonymous=anonymous, **header.fields())


@lru_cache(maxsize=256)
def uuid_text(uuid: bytes) -> str:
    """The server's notation of the 16 bytes."""
    return str(UUID(bytes=uuid))


def _tagged_gtid(header: Header, reader: Reader) -> Gtid:
    name, committed_us = read_tagged_gtid(reader)
    return Gtid(name, committed_us, anonymous=False, **header.fields())


def _rows_query(header: Header, reader: Reader) -> RowsQuery:
    reader.uint(1)  # a length that says nothing for statements of 256 bytes and more
    return RowsQuery(reader.rest().decode(errors="backslashreplace"), **header.fields())


def _annotate_rows(header: Header, reader: Reader) -> RowsQuery:
    return RowsQuery(reader.rest().decode(errors="backslashreplace"), **header.fields())


_STANDALONE, _GROUP_COMMIT, _PREPARED_XA, _COMPLETED_XA = 0x01, 0x02, 0x40, 0x80
_START_ALTER, _ROLLBACK_ALTER = 0x02, 0x08
"""Of a second byte of flags."""


def _mariadb_gtid(header: Header, reader: Reader) -> MariadbGtid:
    sequence, domain, flags = reader.uint(8), reader.uint(4), reader.uint(1)
    return MariadbGtid(
        f"{domain}-{header.server_id}-{sequence}",
        standalone=bool(flags & _STANDALONE),
        prepared_xa=bool(flags & _PREPARED_XA),
        completed_xa=bool(flags & _COMPLETED_XA),
        unfinished_alter=_more_mariadb_flags(reader, flags) & (_START_ALTER | _ROLLBACK_ALTER) != 0,
        **header.fields(),
    )


def _more_mariadb_flags(reader: Reader, flags: int) -> int:
    """The second byte of flags, which an ALTER TABLE in two parts has; it never is in an XA transaction."""
    if flags & (_PREPARED_XA | _COMPLETED_XA):
        return 0
    if flags & _GROUP_COMMIT:
        reader.take(8)  # the number of the group
    return reader.uint(1) if reader.left else 0


def _mariadb_gtid_list(header: Header, reader: Reader) -> MariadbGtidList:
    count = reader.uint(4) & 0x0FFFFFFF  # the upper four bits are flags for replicas
    if not count:
        reader.take(2)  # an empty list is padded, so that it is long enough to be replaced by another event
    if count * 16 != reader.left:
        raise Malformed(f"{count} GTIDs in {reader.left} bytes")
    gtids = [f"{reader.uint(4)}-{reader.uint(4)}-{reader.uint(8)}" for _ in range(count)]
    return MariadbGtidList(tuple(gtids), **header.fields())


def _previous_gtids(header: Header, reader: Reader) -> PreviousGtids:
    return PreviousGtids(reader.rest(), **header.fields())


def _heartbeat(header: Header, reader: Reader) -> Heartbeat:
    return Heartbeat(reader.rest().decode(), **header.fields())


def _xa_prepare(header: Header, reader: Reader) -> XaPrepare:
    one_phase, form, global_length, branch_length = reader.uint(1), reader.uint(4), reader.uint(4), reader.uint(4)
    global_id, branch = reader.take(global_length), reader.take(branch_length)
    reader.finish()
    return XaPrepare(f"X'{global_id.hex()}',X'{branch.hex()}',{form}", bool(one_phase), **header.fields())


CONTROL: dict[int, Callable[[Header, Reader], Event]] = {
    EventType.ROTATE: _rotate,
    EventType.FORMAT_DESCRIPTION: _format_description,
    EventType.QUERY: _query,
    EventType.XID: _xid,
    EventType.GTID: _gtid,
    EventType.ANONYMOUS_GTID: _gtid,
    EventType.GTID_TAGGED: _tagged_gtid,
    EventType.PREVIOUS_GTIDS: _previous_gtids,
    EventType.HEARTBEAT: _heartbeat,
    EventType.XA_PREPARE: _xa_prepare,
    EventType.ROWS_QUERY: _rows_query,
    EventType.MARIADB_ANNOTATE_ROWS: _annotate_rows,
    EventType.MARIADB_QUERY_COMPRESSED: _compressed_query,
    EventType.MARIADB_GTID: _mariadb_gtid,
    EventType.MARIADB_GTID_LIST: _mariadb_gtid_list,
}
"""How to read the body of each kind, without its checksum."""
