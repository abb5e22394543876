"""SIGKILL in the middle of an initial snapshot: it goes on at the chunk, and no row is published twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from streamtrain.faults import SNAPSHOT_STEPS
from streamtrain.topic.file import FileReader
from tests.application import Application, on_server
from tests.document_application import DocumentApplication
from tests.fault.lines import config, file_topic, mysql_source
from tests.line import Line, Published, published
from tests.servers import Database
from tests.servers.mongo import Mongo

ROWS, CHUNK = 200, 5
CHUNKS = ROWS // CHUNK


@pytest.mark.parametrize("step", SNAPSHOT_STEPS)
@pytest.mark.parametrize("done", [0.1, 0.5, 0.99])
def test_a_snapshot_goes_on_at_the_chunk_after_a_kill(
    sql_server: Database, sql_database: str, tmp_path: Path, step: str, done: float
) -> None:
    application = Application(on_server(sql_server, sql_database), seed=3)
    sql_server.execute("CREATE TABLE zzz (id INT PRIMARY KEY)", database=sql_database)
    application.fill(ROWS)
    source = mysql_source(sql_server.url, sql_database) | {"include": [f"{sql_database}.*"], "commit_rows": CHUNK}
    topics = file_topic(tmp_path / "topics", "shop")
    line = Line(tmp_path, config("x", source, topics, f"sqlite:///{tmp_path}/state.db", f"{sql_database}.events"))
    topic, reader = f"shop.{sql_database}.events", FileReader(tmp_path / "topics")
    line.run("connect", "--until-caught-up", crash_at=f"{step}:{max(1, int(done * CHUNKS))}")
    assert line.crashed
    kept = len(published(reader, topic)) if reader.partitions(topic) else 0
    assert kept >= int(done * CHUNKS - 4) * CHUNK, "more than the chunks under way is to be read again"
    application.transact(6)
    line.run("connect", "--until-caught-up")
    found = published(reader, topic)
    reader.close()
    check(found, application.history)


def check(found: Sequence[Published], history: Sequence[Published]) -> None:
    """Nothing was read twice, and all together is what the history comes to."""
    read = [record.key["id"] for record in found if record.op == "r"]
    assert len(read) == len(set(read))
    assert folded(found) == folded(history)


def folded(records: Sequence[Published]) -> dict[object, object]:
    """What there is after them, by key."""
    rows = {record.key["id"]: record.after for record in records}
    return {key: row for key, row in rows.items() if row}


@pytest.mark.parametrize("step", ["capture.sent", "capture.committing", "capture.committed"])
@pytest.mark.parametrize("done", [0.1, 0.5, 0.99])
def test_a_snapshot_of_mongodb_goes_on_at_the_chunk_after_a_kill(
    mongo: Mongo, mongo_database: str, tmp_path: Path, step: str, done: float
) -> None:
    source = {
        "kind": "mongo", "url": mongo.url, "include": [f"{mongo_database}.events"], "commit_rows": CHUNK, "commit_ms": 20,
        "store": "documents.db",
    }  # fmt: skip
    topics = file_topic(tmp_path / "topics", "shop")
    line = Line(tmp_path, config("x", source, topics, f"sqlite:///{tmp_path}/state.db", f"{mongo_database}.events"))
    topic, chunks = f"shop.{mongo_database}.events", max(1, int(done * CHUNKS))
    with closing(DocumentApplication(mongo.url, mongo_database, seed=3)) as application:
        application.fill(ROWS)
        # What is committed first is where the stream begins.
        line.run("connect", "--until-caught-up", crash_at=f"{step}:{chunks + (step != 'capture.sent')}")
        assert line.crashed
        with closing(FileReader(tmp_path / "topics")) as reader:
            kept = len(published(reader, topic)) if reader.partitions(topic) else 0
            assert kept == (chunks - (step != "capture.committed")) * CHUNK, "the chunk under way alone is read again"
            application.transact(6)
            line.run("connect", "--until-caught-up")
            check(published(reader, topic), application.history)
