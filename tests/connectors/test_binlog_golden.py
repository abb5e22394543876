"""What MySQL 9.7 and MariaDB 10.11 really logged, decoded to what the cases say. See tests/golden/binlog/record.py."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.events import Event, Rows, TransactionPayload
from streamtrain.errors import UnsupportedChange
from tests.golden.binlog.record import Case, cases, recorded

CASES = [pytest.param(server, case, id=f"{server}-{case.name}") for case in cases() for server in case.servers]


def changes(event: Event) -> list[str]:
    """The rows of an event as the ``->`` lines of a case."""
    if isinstance(event, TransactionPayload):
        return [line for packed in event.events for line in changes(packed)]
    if not isinstance(event, Rows):
        return []

    def shown(row: tuple[Any, ...]) -> str:
        return orjson.dumps(dict(zip(event.table.columns, row, strict=True))).decode()

    sides = [[shown(row) for row in side] for side in (event.before, event.after) if side is not None]
    return [f"-> {event.op.value} " + " => ".join(images) for images in zip(*sides, strict=True)]


def written_alike(line: str) -> str:
    """A case's line with its JSON written as ``changes`` writes it."""
    head, documents = line[:5], line[5:].split(" => ")
    return head + " => ".join(orjson.dumps(orjson.loads(document)).decode() for document in documents)


def decode_until_it_stops(events: list[bytes]) -> tuple[list[str], str]:
    decoder = EventDecoder(lambda database, _: database == "golden")
    rows: list[str] = []
    for packet in events:
        try:
            rows += changes(decoder.decode(packet))
        except UnsupportedChange as stop:
            return rows, str(stop)
    return rows, ""


@pytest.mark.parametrize(("server", "case"), CASES)
def test_a_case_is_decoded_to_exactly_its_rows_and_stops_where_it_must(server: str, case: Case) -> None:
    rows, stop = decode_until_it_stops(recorded(server, case.name))
    assert rows == [written_alike(line) for line in case.expected if line.startswith("-> ")]
    fragments = [line.removeprefix("!! ") for line in case.expected if line.startswith("!! ")]
    assert bool(stop) == bool(fragments)
    for fragment in fragments:
        assert fragment in stop


def test_every_recorded_stream_belongs_to_a_case() -> None:
    from tests.golden.binlog.record import HERE

    streams = {(path.parent.name, path.stem) for path in HERE.glob("*/*.events")}
    assert streams == {(server, case.name) for case in cases() for server in case.servers}
