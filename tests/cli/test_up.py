"""``up`` keeps connector and trainer running, and ends both."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.application import Application, on_sqlite
from tests.fault.lines import config, file_topic, sqlite_source
from tests.fault.test_outages import until
from tests.line import Line


def children(parent: int) -> dict[str, int]:
    """The processes that ``up`` has started, by command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "status").read_text()
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue  # it ended while we looked
            if f"PPid:\t{parent}\n" in status and "streamtrain" in words:
                found[words[words.index("streamtrain") + 1]] = int(entry.name)
    return found


@pytest.mark.timeout(300)
def test_a_killed_part_is_started_again_and_sigterm_ends_everything_cleanly(tmp_path: Path) -> None:
    application = Application(on_sqlite(tmp_path / "app.db"), seed=6)
    application.fill(20)
    topics, state = file_topic(tmp_path / "topics", "shop"), f"sqlite:///{tmp_path}/state.db"
    line = Line(tmp_path, config("shop", sqlite_source(tmp_path / "app.db"), topics, state, "main.events"))
    with line.running("up") as process:
        assert process.pid is not None
        until(lambda: line.json("status")["events"] == 20, "the snapshot is learned")
        first = children(process.pid)
        assert set(first) == {"connect", "train"}
        for pid in first.values():
            os.kill(pid, signal.SIGKILL)
        application.transact(15)
        expected = sum(1 for one in application.history if one.op is not None)
        until(lambda: line.json("status")["events"] == expected, "the parts are back and have caught up")
        assert not set(first.values()) & set(children(process.pid).values())
    assert process.exitcode == 0
    components = line.json("status")["components"]
    assert {name: part["state"] for name, part in components.items()} == {"connector": "stopped", "trainer": "stopped"}
