"""What every topic promises, over every topic: see ``streamtrain/topic/base.py``.

Another kind takes part by a class with the methods of ``Topic`` and by its name in ``KINDS``.
"""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import confluent_kafka
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrain.errors import ConfigError, FatalError, FencedOut, PositionLost, TopicUnavailable
from streamtrain.topic.base import Message, Messages, Records, TopicPartition, TopicReader, TopicWriter
from streamtrain.topic.file import FileReader, FileWriter
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, KafkaWriter
from tests.servers import Broker

KINDS = ("file", pytest.param("kafka", marks=pytest.mark.servers))

DEADLINE_POLLS = 200
POLL_S = 0.1


class Topic(Protocol):
    """A kind of topic to hold to the contract, with a place of its own for one test."""

    examples: int
    """How many random sequences are worth their time."""

    def writer(self, name: str = "shop", partitions: int = 1) -> TopicWriter:
        """A writer, closed at the end of the test."""

    def reader(self) -> TopicReader:
        """A reader, closed at the end of the test."""

    def named(self, name: str) -> str:
        """``name`` as a topic's name that no other test uses."""

    def trim(self, source: TopicPartition, before_offset: int) -> None:
        """Let the log begin at ``before_offset``, as retention does."""


class FileTopic:
    examples = 150

    def __init__(self, directory: Path, closed_at_end: ExitStack) -> None:
        self._directory, self._closed_at_end = directory, closed_at_end

    def writer(self, name: str = "shop", partitions: int = 1) -> TopicWriter:
        return self._closed_at_end.enter_context(closing(FileWriter(self._directory, name, partitions, fsync=False)))

    def reader(self) -> TopicReader:
        return self._closed_at_end.enter_context(closing(FileReader(self._directory, fsync=False)))

    def named(self, name: str) -> str:
        return f"shop.main.{name}"

    def trim(self, source: TopicPartition, before_offset: int) -> None:
        with closing(FileWriter(self._directory, "trimmer", fsync=False)) as trimmer:
            trimmer.trim(source, before_offset)


class KafkaTopic:
    examples = 8

    def __init__(self, broker: Broker, prefix: str, closed_at_end: ExitStack) -> None:
        self._broker, self._prefix, self._closed_at_end = broker, prefix, closed_at_end
        self._settings = KafkaSettings(broker.bootstrap)

    def writer(self, name: str = "shop", partitions: int = 1) -> TopicWriter:
        own_name = f"{self._prefix}.{name}"
        return self._closed_at_end.enter_context(closing(KafkaWriter(self._settings, own_name, partitions)))

    def reader(self) -> TopicReader:
        return self._closed_at_end.enter_context(closing(KafkaReader(self._settings)))

    def named(self, name: str) -> str:
        return f"{self._prefix}.{name}"

    def trim(self, source: TopicPartition, before_offset: int) -> None:
        place = confluent_kafka.TopicPartition(source.topic, source.partition, before_offset)
        admin = self._broker.admin()
        admin.delete_records([place])[place].result()


Fresh = Callable[[], Topic]


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """Gives a place that nobody has written to."""
    with ExitStack() as closed_at_end:
        numbers = itertools.count()
        if request.param == "file":
            yield lambda: FileTopic(tmp_path / str(next(numbers)), closed_at_end)
        else:
            broker = request.getfixturevalue("kafka")
            yield lambda: KafkaTopic(broker, f"test-{uuid.uuid4().hex[:12]}", closed_at_end)


@pytest.fixture
def topic(fresh: Fresh) -> Topic:
    return fresh()


@dataclass
class Seen:
    """What was read of one partition."""

    next_offset: int
    offsets: list[int] = field(default_factory=list)
    records: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)

    def take(self, batch: Records) -> None:
        assert len(batch.offsets) == len(batch.keys) == len(batch.values) == len(batch.timestamps_ms) == len(batch)
        places = [*self.offsets[-1:], *batch.offsets, batch.next_offset]
        assert places == sorted(set(places)), "offsets ascend, and reading goes on behind them"
        assert all(offset >= self.next_offset for offset in batch.offsets)
        self.offsets += batch.offsets
        self.records += zip(batch.keys, batch.values, strict=True)
        self.next_offset = batch.next_offset


