"""What the file topic adds to the contract: what lies on the disk, and what happens when that is not as it was left."""

from __future__ import annotations

import fcntl
import os
import resource
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from streamtrain.errors import ConfigError, FatalError, FencedOut, PositionLost, TopicUnavailable
from streamtrain.topic.base import Message, Messages, TopicPartition
from streamtrain.topic.file import FileReader, FileWriter
from streamtrain.topic.file.reader import CHUNK_BYTES, FOLLOW_S
from streamtrain.topic.file.writer import SPILL_BYTES

TOPIC = "shop.main.events"
SOURCE = TopicPartition(TOPIC, 0)


def messages(*numbers: int) -> list[Message]:
    return [Message(b"key-%d" % number, b"value-%d" % number) for number in numbers]


def opened(directory: Path, name: str = "shop") -> FileWriter:
    writer = FileWriter(directory, name)
    writer.ensure_topic(TOPIC)
    return writer


def commit(directory: Path, *numbers: int, position: bytes = b"") -> None:
    with closing(opened(directory)) as writer:
        writer.send(TOPIC, Messages.of(messages(*numbers)))
        writer.commit(position)


def read(directory: Path, begin: int = 0) -> list[bytes | None]:
    values: list[bytes | None] = []
    with closing(FileReader(directory)) as reader:
        reader.assign({SOURCE: begin})
        while batches := reader.poll(10_000, 0):
            values += [value for batch in batches for value in batch.values]
    return values


def data(directory: Path) -> Path:
    return directory / TOPIC / "0.log"


def append(path: Path, more: bytes) -> None:
    with path.open("ab") as file:
        file.write(more)


