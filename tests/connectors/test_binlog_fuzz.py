"""Recorded events with bytes changed, cut off or added, under a checksum that fits: they decode, or stop with their place."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.mysql.binlog import decoder as decoder_module
from connectors.mysql.binlog import native_rows
from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.event_types import EventType
from connectors.mysql.binlog.events import Event, Rows, TransactionPayload
from connectors.mysql.binlog.rows import generate_rows_decoder
from connectors.mysql.binlog.table_map import TableLayout
from streamtrain.errors import UnsupportedChange
from tests.connectors.binlog_writer import HEADER
from tests.fuzz.mutations import mutated, with_checksum
from tests.golden.binlog.record import cases, recorded
from tests.native import native

STREAMS = [(server, case.name) for case in cases() for server in case.servers]
MUTATIONS = 4
LONGEST = 1_500
PLACE = re.compile(
    r"binlog\.\d{6}(:\d+|, in an event without a position), |in binlog\.\d{6}, not even a header can be read: "
)


@pytest.fixture(params=["generated", "in C"], autouse=True)
def rows_decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row events are decoded by each of the two decoders in turn."""
    if request.param == "generated":
        monkeypatch.setattr(decoder_module, "compile_rows_decoder", generate_rows_decoder)
        return
    decoder = native("connectors.mysql.binlog._rows").Decoder

    def in_c(layout: TableLayout) -> Any:
        return decoder(tuple(native_rows.step(column) for column in layout.columns)).decode

    monkeypatch.setattr(decoder_module, "compile_rows_decoder", in_c)


def contexts(stream: list[bytes]) -> Iterator[tuple[list[bytes], bytes, list[bytes]]]:
    """Each event of a stream, with what a decoder has to know before it and the rows that lean on it."""
    beginning: list[bytes] = []
    maps: list[bytes] = []
    for index, packet in enumerate(stream):
        kind = packet[4]
        yield [*beginning, *maps], packet, stream[index + 1 : index + 2] if kind == EventType.TABLE_MAP else []
        if kind in {EventType.ROTATE, EventType.FORMAT_DESCRIPTION}:
            beginning, maps = [*beginning, packet], []
        elif kind == EventType.TABLE_MAP:
            maps = [*maps[-1:], packet]


def check(event: Event) -> None:
    if isinstance(event, TransactionPayload):
        for packed in event.events:
            check(packed)
    if not isinstance(event, Rows):
        return
    width = len(event.table.columns)
    sides = [side for side in (event.before, event.after) if side is not None]
    assert all(len(row) == width for side in sides for row in side)
    assert len({len(side) for side in sides}) == 1


@pytest.mark.parametrize(("server", "case"), STREAMS)
def test_a_changed_event_decodes_or_stops_with_its_place(server: str, case: str) -> None:
    rng = random.Random(f"{server} {case}")
    for before, packet, after in contexts(recorded(server, case)):
        for _ in range(MUTATIONS if len(packet) < LONGEST else 1):
            decoder = EventDecoder(lambda *_: True)
            for known in before:
                try_decoding(decoder, known)
            for unknown in (mutated(packet, rng), *after):
                try_decoding(decoder, unknown)


def try_decoding(decoder: EventDecoder, packet: bytes) -> None:
    stop: UnsupportedChange | None = None
    try:
        check(decoder.decode(packet))
    except UnsupportedChange as error:
        stop = error
    if stop is not None:
        assert PLACE.match(stop.message) or not decoder.file, stop.message
        assert stop.hint


@pytest.mark.parametrize(("server", "case"), [("mysql", "json"), ("mysql", "charsets"), ("mariadb", "rows")])
def test_row_events_that_are_cut_off_stop_or_give_whole_rows(server: str, case: str) -> None:
    for before, packet, _ in contexts(recorded(server, case)):
        if len(packet) > LONGEST or packet[4] not in {EventType.WRITE_ROWS, EventType.WRITE_ROWS_V1}:
            continue
        decoder = EventDecoder(lambda *_: True)
        for known in before:
            decoder.decode(known)
        whole = decoder.decode(packet)
        for length in range(HEADER.size + 1, len(packet) - 4):
            for known in before:
                decoder.decode(known)
            assert is_beginning(decoder, with_checksum(packet[:length] + b"1234"), whole)


def is_beginning(decoder: EventDecoder, packet: bytes, whole: Event) -> bool:
    """Whether ``packet`` stops, or holds the first rows of ``whole`` and nothing else."""
    assert isinstance(whole, Rows)
    assert whole.after is not None
    try:
        event = decoder.decode(packet)
    except UnsupportedChange:
        return True
    assert isinstance(event, Rows)
    return event.after is not None and event.after == whole.after[: len(event.after)]