def follow(reader: TopicReader, offsets: Mapping[TopicPartition, int], records: int) -> dict[TopicPartition, Seen]:
    """Read on from ``offsets`` until ``records`` have come and the ends are reached."""
    reader.assign(offsets)
    seen = {source: Seen(offset) for source, offset in offsets.items()}
    for _ in range(DEADLINE_POLLS):
        for batch in reader.poll(1000, POLL_S):
            seen[batch.source].take(batch)
        if sum(len(part.records) for part in seen.values()) >= records and all(
            part.next_offset == reader.watermarks(source).high for source, part in seen.items()
        ):
            return seen
    raise AssertionError(f"{records} records and the ends did not come: {seen}")


def read(reader: TopicReader, name: str, records: int) -> list[tuple[bytes | None, bytes | None]]:
    """Everything in partition 0, which has to be ``records`` records."""
    source = TopicPartition(name, 0)
    return follow(reader, {source: 0}, records)[source].records


def polled(reader: TopicReader, records: int) -> list[Records]:
    """Batches until ``records`` have come."""
    batches: list[Records] = []
    for _ in range(DEADLINE_POLLS):
        batches += reader.poll(1000, POLL_S)
        if sum(map(len, batches)) >= records:
            return batches
    raise AssertionError(f"{records} records did not come: {batches}")


def numbered(first: int, count: int) -> list[Message]:
    return [Message(b"key-%d" % number, b"value-%d" % number) for number in range(first, first + count)]


def pairs(messages: list[Message]) -> list[tuple[bytes | None, bytes | None]]:
    return [(message.key, message.value) for message in messages]


def written(topic: Topic, name: str, *transactions: list[Message]) -> TopicWriter:
    """A writer that has committed ``transactions``, one after the other."""
    writer = topic.writer()
    writer.ensure_topic(name)
    for messages in transactions:
        writer.send(name, Messages.of(messages))
        writer.commit(b"%d" % len(messages))
    return writer


def test_a_reader_that_was_opened_before_the_topic_existed_sees_it_appear(topic: Topic) -> None:
    reader, name = topic.reader(), topic.named("events")
    assert reader.partitions(name) == []
    topic.writer(partitions=3).ensure_topic(name)
    assert reader.partitions(name) == [0, 1, 2]


def test_what_was_committed_is_read_back_byte_for_byte(topic: Topic) -> None:
    name = topic.named("events")
    messages = [
        Message(b"key", b"value"),
        Message(b"key", None),
        Message(b"", b""),
        Message(None, b"no key"),
        Message(bytes(range(256)), b"\x00" * 500_000),
        Message(b"with headers", b"value", (("kind", b"snapshot"), ("kind", b"again"), ("naïve", b""))),
        Message(b"last", b"\r\n"),
    ]
    written(topic, name, messages)
    assert read(topic.reader(), name, len(messages)) == pairs(messages)


def test_records_carry_the_time_at_which_they_were_sent(topic: Topic) -> None:
    name = topic.named("events")
    written(topic, name, numbered(0, 2))
    reader = topic.reader()
    reader.assign({TopicPartition(name, 0): 0})
    (batch,) = polled(reader, 2)
    assert all(1_600_000_000_000 < stamp < 10_000_000_000_000 for stamp in batch.timestamps_ms)


def test_nothing_of_an_open_transaction_is_seen(topic: Topic) -> None:
    name = topic.named("events")
    writer = written(topic, name)
    writer.send(name, Messages.of(numbered(0, 5)))
    reader, source = topic.reader(), TopicPartition(name, 0)
    reader.assign({source: 0})
    assert [len(batch) for batch in reader.poll(1000, 0.3)] == []
    assert reader.watermarks(source).high == 0
    writer.commit(b"1")
    assert [key for batch in polled(reader, 5) for key in batch.keys] == [m.key for m in numbered(0, 5)]


def test_an_aborted_transaction_is_never_seen_and_reading_passes_it(topic: Topic) -> None:
    name = topic.named("events")
    writer = written(topic, name, numbered(0, 2))
    writer.send(name, Messages.of(numbered(100, 50)))
    writer.abort()
    writer.send(name, Messages.of(numbered(2, 2)))
    writer.commit(b"2")
    assert read(topic.reader(), name, 4) == pairs(numbered(0, 4))
    assert writer.position() == b"2"


def test_the_gap_that_ends_a_log_is_passed_without_a_record(topic: Topic) -> None:
    name = topic.named("events")
    writer = written(topic, name, numbered(0, 1))
    reader, source = topic.reader(), TopicPartition(name, 0)
    seen = follow(reader, {source: 0}, 1)[source]
    writer.send(name, Messages.of(numbered(1, 3)))
    writer.abort()
    assert follow(reader, {source: seen.next_offset}, 0)[source].records == []


