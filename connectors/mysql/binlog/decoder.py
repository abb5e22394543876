"""Binlog events, one packet each -> dataclasses. Pure: no clock, no network. What is not understood stops, with its place.

The layout of a file's events is known from its FORMAT_DESCRIPTION alone, never from the server's present settings: a file
keeps the checksum that was set when it was begun. A row event is decoded by the TABLE_MAP before it, never by the table
as it is today.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from struct import Struct
from typing import NamedTuple

from connectors.mysql.binlog.control import CONTROL, HEADER_LENGTH, Header, uuid_text
from connectors.mysql.binlog.event_types import IGNORABLE_FLAG, IGNORED, IN_USE_FLAG, UNSUPPORTED, EventType, event_name
from connectors.mysql.binlog.events import (
    Event,
    FormatDescription,
    Gtid,
    Ignored,
    MariadbGtid,
    PlainTransaction,
    Query,
    Rotate,
    Rows,
    SkimmedRows,
    TableMap,
    TransactionPayload,
    Xid,
)
from connectors.mysql.binlog.payload import packed_events
from connectors.mysql.binlog.plain import Found, FoundRows
from connectors.mysql.binlog.reading import Data, Malformed, Reader, crc32_of
from connectors.mysql.binlog.row_events import FORMS, CompiledTable, Form, Images, read_images
from connectors.mysql.binlog.rows import compile_rows_decoder
from connectors.mysql.binlog.table_map import read_layout
from connectors.mysql.field_types import shown
from connectors.mysql.structure import Gap, TableSchema
from connectors.mysql.value_modes import DEFAULT_MODES, ValueModes
from connectors.source import Table
from streamtrain.errors import UnsupportedChange

_CHECKSUM_LENGTH = 4
_CHECKSUM_MESSAGE = "its checksum does not match its bytes"
_CHECKSUM_HINT = "it was damaged in the log or on its way: read it again, and check the source's disk"
_STATEMENT_END = 0x0001
_DUMMY_TABLE_IDS = frozenset({0xFFFFFF, 0xFFFFFFFFFFFF})
"""A row event without rows, which only ends its statement."""
_MAX_MAPS = 10_000
_MALFORMED_HINT = "if the server's own mysqlbinlog reads it without an error, please report the event"
_UNDECODABLE = (ValueError, IndexError, KeyError, OverflowError, struct.error)
"""Of all that reads bytes; Malformed and UnicodeDecodeError are ValueErrors."""

_OF_FILES = frozenset({EventType.ROTATE, EventType.FORMAT_DESCRIPTION})
_NEVER_PACKED = frozenset(
    {
        EventType.ROTATE,
        EventType.FORMAT_DESCRIPTION,
        EventType.TRANSACTION_PAYLOAD,
        EventType.GTID,
        EventType.GTID_TAGGED,
    }
)
"""What tells of a file or of a whole transaction cannot lie within one."""


class _Mapped(NamedTuple):
    """What a table id stands for."""

    database: str
    name: str
    wanted: bool
    compiled: CompiledTable | None = None
    """None if the table is not wanted, or its rows are skimmed."""
    schema: TableSchema | Gap | None = None
    """As the schema log had it then; whether it is wanted may hang on it."""


class EventDecoder:
    """Decodes the events of one dump in their order. Keeps the checksum algorithm and the tables announced so far."""

    def __init__(
        self,
        wanted: Callable[[str, str], bool],
        key_columns: Mapping[str, Sequence[str]] | None = None,
        schema_of: Callable[[str, str], TableSchema | Gap | None] = lambda _database, _table: None,
        modes: ValueModes = DEFAULT_MODES,
    ) -> None:
        """``wanted(database, table)``: whose rows to decode; the answer must not change, but together with ``schema_of``'s.

        ``key_columns``: a key for ``database.table``, by column names, in place of its primary key.

        ``schema_of(database, table)``: the table's structure at this point of the log, as the schema log has it; the same
        object for as long as it is the same.
        """
        self.file = ""
        """The log file that the next event is from, as Rotate events tell it."""
        self.skim = False
        """Leave the rows of wanted tables undecoded."""
        self._wanted = wanted
        self._key_columns = dict(key_columns or {})
        self._schema_of = schema_of
        self._modes = modes
        self._maps: dict[bytes, _Mapped] = {}
        self._format: FormatDescription | None = None
        self._tables: dict[int, _Mapped] = {}
        self._thread_id: int | None = None

    def reset(self) -> None:
        """Forget the file's layout and its tables, as before the first event of a new dump."""
        self._format = None
        self._tables.clear()
        self._thread_id = None

    @property
    def checksummed(self) -> bool:
        """Whether the events of the present file have checksums."""
        return self._format is not None and self._format.checksum

    def decode(self, packet: Data | memoryview) -> Event:
        """Decode one event, header and checksum included. Raises UnsupportedChange, with position and hint."""
        data = bytes(packet) if isinstance(packet, memoryview) else packet
        header: Header | None = None
        try:
            header = Header.read(data)
            return self._event(header, data, self._body_end(header, data))
        except _UNDECODABLE as error:
            raise self._unsupported(header, error) from error

    def decode_plain(self, data: bytes, found: Found) -> PlainTransaction:
        """Decode a transaction that was found whole in ``data``. Raises UnsupportedChange as ``decode`` does."""
        uuid, number, committed_us, self._thread_id, changes, timestamp, server_id, end_position, size = found
        rows = [event for change in changes if (event := self._plain_rows(data, change)) is not None]
        gtid = f"{uuid_text(uuid)}:{number}" if uuid else ""
        return PlainTransaction(
            gtid, committed_us or None, rows,
            timestamp=timestamp, server_id=server_id, end_position=end_position, size=size, artificial=False,
        )  # fmt: skip

    def _plain_rows(self, data: bytes, change: FoundRows) -> Rows | None:
        """The row event; None if its table is not wanted."""
        description, kind, timestamp, server_id, end_position, size, start, end = change
        compiled = None
        try:
            mapped = self._mapped(description)
            compiled = mapped.compiled
            if compiled is None:
                return None
            form = FORMS[kind]
            event = data[start:end]  # of its own: an error tells a place in it
            reader = Reader(event, HEADER_LENGTH + _ROWS_HEADER.size, len(event) - _CHECKSUM_LENGTH)
            images = self._images(form, compiled, reader)
        except _UNDECODABLE as error:
            at = (size, end_position) if compiled else (_MAP_BESIDE + len(description), end_position - size)
            kind = kind if compiled else EventType.TABLE_MAP
            raise self._unsupported(Header(timestamp, kind, server_id, *at, 0), error) from error
        return Rows(
            compiled.table, form.op, *images[:2], self._thread_id, images.size,
            timestamp=timestamp, server_id=server_id, end_position=end_position, size=size, artificial=False,
        )  # fmt: skip

    def _packed_events(self, outer: Header, reader: Reader) -> Iterator[Event]:
        """The events within a TRANSACTION_PAYLOAD, which have no checksums and no places of their own."""
        header = outer
        try:
            for data in packed_events(reader):
                packed = Header.read(data)
                header = packed._replace(end_position=outer.end_position, size=outer.size)
                if header.type in _NEVER_PACKED:
                    raise Malformed("it cannot be a part of a TRANSACTION_PAYLOAD")
                yield self._event(header, data, len(data))
                header = outer
        except _UNDECODABLE as error:
            raise self._unsupported(header, error) from error

    def _unsupported(self, header: Header | None, error: Exception) -> UnsupportedChange:
        hint = (error.hint if isinstance(error, Malformed) else "") or _MALFORMED_HINT
        return UnsupportedChange(f"{self._place(header)}: {error}", hint=hint)

    def _place(self, header: Header | None) -> str:
        if header is None:
            return f"in {self.file or 'the binlog'}, not even a header can be read"
        end = header.end_position
        begin = f":{end - header.size & 0xFFFFFFFF}" if end else ", in an event without a position"
        return f"{self.file or 'binlog'}{begin}, {event_name(header.type)}"

    def _body_end(self, header: Header, data: Data) -> int:
        """Where the body ends: at the checksum, which is verified, or at the event's end."""
        if header.type in _OF_FILES and (header.artificial or header.type == EventType.FORMAT_DESCRIPTION):
            return self._body_end_of_file(header, data)
        if self._format is None:
            raise Malformed("no FORMAT_DESCRIPTION has come before it")
        if not self._format.checksum:
            return len(data)
        if not _checksum_fits(data):
            raise Malformed(_CHECKSUM_MESSAGE, _CHECKSUM_HINT)
        return len(data) - _CHECKSUM_LENGTH

    def _body_end_of_file(self, header: Header, data: Data) -> int:
        if header.type == EventType.ROTATE:
            # Made up under another file's algorithm, or before any is known: only the sum itself can tell.
            return len(data) - (_CHECKSUM_LENGTH if _checksum_fits(data) else 0)
        # Always has room for a sum, and the algorithm before it. The server cannot renew a sum that it turned off.
        if data[-1 - _CHECKSUM_LENGTH] and not _checksum_fits(_without_in_use_flag(data)):
            raise Malformed(_CHECKSUM_MESSAGE, _CHECKSUM_HINT)
        return len(data)

    def _event(self, header: Header, data: Data, end: int) -> Event:
        """An event's body is ``data[HEADER_LENGTH:end]``, without a checksum."""
        kind = header.type
        read = CONTROL.get(kind)
        if read is not None:
            event = read(header, Reader(data, HEADER_LENGTH, end))
            self._observe(event)
            return event
        if kind in FORMS:
            return self._rows(header, data, end)
        if kind == EventType.TABLE_MAP:
            return self._table_map(header, data, end)
        if kind == EventType.TRANSACTION_PAYLOAD:
            return TransactionPayload(self._packed_events(header, Reader(data, HEADER_LENGTH, end)), **header.fields())
        if kind in IGNORED:
            return Ignored(event_name(kind), **header.fields())
        if kind in UNSUPPORTED:
            raise Malformed("this kind of event is not supported", UNSUPPORTED[EventType(kind)])
        if header.flags & IGNORABLE_FLAG:
            return Ignored(event_name(kind), **header.fields())
        raise Malformed("this kind of event is not known")

    def _observe(self, event: Event) -> None:
        """Keep what later events depend on."""
        if isinstance(event, Xid):
            return
        if isinstance(event, Query):
            self._thread_id = event.thread_id
        elif isinstance(event, Gtid | MariadbGtid):
            self._thread_id = None
        elif isinstance(event, Rotate):
            self.file = event.file
        elif isinstance(event, FormatDescription):
            if self._format is not None and self._format.mariadb != event.mariadb:
                self._maps.clear()  # the same bytes may mean something else
            self.reset()
            self._format = event

    def _table_map(self, header: Header, data: Data, end: int) -> TableMap:
        if end < HEADER_LENGTH + _TABLE_ID_LENGTH:
            raise Malformed("it has no table id")
        description = data[HEADER_LENGTH + _TABLE_ID_LENGTH : end]
        table_id = int.from_bytes(data[HEADER_LENGTH : HEADER_LENGTH + _TABLE_ID_LENGTH], "little")
        mapped = self._tables[table_id] = self._mapped(description)
        return TableMap(mapped.database, mapped.name, table_id, mapped.wanted, **header.fields())

    def _mapped(self, description: bytes) -> _Mapped:
        """What a TABLE_MAP describes."""
        mapped = self._maps.get(description)
        if mapped is not None and mapped.schema is not self._schema_of(mapped.database, mapped.name):
            mapped = None
        if self.skim:
            return mapped or self._named(Reader(description))
        if mapped is None:
            mapped = self._read_map(description)
            if len(self._maps) >= _MAX_MAPS:
                self._maps.clear()
            self._maps[description] = mapped
        return mapped

    def _named(self, reader: Reader) -> _Mapped:
        reader.uint(2)
        database, name = reader.terminated_text(), reader.terminated_text()
        return _Mapped(database, name, self._wanted(database, name), schema=self._schema_of(database, name))

    def _read_map(self, description: bytes) -> _Mapped:
        reader = Reader(description)
        named = self._named(reader)
        if not named.wanted:
            return named
        database, name = named.database, named.name
        mariadb = self._format is not None and self._format.mariadb
        try:
            layout = shown(read_layout(reader, database, name, mariadb=mariadb, schema=named.schema), self._modes)
            decode = compile_rows_decoder(layout)
            table = self._with_own_key(layout.table)
        except _UNDECODABLE as error:
            raise _within(f"table {database}.{name}", error) from error
        compiled = CompiledTable(table, layout, (1 << len(table.columns)) - 1, decode, {})
        return named._replace(compiled=compiled)

    def _with_own_key(self, table: Table) -> Table:
        names = self._key_columns.get(table.full_name)
        if names is None:
            return table
        missing = [name for name in names if name not in table.columns]
        if missing:
            raise Malformed(f"has no column {', '.join(missing)}", "correct the key columns in the configuration")
        return replace(table, key=tuple(table.columns.index(name) for name in names))

    def _rows(self, header: Header, data: Data, end: int) -> Rows | SkimmedRows | Ignored:
        table_low, table_high, flags = _ROWS_HEADER.unpack_from(data, HEADER_LENGTH)
        table_id = table_low | table_high << 32
        mapped = self._tables.get(table_id)
        if flags & _STATEMENT_END:
            self._tables.clear()  # a TABLE_MAP serves one statement; its id may then go to another table
        if mapped is None:
            if table_id in _DUMMY_TABLE_IDS:
                return Ignored(event_name(header.type), **header.fields())
            raise Malformed(f"no TABLE_MAP has come for its table id {table_id}", _NO_MAP_HINT)
        if not mapped.wanted:
            return Ignored(event_name(header.type), **header.fields())
        if self.skim:
            return SkimmedRows(**header.fields())
        if mapped.compiled is None:
            raise Malformed(f"the TABLE_MAP of its table id {table_id} was passed over", _NO_MAP_HINT)
        form = FORMS[header.type]
        images = self._images(form, mapped.compiled, Reader(data, HEADER_LENGTH + _ROWS_HEADER.size, end))
        return Rows(mapped.compiled.table, form.op, *images[:2], self._thread_id, images.size, **header.fields())

    def _images(self, form: Form, compiled: CompiledTable, reader: Reader) -> Images:
        """The rows, from behind the table's number and the flags on."""
        try:
            return read_images(form, compiled, reader)
        except _UNDECODABLE as error:
            raise _within(f"rows of {compiled.table.full_name}", error) from error


_ROWS_HEADER = Struct("<IHH")
_TABLE_ID_LENGTH = 6
_MAP_BESIDE = HEADER_LENGTH + _TABLE_ID_LENGTH + _CHECKSUM_LENGTH
"""Bytes of a TABLE_MAP beside its description."""
_NO_MAP_HINT = "start at the beginning of a transaction"


def _within(what: str, error: Exception) -> Malformed:
    return Malformed(f"{what}: {error}", error.hint if isinstance(error, Malformed) else "")


_CRC32_OF_ANYTHING_WITH_ITS_CRC32 = 0x2144DF1C


def _checksum_fits(data: Data) -> bool:
    return crc32_of(data) == _CRC32_OF_ANYTHING_WITH_ITS_CRC32


def _without_in_use_flag(data: Data) -> bytes:
    flags = HEADER_LENGTH - 2
    return data[:flags] + bytes([data[flags] & ~IN_USE_FLAG]) + data[flags + 1 :]