def overwrite(path: Path, at: int, new: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(new)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """No file of this process can grow beyond ``size`` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("torn", [b"d", b"deadbeef {", b'deadbeef {"committed": {}}', b"\x00" * 300])
def test_a_commit_line_that_was_being_written_never_counted(tmp_path: Path, torn: bytes) -> None:
    commit(tmp_path, 1, 2, position=b"before")
    append(data(tmp_path), b"records of the commit that did not come to be")
    append(tmp_path / "commits", torn)
    assert read(tmp_path) == [b"value-1", b"value-2"]
    with closing(opened(tmp_path)) as writer:
        assert writer.position() == b"before"
    assert (tmp_path / "commits").read_bytes().endswith(b"}\n")
    commit(tmp_path, 3)
    assert read(tmp_path) == [b"value-1", b"value-2", b"value-3"]


def test_a_reader_takes_in_a_line_once_it_is_whole(tmp_path: Path) -> None:
    commit(tmp_path, 1)
    commits = tmp_path / "commits"
    before = commits.read_bytes()
    commit(tmp_path, 2)
    after = commits.read_bytes()
    overwrite(commits, 0, before)
    with commits.open("r+b") as file:
        file.truncate(len(before))
    with closing(FileReader(tmp_path)) as reader:
        assert reader.watermarks(SOURCE).high == 1
        for end in range(len(before) + 1, len(after) + 1):
            append(commits, after[end - 1 : end])
            assert reader.watermarks(SOURCE).high == (2 if end == len(after) else 1)


@pytest.mark.parametrize("line", range(4))
def test_a_damaged_line_stops_reader_and_writer_and_is_named(tmp_path: Path, line: int) -> None:
    commit(tmp_path, 1)
    lines = (tmp_path / "commits").read_bytes().splitlines(keepends=True)
    at = len(b"".join(lines[:line]))
    overwrite(tmp_path / "commits", at + len(lines[line]) - 3, b"X")
    for opening in (lambda: read(tmp_path), lambda: opened(tmp_path)):
        with pytest.raises(FatalError, match=f"commits is damaged at byte {at}: ") as raised:
            opening()
        assert raised.value.hint


def test_a_log_of_another_format_is_refused(tmp_path: Path) -> None:
    commit(tmp_path, 1)
    text = (tmp_path / "commits").read_bytes()
    document = b'{"format":"streamtrain file topic","version":2}'
    (tmp_path / "commits").write_bytes(b"%08x %s\n" % (zlib.crc32(document), document) + text)
    with pytest.raises(FatalError, match="another format"):
        read(tmp_path)


@pytest.mark.parametrize("at", [0, 4, 8, 30, 39])
def test_a_damaged_record_stops_the_reader_and_is_named(tmp_path: Path, at: int) -> None:
    commit(tmp_path, 1, 2)
    frame = data(tmp_path).stat().st_size // 2
    byte = data(tmp_path).read_bytes()[frame + at]
    overwrite(data(tmp_path), frame + at, bytes([byte ^ 0x41]))
    with pytest.raises(FatalError, match=rf"0\.log is damaged at byte {frame}: "):
        read(tmp_path)


def test_a_zeroed_block_is_damage_and_not_a_record(tmp_path: Path) -> None:
    commit(tmp_path, 1, 2)
    overwrite(data(tmp_path), 0, b"\x00" * data(tmp_path).stat().st_size)
    with pytest.raises(FatalError, match=r"0\.log is damaged at byte 0: "):
        read(tmp_path)


def test_data_that_is_shorter_than_what_was_committed_stops_the_writer(tmp_path: Path) -> None:
    commit(tmp_path, 1, 2)
    with data(tmp_path).open("r+b") as file:
        file.truncate(50)
    with pytest.raises(FatalError, match=r"0\.log is damaged at byte 50: "):
        opened(tmp_path)


def test_a_topic_directory_that_is_replaced_under_a_reader_is_noticed(tmp_path: Path) -> None:
    directory = tmp_path / "topics"
    commit(directory, 1, 2)
    with closing(FileReader(directory)) as reader:
        reader.assign({SOURCE: 0})
        directory.rename(tmp_path / "old")
        with pytest.raises(PositionLost, match="removed or replaced"):
            reader.poll(10, 0)
        commit(directory, 3)
        with pytest.raises(PositionLost, match="removed or replaced"):
            reader.poll(10, 0)


def test_a_reader_that_is_overtaken_by_a_trim_is_told(tmp_path: Path) -> None:
    commit(tmp_path, 1, 2, 3)
    with closing(FileReader(tmp_path)) as reader, closing(opened(tmp_path)) as writer:
        reader.assign({SOURCE: 0})
        assert reader.poll(1, 0)[0].values == [b"value-1"]
        writer.trim(SOURCE, 2)
        with pytest.raises(PositionLost, match=r"offset 1 .* low watermark 2"):
            reader.poll(1, 0)
        with pytest.raises(PositionLost, match="offset 4"):
            writer.trim(SOURCE, 4)


def test_a_full_disk_fails_the_commit_and_leaves_the_log_whole(tmp_path: Path) -> None:
    commit(tmp_path, 1, position=b"before")
    with closing(opened(tmp_path)) as writer:
        writer.send(TOPIC, Messages.of(messages(*range(1000))))
        with files_limited_to(4096), pytest.raises(TopicUnavailable, match="File too large") as raised:
            writer.commit(b"after")
        assert "free space" in raised.value.hint
        with pytest.raises(TopicUnavailable, match="earlier commit"):
            writer.commit(b"after")
        writer.abort()
    assert read(tmp_path) == [b"value-1"]
    with closing(opened(tmp_path)) as writer:
        assert writer.position() == b"before"
    assert data(tmp_path).stat().st_size < 100


def test_a_disk_that_fills_up_within_the_commit_line_leaves_the_log_whole(tmp_path: Path) -> None:
    commit(tmp_path, 1, position=b"before")
    with closing(opened(tmp_path)) as writer:
        room = (tmp_path / "commits").stat().st_size + 20
        writer.send(TOPIC, Messages.of(messages(2)))
        with files_limited_to(room), pytest.raises(TopicUnavailable):
            writer.commit(b"after")
    assert read(tmp_path) == [b"value-1"]
    commit(tmp_path, 3)
    assert read(tmp_path) == [b"value-1", b"value-3"]


def opened_files(directory: Path) -> list[str]:
    """What this process has open below ``directory``."""
    links = list(Path("/proc/self/fd").iterdir())
    targets = [str(link.readlink()) for link in links if link.is_symlink()]
    return [target for target in targets if target.startswith(str(directory))]


def test_a_writer_whose_disk_stays_full_is_closed_without_another_error(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    with files_limited_to(4096):
        for topic in (TOPIC, "shop.main.orders"):
            writer.ensure_topic(topic)
            writer.send(topic, Messages.of(messages(*range(100))))
        with pytest.raises(TopicUnavailable, match="File too large"):
            writer.commit(b"after")
        writer.close()
    assert opened_files(tmp_path) == []
    assert read(tmp_path) == []


def test_a_transaction_that_the_disk_has_no_room_to_hold_is_dropped_without_another_error(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    with files_limited_to(SPILL_BYTES + 4096):
        writer.send(TOPIC, Messages.of([Message(b"key", b"v" * SPILL_BYTES)]))
        writer.send(TOPIC, Messages.of(messages(*range(100))))
        with pytest.raises(TopicUnavailable, match="File too large"):
            writer.commit(b"after")
        writer.close()
    assert opened_files(tmp_path) == []
    assert read(tmp_path) == []


def test_a_writer_that_failed_writes_nothing_more_when_it_is_closed(tmp_path: Path) -> None:
    failed = opened(tmp_path)
    failed.send(TOPIC, Messages.of(messages(*range(100, 200))))
    with files_limited_to(1000), pytest.raises(TopicUnavailable):
        failed.commit(b"")
    commit(tmp_path, *range(200))
    failed.close()
    assert read(tmp_path) == [b"value-%d" % number for number in range(200)]


def test_a_transaction_larger_than_memory_may_hold_is_one_transaction(tmp_path: Path) -> None:
    value = b"v" * (1 << 20)
    count = SPILL_BYTES // len(value) + 2
    with closing(FileWriter(tmp_path, "shop", fsync=False)) as writer:
        writer.ensure_topic(TOPIC)
        for number in range(count):
            writer.send(TOPIC, Messages.of([Message(b"%d" % number, value)]))
        assert data(tmp_path).stat().st_size == 0
        writer.commit(b"")
    assert read(tmp_path) == [value] * count
    assert {path.name for path in tmp_path.iterdir()} == {"commits", TOPIC}


def test_records_larger_than_what_is_read_at_once_are_read_whole(tmp_path: Path) -> None:
    # Behind the first record the buffer holds a part of the second that is larger than what is read at once.
    values = [b"a" * (5 * CHUNK_BYTES), b"b" * (4 * CHUNK_BYTES), b"c", b"d" * CHUNK_BYTES, b"e"]
    with closing(opened(tmp_path)) as writer:
        writer.send(TOPIC, Messages.of([Message(None, value) for value in values]))
        writer.commit(b"")
    assert read(tmp_path) == values
    assert read(tmp_path, begin=3) == values[3:]


def test_a_waiting_reader_sleeps_between_its_looks(tmp_path: Path) -> None:
    now, slept = 0.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    commit(tmp_path, 1)
    with closing(FileReader(tmp_path, clock=lambda: now, sleep=sleep)) as reader:
        reader.assign({SOURCE: 1})
        assert reader.poll(10, 1.0) == []
    assert sum(slept) == pytest.approx(1.0)
    assert len(slept) <= 1.0 / FOLLOW_S + 1


def test_a_reader_sees_within_one_look_what_was_committed_while_it_slept(tmp_path: Path) -> None:
    commit(tmp_path, 1)
    waits: Iterator[Callable[[], None]] = iter([lambda: None, lambda: commit(tmp_path, 2)])
    with closing(FileReader(tmp_path, sleep=lambda _: next(waits)())) as reader:
        reader.assign({SOURCE: 1})
        assert [batch.values for batch in reader.poll(10, 60.0)] == [[b"value-2"]]


def test_a_lock_that_is_held_too_long_is_an_error_that_names_it(tmp_path: Path) -> None:
    slept: list[float] = []
    writer = FileWriter(tmp_path, "shop", sleep=slept.append)
    with closing(writer), (tmp_path / "commits").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TopicUnavailable, match="commits is locked"):
            writer.commit(b"")
        assert sum(slept) > 1
        fcntl.flock(held, fcntl.LOCK_UN)
        writer.commit(b"later")
        assert writer.position() == b"later"


def test_a_writer_that_was_taken_over_names_the_process(tmp_path: Path) -> None:
    old = opened(tmp_path)
    commit(tmp_path, 1)
    with closing(old), pytest.raises(FencedOut, match=f"taken over by process {os.getpid()}"):
        old.ensure_topic("another")


def test_a_directory_that_cannot_be_one_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        FileWriter(tmp_path / "file" / "topics", "shop")


def test_no_topic_can_have_the_name_of_the_commit_log(tmp_path: Path) -> None:
    with closing(FileWriter(tmp_path, "shop")) as writer, pytest.raises(ConfigError, match="'commits'"):
        writer.ensure_topic("commits")


def test_a_topic_needs_a_partition(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 partitions"):
        FileWriter(tmp_path, "shop", 0)


def test_a_busy_partition_does_not_starve_the_others(tmp_path: Path) -> None:
    with closing(FileWriter(tmp_path, "shop")) as writer:
        for topic in ("busy", "quiet"):
            writer.ensure_topic(topic)
        writer.send("busy", Messages.of(messages(*range(100))))
        writer.send("quiet", Messages.of(messages(1)))
        writer.commit(b"")
    with closing(FileReader(tmp_path)) as reader:
        reader.assign({TopicPartition("busy", 0): 0, TopicPartition("quiet", 0): 0})
        seen = [batch.source.topic for _ in range(2) for batch in reader.poll(10, 0)]
    assert seen[:2] == ["busy", "quiet"]