def test_abort_without_a_transaction_does_nothing(topic: Topic) -> None:
    writer = topic.writer()
    writer.abort()
    assert writer.position() is None


def test_what_was_committed_counts_as_the_end_once_its_writer_is_closed(topic: Topic) -> None:
    name, reader = topic.named("events"), topic.reader()
    ends = [0]
    for number in range(3):
        written(topic, name, numbered(number, 1)).close()
        ends.append(reader.watermarks(TopicPartition(name, 0)).high)
    assert ends == sorted(set(ends))
    assert read(reader, name, 3) == pairs(numbered(0, 3))


def test_a_position_survives_its_writer(topic: Topic) -> None:
    writer = topic.writer()
    assert writer.position() is None
    for position in (b'{"file": "binlog.000001", "pos": 4}', bytes(range(256))):
        writer.commit(position)
        assert writer.position() == position
    writer.close()
    assert topic.writer().position() == bytes(range(256))


def test_notes_are_kept_with_the_position_until_they_are_taken_away(topic: Topic) -> None:
    writer = topic.writer()
    assert writer.notes() == {}
    writer.commit(b"1", {"schema/a": b"one", "schema/b": bytes(range(256))})
    writer.commit(b"2")
    writer.commit(b"3", {"schema/a": None, "schema/c": b""})
    left = {"schema/b": bytes(range(256)), "schema/c": b""}
    assert writer.notes() == left
    writer.close()
    again = topic.writer()
    assert (again.position(), again.notes()) == (b"3", left)
    assert topic.writer("another").notes() == {}


def test_a_topic_may_be_asked_to_have_one_partition(topic: Topic) -> None:
    name = topic.named("transaction")
    topic.writer(partitions=3).ensure_topic(name, 1)
    assert topic.reader().partitions(name) == [0]


def test_a_position_that_was_not_committed_is_not_taken_up(topic: Topic) -> None:
    name = topic.named("events")
    writer = written(topic, name, numbered(0, 1))
    writer.send(name, Messages.of(numbered(1, 1)))
    writer.close()
    again = topic.writer()
    assert again.position() == b"1"
    again.ensure_topic(name)
    again.send(name, Messages.of(numbered(2, 1)))
    again.commit(b"2")
    assert read(topic.reader(), name, 2) == pairs([*numbered(0, 1), *numbered(2, 1)])


def test_opening_a_writer_fences_the_one_before_it_and_aborts_what_it_had_sent(topic: Topic) -> None:
    name = topic.named("events")
    old = written(topic, name, numbered(0, 1))
    old.send(name, Messages.of(numbered(100, 5)))
    new = topic.writer()
    assert new.position() == b"1"
    for _ in range(2):
        with pytest.raises(FencedOut):
            old.commit(b"old")
    old.close()
    new.ensure_topic(name)
    new.send(name, Messages.of(numbered(1, 1)))
    new.commit(b"new")
    assert read(topic.reader(), name, 2) == pairs(numbered(0, 2))
    assert topic.writer().position() == b"new"


def test_writers_of_different_names_do_not_fence_each_other(topic: Topic) -> None:
    name = topic.named("events")
    first, second = topic.writer("first"), topic.writer("second")
    for writer, number in ((first, 0), (second, 1), (first, 2), (second, 3)):
        writer.ensure_topic(name)
        writer.send(name, Messages.of(numbered(number, 1)))
    second.commit(b"second")
    first.commit(b"first")
    assert sorted(read(topic.reader(), name, 4)) == sorted(pairs(numbered(0, 4)))
    assert (topic.writer("first").position(), topic.writer("second").position()) == (b"first", b"second")


def test_a_transaction_over_several_topics_is_seen_whole_or_not_at_all(topic: Topic) -> None:
    names = [topic.named(table) for table in ("events", "users", "items")]
    writer = topic.writer()
    for name in names:
        writer.ensure_topic(name)
    for commits in (False, True):
        for name in names:
            writer.send(name, Messages.of(numbered(int(commits), 1)))
        if commits:
            writer.commit(b"1")
        else:
            writer.abort()
    reader = topic.reader()
    assert [read(reader, name, 1) for name in names] == [pairs(numbered(1, 1))] * 3


