"""A file writer that is killed at any moment leaves whole transactions, the last acknowledged one among them."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from streamtrain.topic.base import TopicPartition
from streamtrain.topic.file import FileReader, FileWriter

WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from streamtrain.topic.base import Message, Messages
    from streamtrain.topic.file import FileWriter

    writer = FileWriter(Path(sys.argv[1]), "shop", fsync=False)
    for topic in ("events", "users"):
        writer.ensure_topic(topic)
    transaction = int(writer.position() or b"-1") + 1
    print("ready", flush=True)
    while True:
        for topic in ("events", "users"):
            writer.send(topic, Messages.of([Message(b"%d" % part, b"%d" % transaction) for part in range(transaction % 50 + 1)]))
        writer.commit(b"%d" % transaction)
        print(transaction, flush=True)
        transaction += 1
    """
)


def kill_after(directory: Path, lines: int, seconds: float) -> int:
    """Run the writer, kill it some time after it has printed ``lines`` lines; the last transaction it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(1 + lines)]
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        printed += process.stdout.read().splitlines()
    return max((int(line) for line in printed if line.strip().isdigit()), default=-1)


def transactions(directory: Path, topic: str) -> list[tuple[int, int]]:
    """Number and size of each transaction that a reader sees, in order."""
    found: list[tuple[int, int]] = []
    with closing(FileReader(directory)) as reader:
        reader.assign({TopicPartition(topic, 0): 0})
        while batches := reader.poll(10_000, 0):
            for value in batches[0].values:
                number = int(value or b"")
                if found and found[-1][0] == number:
                    found[-1] = (number, found[-1][1] + 1)
                else:
                    found.append((number, 1))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_leaves_whole_transactions_and_loses_none_that_was_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    moments = random.Random(seed)
    for _ in range(3):
        acknowledged = kill_after(tmp_path, lines=moments.randrange(20), seconds=moments.uniform(0, 0.03))
        seen = transactions(tmp_path, "events")
        assert seen == [(number, number % 50 + 1) for number in range(len(seen))]
        assert transactions(tmp_path, "users") == seen
        assert acknowledged <= len(seen) - 1 <= acknowledged + 1 or acknowledged == -1
        with closing(FileWriter(tmp_path, "shop")) as writer:
            assert writer.position() == (b"%d" % (len(seen) - 1) if seen else None)
        assert transactions(tmp_path, "events") == seen
