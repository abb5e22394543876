"""Training ends at an exact record."""

from __future__ import annotations

from streamtrain.topic.base import Records, TopicPartition
from streamtrain.trainer.limits import Limit

LOG = TopicPartition("t", 0)


def records(values: list[bytes | None], start: int = 0) -> Records:
    offsets = range(start, start + len(values))
    return Records(LOG, offsets, [None] * len(values), values, [0] * len(values), start + len(values))


def test_records_beyond_the_end_are_cut_off() -> None:
    limit = Limit({LOG: 3})
    (clipped,) = limit.clip([records([b"a"] * 5)])
    assert (list(clipped.offsets), clipped.next_offset) == ([0, 1, 2], 3)
    assert limit.reached({LOG: 3})
    assert not limit.reached({LOG: 2})


def test_a_number_of_events_does_not_count_tombstones() -> None:
    limit = Limit(max_events=3)
    (first,) = limit.clip([records([b"a", None, b"b"])])
    assert len(first) == 3
    assert not limit.reached({})
    (second,) = limit.clip([records([None, b"c", b"d"], start=3)])
    assert (list(second.offsets), second.next_offset) == ([3, 4], 5)
    assert limit.reached({})
    assert limit.clip([records([b"e"], start=6)]) == []


def test_the_end_by_number_does_not_depend_on_what_else_the_poll_brought() -> None:
    for trailing in ([], [None], [None, b"c"]):
        (taken,) = Limit(max_events=2).clip([records([b"a", b"b", *trailing])])
        assert taken.next_offset == 2


def test_without_a_limit_nothing_is_cut() -> None:
    limit = Limit()
    whole = [records([b"a"] * 5)]
    assert limit.clip(whole) == whole
    assert not limit.reached({LOG: 10**9})