def test_reading_goes_on_at_any_offset_that_was_returned(topic: Topic) -> None:
    name, source = topic.named("events"), TopicPartition(topic.named("events"), 0)
    written(topic, name, numbered(0, 3), numbered(3, 1), numbered(4, 2))
    reader = topic.reader()
    offsets = follow(reader, {source: 0}, 6)[source].offsets
    for index, offset in enumerate(offsets):
        for begin, first in ((offset, index), (offset + 1, index + 1)):
            reader.assign({source: begin})
            keys = [key for batch in polled(reader, 6 - first) for key in batch.keys]
            assert keys == [message.key for message in numbered(first, 6 - first)]


def test_a_poll_returns_no_more_than_it_was_asked_for(topic: Topic) -> None:
    name = topic.named("events")
    writer = topic.writer(partitions=2)
    writer.ensure_topic(name)
    writer.send(name, Messages.of(numbered(0, 100)))
    writer.commit(b"1")
    reader = topic.reader()
    reader.assign({TopicPartition(name, partition): 0 for partition in (0, 1)})
    seen: list[bytes | None] = []
    for _ in range(DEADLINE_POLLS):
        batches = reader.poll(7, POLL_S)
        assert sum(map(len, batches)) <= 7
        assert len({batch.source for batch in batches}) == len(batches)
        seen += [key for batch in batches for key in batch.keys]
        if len(seen) == 100:
            break
    assert sorted(filter(None, seen)) == sorted(b"key-%d" % number for number in range(100))


def test_an_assignment_replaces_the_one_before_it(topic: Topic) -> None:
    events, users = topic.named("events"), topic.named("users")
    writer = written(topic, events, numbered(0, 50))
    writer.ensure_topic(users)
    writer.send(users, Messages.of(numbered(50, 5)))
    writer.commit(b"2")
    reader = topic.reader()
    follow(reader, {TopicPartition(events, 0): 0}, 50)
    reader.assign({TopicPartition(events, 0): 0})
    reader.poll(1, 5.0)
    assert follow(reader, {TopicPartition(users, 0): 0}, 5)[TopicPartition(users, 0)].records == pairs(numbered(50, 5))
    reader.assign({})
    assert reader.poll(10, 0.0) == []


def test_a_key_keeps_its_partition_and_its_order(topic: Topic) -> None:
    name = topic.named("events")
    writer = topic.writer(partitions=4)
    writer.ensure_topic(name)
    for version in range(5):
        writer.send(name, Messages.of([Message(b"key-%d" % key, b"%d" % version) for key in range(20)]))
        if version % 2:
            writer.commit(b"%d" % version)
    writer.commit(b"last")
    reader = topic.reader()
    seen = follow(reader, {TopicPartition(name, partition): 0 for partition in range(4)}, 100)
    assert sum(1 for part in seen.values() if part.records) > 1, "the keys spread"
    for key in (b"key-%d" % number for number in range(20)):
        holding = [part for part in seen.values() if any(found == key for found, _ in part.records)]
        assert [[value for found, value in part.records if found == key] for part in holding] == [
            [b"0", b"1", b"2", b"3", b"4"]
        ]


def test_a_waiting_poll_returns_as_soon_as_something_is_committed(topic: Topic) -> None:
    name = topic.named("events")
    writer, reader = written(topic, name, numbered(0, 1)), topic.reader()
    source = TopicPartition(name, 0)
    seen = follow(reader, {source: 0}, 1)[source]
    reader.assign({source: seen.next_offset})
    polling = threading.Event()

    def commit() -> None:
        polling.wait()
        writer.send(name, Messages.of(numbered(1, 1)))
        writer.commit(b"2")

    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(commit)
        polling.set()
        # A poll may come back with nothing but a passed gap.
        batch = next(batch for _ in range(3) for batch in reader.poll(10, 30.0) if len(batch))
        committing.result()
    assert batch.keys == [b"key-1"]


@pytest.mark.parametrize("offset", [0, 2])
def test_an_offset_below_the_start_of_the_log_is_lost(topic: Topic, offset: int) -> None:
    name, source = topic.named("events"), TopicPartition(topic.named("events"), 0)
    written(topic, name, numbered(0, 5))
    topic.trim(source, 3)
    reader = topic.reader()
    assert reader.watermarks(source).low == 3
    with pytest.raises(PositionLost, match=rf"\[0\]: offset {offset} .*low watermark 3"):
        reader.assign({source: offset})
    assert follow(reader, {source: 3}, 2)[source].records == pairs(numbered(3, 2))


