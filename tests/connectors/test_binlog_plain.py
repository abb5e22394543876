"""Small transactions that are read as one come to what their events come to one by one, whatever the log holds."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.mysql.binlog import events, plain
from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.emission import Emission
from connectors.mysql.log_events import LogEvents
from connectors.mysql.origin import OriginWriter
from connectors.mysql.packets import PacketReader
from connectors.mysql.position import LogPosition
from connectors.mysql.transaction import HoldLimits
from connectors.mysql.transactions import Transactions, TransactionSettings
from connectors.source import SourceEvent
from streamtrain.errors import PositionLost, SourceUnavailable, StreamtrainError, UnsupportedChange
from tests.connectors import binlog_writer as write
from tests.native import native

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
COLUMNS = [write.Col(3, nullable=False), write.Col(15, metadata=struct.pack("<H", 40))]
LARGEST = 4_096
ID, TEXT = struct.Struct("<I"), b"\x03abc"


@pytest.fixture(autouse=True)
def in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "BUILT", True)
    monkeypatch.setattr(plain, "transactions", native("connectors.mysql.binlog._plain").transactions, raising=False)


@dataclass
class LogWriter:
    """Events of one file, each where the one before it ends."""

    position: int = 4
    number: int = 0
    written: list[bytes] = field(default_factory=lambda: [write.rotate("binlog.000003"), write.format_description()])

    def add(self, event: bytes) -> None:
        """An event of ``binlog_writer``, put at this place."""
        kind, body = event[4], event[19:-4]
        self.position += len(event)
        self.written.append(write.event(kind, body, position=self.position & 0xFFFFFFFF))

    def gtid(self, kind: int = 33, *, original: bool = False) -> None:
        self.number += 1
        committed = 1_700_000_000_000_000 + self.number
        times = (committed | 1 << 55).to_bytes(7, "little") + (committed - 5).to_bytes(7, "little")
        body = b"\1" + bytes.fromhex(UUID.replace("-", "")) + struct.pack("<Q", self.number) + b"\2" + bytes(16)
        self.add(write.event(kind, body + (times if original else committed.to_bytes(7, "little"))))

    def query(self, sql: bytes = b"BEGIN", database: bytes = b"shop") -> None:
        body = struct.pack("<IIBHH", 77, 0, len(database), 0, 5) + b"\0\0\0\0\0" + database + b"\0" + sql
        self.add(write.event(2, body))

    def rows(self, kind: int = 30, ids: tuple[int, ...] = (1,), *, flags: int = 1, name: str = "orders") -> None:
        self.add(write.table_map(COLUMNS, name=name, key=[0]))
        images = b"".join(write.row_image([ID.pack(number), TEXT]) for number in ids)
        self.add(write.rows(kind, 2, images, flags=flags))

    def xid(self) -> None:
        self.add(write.event(16, struct.pack("<Q", self.number)))

    def transaction(self, shape: str) -> None:
        """A transaction of a shape that ``SHAPES`` names."""
        self.gtid(34 if shape == "anonymous" else 33, original=shape == "from another server")
        if shape == "ddl":
            self.query(b"CREATE TABLE shop.t (a INT)")
            return
        self.query(database=b"" if shape == "no database" else b"shop")
        SHAPES[shape](self)
        if shape == "rolled back":
            self.query(b"ROLLBACK")
        else:
            self.xid()


def _two_tables(log: LogWriter) -> None:
    log.rows(30, (1, 2))
    log.rows(32, (5,), name="others")
    log.rows(31, (1, 1, 2, 3))


def _in_pieces(log: LogWriter) -> None:
    log.rows(30, (1, 2), flags=0)
    log.add(write.rows(30, 2, write.row_image([ID.pack(3), TEXT]), flags=1))


def _savepoint(log: LogWriter) -> None:
    log.rows(30, (7,))
    log.query(b"SAVEPOINT `a`")
    log.rows(30, (8,))
    log.query(b"ROLLBACK TO `a`")


SHAPES: dict[str, Any] = {
    "one row": lambda log: log.rows(),
    "an update": lambda log: log.rows(31, (1, 2)),
    "a delete": lambda log: log.rows(32, (4,)),
    "several statements": _two_tables,
    "not wanted": lambda log: log.rows(name="others"),
    "nothing": lambda log: None,
    "anonymous": lambda log: log.rows(),
    "from another server": lambda log: log.rows(),
    "no database": lambda log: log.rows(),
    "many rows": lambda log: log.rows(30, tuple(range(600))),
    "one event in pieces": _in_pieces,
    "savepoint": _savepoint,
    "rolled back": lambda log: log.rows(),
    "ddl": None,
}
PLAIN = {
    "one row", "an update", "a delete", "several statements", "not wanted", "nothing", "anonymous", "from another server",
    "no database",
}  # fmt: skip


@dataclass
class Read:
    """What a log comes to."""

    given: list[SourceEvent]
    positions: list[str]
    """After each transaction."""
    failure: str
    whole: int
    """Transactions that were read as one."""


def read(log: list[bytes], *, largest: int, start: int = 4, chunk: int = 1 << 16, metadata: bool = False) -> Read:
    """Read a log as ``BinlogStream`` does, from packets that arrive in pieces of ``chunk`` bytes."""
    packets = b"".join(
        struct.pack("<I", len(event) + 1 | (number + 1 & 0xFF) << 24) + b"\0" + event
        for number, event in enumerate(log)
    )
    server, client = socket.socketpair()
    with server, client:

        def send() -> None:
            for at in range(0, len(packets), chunk):
                server.sendall(packets[at : at + chunk])
            server.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            return _read(PacketReader(client, "reading"), largest, start, metadata=metadata)
        finally:
            while client.recv(1 << 16):
                pass
            sender.join()


def _read(packets: PacketReader, largest: int, start: int, *, metadata: bool) -> Read:
    def ended(_packet: bytes) -> None:
        raise SourceUnavailable("the server says something else")

    def never(xid: str, _before: LogPosition) -> Any:
        raise PositionLost(f"{xid} is not there")

    decoder = EventDecoder(lambda database, name: (database, name) == ("shop", "orders"))
    found = LogEvents(packets, decoder, ended)
    emission = Emission(OriginWriter("mysql", "p"), metadata=metadata, query=False)
    settings = TransactionSettings(lambda *_: True, HoldLimits(1 << 20, 1 << 20), False, never)
    transactions = Transactions(LogPosition("mysql", UUID, "binlog.000003", start, ""), emission, settings)
    positions, whole = list[str](), 0
    try:
        while True:
            event = found.read(5.0, largest if transactions.between else 0)
            assert event is not None
            transactions.accept(event)
            whole += isinstance(event, events.PlainTransaction)
            if transactions.between and (not positions or positions[-1] != str(transactions.position())):
                positions.append(str(transactions.position()))
    except SourceUnavailable as end:  # all was read
        return Read(emission.take(), positions, str(end), whole)
    except StreamtrainError as failure:
        return Read(emission.take(), positions, f"{type(failure).__name__}: {failure}", whole)


shapes = st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=12)


@given(
    chosen=shapes,
    chunk=st.integers(1, 900),
    start=st.sampled_from([4, (1 << 32) - 700, (1 << 33) - 1500]),
    metadata=st.booleans(),
)
def test_a_log_comes_to_the_same_read_as_one_and_event_by_event(
    chosen: list[str], chunk: int, start: int, metadata: bool
) -> None:
    log = LogWriter(start)
    for shape in chosen:
        log.transaction(shape)
    one_by_one = read(log.written, largest=0, start=start, metadata=metadata)
    as_one = read(log.written, largest=LARGEST, start=start, chunk=chunk, metadata=metadata)
    assert one_by_one.whole == 0
    assert (as_one.given, as_one.failure) == (one_by_one.given, one_by_one.failure)
    # Between the events of a savepoint's transaction nothing is between two: the places are those after transactions.
    assert set(as_one.positions) <= set(one_by_one.positions)
    assert as_one.positions[-1] == one_by_one.positions[-1]


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"ddl"}))
def test_small_transactions_that_have_arrived_are_read_as_one(shape: str) -> None:
    log = LogWriter()
    log.transaction("one row")
    log.transaction(shape)
    log.transaction("one row")
    # The layout of the file is known only once its first event was read.
    assert read(log.written, largest=LARGEST).whole == 2 + (shape in PLAIN)


def test_what_is_larger_than_asked_for_is_read_event_by_event() -> None:
    log = LogWriter()
    log.transaction("one row")
    size = sum(len(event) + 5 for event in log.written[2:])
    assert [read(log.written, largest=largest).whole for largest in (size - 1, size)] == [0, 1]


def test_a_file_without_checksums_is_read_event_by_event() -> None:
    log = LogWriter()
    log.transaction("one row")
    bare = [write.rotate("binlog.000003", checksum=False), write.format_description(checksum=False)]
    for event in log.written[2:]:
        end = int.from_bytes(event[13:17], "little")
        bare += [write.event(event[4], event[19:-4], checksum=False, position=end)]
    one_by_one, as_one = read(bare, largest=0), read(bare, largest=LARGEST)
    assert as_one.whole == 0
    assert as_one.given == one_by_one.given != []


@example(place=6279, bit=7, mended=True)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), mended=st.booleans())
def test_damage_comes_to_the_same_read_as_one_and_event_by_event(place: int, bit: int, mended: bool) -> None:
    log = LogWriter()
    for shape in ("one row", "several statements", "an update", "from another server"):
        log.transaction(shape)
    damaged = list(log.written)
    number = 2 + place % (len(damaged) - 2)
    event = bytearray(damaged[number])
    event[place // len(damaged) % len(event)] ^= 1 << bit
    if mended:  # under a checksum that fits
        event[-4:] = struct.pack("<I", write.crc32(bytes(event[:-4])))
    damaged[number] = bytes(event)
    one_by_one, as_one = read(damaged, largest=0), read(damaged, largest=LARGEST)
    assert (as_one.given, as_one.failure) == (one_by_one.given, one_by_one.failure)


def test_rows_that_cannot_be_decoded_are_told_with_their_place() -> None:
    log = LogWriter()
    log.transaction("one row")
    log.gtid()
    log.query()
    log.add(write.table_map(COLUMNS, key=[0]))
    log.add(write.rows(30, 2, b"\0\1", flags=1))
    log.xid()
    as_one = read(log.written, largest=LARGEST)
    assert as_one.whole == 1
    assert as_one.failure.startswith(UnsupportedChange.__name__)
    assert as_one.failure == read(log.written, largest=0).failure
