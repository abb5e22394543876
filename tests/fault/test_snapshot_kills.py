"""SIGKILL in the middle of an initial snapshot: it goes on at the chunk, and no row is published twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrain.faults import SNAPSHOT_STEPS
from streamtrain.topic.file import FileReader
from tests.application import Application, on_server
from tests.fault.lines import config, file_topic, mysql_source
from tests.line import Line, published
from tests.servers import Database

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
    read = [record.key["id"] for record in found if record.op == "r"]
    assert len(read) == len(set(read))
    rows: dict[int, object] = {}
    for record in found:
        rows[record.key["id"]] = record.after
    expected: dict[int, object] = {}
    for record in application.history:
        expected[record.key["id"]] = record.after
    assert {key: row for key, row in rows.items() if row} == {key: row for key, row in expected.items() if row}