def test_an_offset_beyond_the_end_of_the_log_is_lost(topic: Topic) -> None:
    name, source = topic.named("events"), TopicPartition(topic.named("events"), 0)
    written(topic, name, numbered(0, 5))
    reader = topic.reader()
    end = follow(reader, {source: 0}, 5)[source].next_offset
    reader.assign({source: end})
    with pytest.raises(PositionLost, match=rf"\[0\]: offset {end + 1} .*low watermark 0"):
        reader.assign({source: end + 1})


def test_a_partition_that_does_not_exist_may_come_later(topic: Topic) -> None:
    name, reader = topic.named("events"), topic.reader()
    for source in (TopicPartition(topic.named("missing"), 0), TopicPartition(name, 1)):
        written(topic, name)
        with pytest.raises(TopicUnavailable, match="does not exist"):
            reader.watermarks(source)
        with pytest.raises(TopicUnavailable, match="does not exist"):
            reader.assign({source: 0})


def test_a_topic_that_is_there_keeps_its_partitions(topic: Topic) -> None:
    name = topic.named("events")
    topic.writer("first", partitions=2).ensure_topic(name)
    second = topic.writer("second", partitions=5)
    second.ensure_topic(name)
    second.ensure_topic(name)
    assert topic.reader().partitions(name) == [0, 1]


def test_sending_to_a_topic_that_was_not_ensured_is_refused(topic: Topic) -> None:
    with pytest.raises(FatalError, match="does not exist"):
        topic.writer().send(topic.named("events"), Messages.of(numbered(0, 1)))


@pytest.mark.parametrize("name", ["", ".", "..", "shop/events", "shop events", "a" * 250])
def test_a_name_that_is_no_topic_name_is_refused(topic: Topic, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        topic.writer().ensure_topic(name)
    with pytest.raises(ConfigError, match="cannot be the name"):
        topic.reader().partitions(name)


def test_closing_twice_is_safe(topic: Topic) -> None:
    writer, reader = topic.writer(), topic.reader()
    for _ in range(2):
        writer.close()
        reader.close()


STEPS = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.sampled_from(["commit", "commit", "abort", "reopen"])),
)


def test_any_sequence_of_steps_leaves_what_the_committed_ones_wrote(fresh: Fresh) -> None:
    """Sends, commits, aborts and takeovers at random, against a model of a few lines."""

    @settings(max_examples=fresh().examples, deadline=None)
    @given(st.lists(STEPS, min_size=3, max_size=15))
    def run(steps: list[Any]) -> None:
        Play(fresh()).play(steps)

    run()


class Play:
    """Carries steps out on a topic and on the model, then compares."""

    def __init__(self, topic: Topic) -> None:
        self._topic, self._names = topic, [topic.named("events"), topic.named("users")]
        self._committed: list[list[Message]] = [[], []]
        self._open: list[list[Message]] = [[], []]
        self._position: bytes | None = None
        self._numbers = itertools.count()
        self._writer = self._opened()

    def play(self, steps: list[Any]) -> None:
        for step, *arguments in steps:
            getattr(self, step)(*arguments)
        for index in (0, 1):
            self.send(index, 1)
        self.commit()
        reader = self._topic.reader()
        for name, expected in zip(self._names, self._committed, strict=True):
            assert read(reader, name, len(expected)) == pairs(expected)
        reader.close()
        self._writer.close()

    def send(self, index: int, count: int) -> None:
        messages = [Message(b"%d" % (number % 3), b"%d" % number) for number in itertools.islice(self._numbers, count)]
        self._writer.send(self._names[index], Messages.of(messages))
        self._open[index] += messages

    def commit(self) -> None:
        self._position = b"position %d" % next(self._numbers)
        self._writer.commit(self._position)
        self._committed = [committed + sent for committed, sent in zip(self._committed, self._open, strict=True)]
        self._open = [[], []]

    def abort(self) -> None:
        self._writer.abort()
        self._open = [[], []]

    def reopen(self) -> None:
        old, self._writer = self._writer, self._opened()
        with pytest.raises(FencedOut):
            old.commit(b"fenced")
        old.close()
        self._open = [[], []]

    def _opened(self) -> TopicWriter:
        writer = self._topic.writer()
        assert writer.position() == self._position
        for name in self._names:
            writer.ensure_topic(name)
        return writer
