"""Flat rows of documents: killed at steps of capture, and learned from as a table's rows are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtrain.topic.file import FileReader
from tests.document_application import DocumentApplication
from tests.fault.lines import config, file_topic
from tests.line import Line, Published, published
from tests.servers.mongo import Mongo

FEATURES = {"user.id": "categorical", "price": "numeric", "user.device": "categorical"}
COLUMNS = ["price", "user.id", "user.device", "clicked"]


class RowsLine:
    """A line on one collection whose documents are rows too, its topics in files."""

    def __init__(self, mongo: Mongo, database: str, directory: Path) -> None:
        self.table, self._directory = f"{database}.events", directory
        self._source = {
            "kind": "mongo", "url": mongo.url, "include": [self.table], "commit_rows": 5, "commit_ms": 20,
            "rows": {self.table: COLUMNS},
        }  # fmt: skip
        self.application = DocumentApplication(mongo.url, database, seed=1)

    def capturing(self) -> Line:
        """Captures documents and rows, and learns from documents."""
        return self._line("documents", self._source, "shop")

    def learning(self) -> Line:
        """Learns from the rows."""
        return self._line("rows", {"kind": "none"}, "shop-rows")

    def expected(self) -> list[Published]:
        """What the topic of rows should have by the documents' history."""
        return [
            Published(each.op, {"_id": int(each.key["id"])}, _row(each.before), _row(each.after))
            for each in self.application.history
        ]

    def published(self, prefix: str) -> list[Published]:
        """What a topic has."""
        return published(FileReader(self._directory / "topics"), f"{prefix}.{self.table}")

    def _line(self, name: str, source: dict[str, Any], prefix: str) -> Line:
        state = f"sqlite:///{self._directory / 'state.db'}"
        whole: dict[str, Any] = config(name, source, file_topic(self._directory / "topics", prefix), state, self.table)
        whole["examples"]["features"] = FEATURES
        return Line(self._directory, whole, name)


def _row(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    document = json.loads(text)
    user = document["user"]
    return {
        "_id": document["_id"], "price": document["price"], "user.id": user["id"], "user.device": user["device"],
        "clicked": document["clicked"],
    }  # fmt: skip


@pytest.fixture
def whole(mongo: Mongo, tmp_path: Path) -> Iterator[RowsLine]:
    with mongo.fresh_database() as database:
        line = RowsLine(mongo, database, tmp_path)
        with closing(line.application):
            yield line


@pytest.mark.parametrize("step", ["capture.sent", "capture.committing", "capture.committed"])
def test_a_kill_loses_no_row_and_doubles_none(whole: RowsLine, step: str) -> None:
    line, application = whole.capturing(), whole.application
    application.fill(12)
    line.run("connect", "--until-caught-up", crash_at=f"{step}:1")
    assert line.crashed
    line.run("connect", "--until-caught-up")
    application.transact(20)
    line.run("connect", "--until-caught-up", crash_at=f"{step}:2")
    assert line.crashed
    line.run("connect", "--until-caught-up")
    assert whole.published("shop") == application.history
    assert whole.published("shop-rows") == whole.expected()


def test_what_is_learned_from_rows_is_what_is_learned_from_documents(whole: RowsLine) -> None:
    whole.application.fill(40)
    whole.capturing().run("connect", "--until-caught-up")
    whole.application.transact(60)
    whole.capturing().run("connect", "--until-caught-up")
    checkpoints = []
    for line in (whole.capturing(), whole.learning()):
        line.run("train", "--until-caught-up")
        checkpoints.append(line.json("checkpoints")[-1])
    documents, rows = checkpoints
    same = ("weights_sha256", "events")  # the state has the topic's name in it
    assert {name: rows[name] for name in same} == {name: documents[name] for name in same}
    assert rows["events"] == sum(1 for one in whole.application.history if one.op is not None)
