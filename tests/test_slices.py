"""Slice borders depend on offsets alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamtrain.slices import Slice, SliceCutter
from streamtrain.topic.base import Records, TopicPartition

LOG = TopicPartition("shop.shop.events", 0)


def records(offsets: list[int], next_offset: int, source: TopicPartition = LOG) -> Records:
    values = [str(offset).encode() for offset in offsets]
    return Records(source, offsets, [None] * len(offsets), values, [0] * len(offsets), next_offset)


def cut(polls: list[Records], size: int, start: int = 0) -> list[Slice]:
    cutter = SliceCutter(size, {LOG: start})
    slices = []
    for poll in polls:
        cutter.feed([poll])
        for source, _, end in cutter.complete():
            slices.append(cutter.take(source, end))
    return slices + cutter.rest()


def test_borders_lie_at_the_multiples_of_the_slice_size() -> None:
    slices = cut([records(list(range(10)), 10)], size=4)
    assert [(one.start, one.end, list(one.records.offsets)) for one in slices] == [
        (0, 4, [0, 1, 2, 3]),
        (4, 8, [4, 5, 6, 7]),
        (8, 10, [8, 9]),
    ]


def test_a_log_that_begins_inside_a_slice_has_a_shorter_first_slice() -> None:
    slices = cut([records([6, 7, 8], 9)], size=4, start=6)
    assert [(one.start, one.end) for one in slices] == [(6, 8), (8, 9)]


def test_gaps_are_empty_slots_and_close_a_slice_once_they_are_passed() -> None:
    cutter = SliceCutter(4, {LOG: 0})
    cutter.feed([records([0, 1], 2)])
    assert cutter.complete() == []
    cutter.feed([records([], 5)])
    assert cutter.complete() == [(LOG, 0, 4)]
    assert list(cutter.take(LOG, 4).records.offsets) == [0, 1]


def test_partitions_take_turns() -> None:
    other = TopicPartition(LOG.topic, 1)
    cutter = SliceCutter(2, {LOG: 0, other: 0})
    cutter.feed([records([0, 1, 2, 3], 4), records([0, 1, 2, 3], 4, other)])
    assert [(source.partition, start) for source, start, _ in cutter.complete()] == [(0, 0), (1, 0), (0, 2), (1, 2)]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=200),
    st.integers(1, 9),
    st.lists(st.integers(1, 20), min_size=1, max_size=50),
)
def test_poll_sizes_do_not_move_a_border(gaps: list[int], size: int, polls: list[int]) -> None:
    offsets: list[int] = []
    for gap in gaps:
        offsets.append((offsets[-1] + 1 if offsets else 0) + gap)
    end = offsets[-1] + 1
    whole = cut([records(offsets, end)], size)
    pieces, index = [], 0
    for count in [*polls, len(offsets)]:
        piece = offsets[index : index + count]
        index += count
        if piece:
            pieces.append(records(piece, piece[-1] + 1))
    assert cut(pieces, size) == whole
    assert [offset for one in whole for offset in one.records.offsets] == offsets
