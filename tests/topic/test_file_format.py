"""The frames and the lines of the file topic, byte by byte."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrain.topic.base import Message, TopicPartition
from streamtrain.topic.file import commits, records
from streamtrain.topic.file.commits import Committed, Created, DamagedLineError, End, Entry, FormatLine, Opened, Trimmed
from streamtrain.topic.file.state import CommittedState, Extent

OPTIONAL_BYTES = st.none() | st.binary(max_size=40)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3).map(tuple)
MESSAGES = st.lists(st.builds(Message, OPTIONAL_BYTES, OPTIONAL_BYTES, HEADERS), max_size=20)
NAMES = st.text(st.characters(codec="utf-8"), max_size=10)
COUNTS = st.integers(0, 2**62)
SOURCES = st.builds(TopicPartition, NAMES, st.integers(0, 9))
ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.just(FormatLine()),
    st.builds(Opened, NAMES, COUNTS, COUNTS),
    st.builds(Created, NAMES, COUNTS),
    st.builds(Committed, NAMES, COUNTS, st.binary(), st.dictionaries(SOURCES, st.builds(End, COUNTS, COUNTS))),
    st.builds(Trimmed, SOURCES, COUNTS),
)


@given(MESSAGES, st.integers(-(2**63), 2**63 - 1), st.integers(1, 30))
def test_records_read_back_as_they_were_written(messages: list[Message], timestamp: int, limit: int) -> None:
    buffer, count = records.encode(messages, timestamp)
    assert count == len(messages)
    at, columns = 0, records.Columns()
    while at < len(buffer):
        at, read = records.decode(buffer, at, limit, columns)
        assert 0 < read <= limit
    assert [*zip(columns.keys, columns.values, strict=True)] == [(message.key, message.value) for message in messages]
    assert columns.timestamps_ms == [timestamp] * count


@given(MESSAGES.filter(len), st.data())
def test_a_frame_that_is_cut_short_is_left_for_later(messages: list[Message], data: st.DataObject) -> None:
    buffer, count = records.encode(messages, 0)
    cut = data.draw(st.integers(0, len(buffer) - 1))
    at, read = records.decode(buffer[:cut], 0, 100, records.Columns())
    assert read < count
    assert records.decode(buffer, at, 100, records.Columns()) == (len(buffer), count - read)


@given(MESSAGES.filter(len), st.data())
def test_no_single_flipped_bit_is_read_as_a_record(messages: list[Message], data: st.DataObject) -> None:
    buffer, count = records.encode(messages, 0)
    bit = data.draw(st.integers(0, 8 * len(buffer) - 1))
    damaged = bytearray(buffer)
    damaged[bit // 8] ^= 1 << bit % 8
    columns = records.Columns()
    try:
        _, read = records.decode(bytes(damaged), 0, 100, columns)
    except records.DamagedRecordError:
        read = len(columns.keys)
    assert read < count
    assert columns.values == [message.value for message in messages[:read]]


def test_a_frame_lies_on_disk_as_documented() -> None:
    frame, _ = records.encode([Message(b"k", b"value", (("kind", b"x"),))], 1_700_000_000_000)
    headers = struct.pack("<H4sI1s", 4, b"kind", 1, b"x")
    body = struct.pack("<qiiI", 1_700_000_000_000, 1, 5, len(headers)) + b"k" + b"value" + headers
    assert frame == struct.pack("<II", len(body), zlib.crc32(body)) + body


@given(ENTRIES)
def test_entries_read_back_as_they_were_written(entry: Entry) -> None:
    line = commits.encode(entry)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert commits.decode(line[:-1]) == entry


@given(ENTRIES, st.data())
def test_no_single_flipped_bit_is_read_as_an_entry(entry: Entry, data: st.DataObject) -> None:
    line = bytearray(commits.encode(entry)[:-1])
    bit = data.draw(st.integers(0, 8 * len(line) - 1))
    line[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedLineError):
        commits.decode(bytes(line))


def test_a_line_of_a_kind_that_this_version_does_not_know_is_refused() -> None:
    document = b'{"compacted":{}}'
    with pytest.raises(DamagedLineError, match="unknown kind of line 'compacted'"):
        commits.decode(b"%08x %s" % (zlib.crc32(document), document))


SOURCE = TopicPartition("events", 0)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (Committed("w", 1, b"", {TopicPartition("events", 1): End(9, 9)}), "never created"),
        (Trimmed(TopicPartition("users", 0), 1), "never created"),
        (Committed("w", 1, b"", {SOURCE: End(4, 200)}), "ends before"),
        (Committed("w", 1, b"", {SOURCE: End(6, 99)}), "ends before"),
        (Opened("w", 1, 1), "does not follow"),
        (Opened("w", 3, 1), "does not follow"),
    ],
)
def test_an_entry_that_does_not_fit_the_ones_before_it_is_refused(entry: Entry, why: str) -> None:
    state = CommittedState()
    state.apply(FormatLine())
    state.apply(Created("events", 1))
    state.apply(Opened("w", 1, 1))
    state.apply(Committed("w", 1, b"", {SOURCE: End(5, 100)}))
    with pytest.raises(DamagedLineError, match=why):
        state.apply(entry)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300))), st.data())
def test_the_index_gives_the_last_transaction_that_is_not_behind_an_offset(
    sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    extent, places = Extent(), [End(0, 0)]
    for count, length in sizes:
        places.append(End(places[-1].next_offset + count, places[-1].length + length * count))
        extent.extend(places[-1])
    offset = data.draw(st.integers(0, places[-1].next_offset))
    assert extent.nearest(offset) == max(
        (place for place in places if place.next_offset <= offset), key=lambda place: (place.next_offset, place.length)
    )
