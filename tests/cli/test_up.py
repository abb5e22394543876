"""``up`` keeps connector and trainer running, and ends both."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Annotated

import pytest
import typer

from streamtrain.cli.up import common_options
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


def runs(pid: int) -> bool:
    """Whether the process is there, and not only as one that nobody has asked how it ended."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.timeout(300)
def test_a_killed_part_is_started_again_and_sigterm_ends_everything_cleanly(tmp_path: Path) -> None:
    application = Application(on_sqlite(tmp_path / "app.db"), seed=6)
    application.fill(20)
    topics, state = file_topic(tmp_path / "topics", "shop"), f"sqlite:///{tmp_path}/state.db"
    line = Line(tmp_path, config("shop", sqlite_source(tmp_path / "app.db"), topics, state, "main.events"))
    state_file = tmp_path / "state.db"
    with line.running("up", "--debug", "--log-format", "json") as process:
        assert process.pid is not None
        until(lambda: state_file.exists() and line.json("status")["events"] == 20, "the snapshot is learned")
        first = children(process.pid)
        assert set(first) == {"connect", "train"}
        for pid in first.values():
            os.kill(pid, signal.SIGKILL)
        application.transact(15)
        expected = sum(1 for one in application.history if one.op is not None)
        until(lambda: line.json("status")["events"] == expected, "the parts are back and have caught up")
        assert not set(first.values()) & set(children(process.pid).values())
    assert process.exitcode == 0
    (log,) = tmp_path.glob("streamtrain-up-*.err")
    assert {json.loads(one)["component"] for one in log.read_text().splitlines()} >= {"up", "connector", "trainer"}
    components = line.json("status")["components"]
    assert {name: part["state"] for name, part in components.items()} == {"connector": "stopped", "trainer": "stopped"}


@pytest.mark.timeout(120)
def test_the_parts_end_cleanly_when_the_whole_is_killed(tmp_path: Path) -> None:
    Application(on_sqlite(tmp_path / "app.db"), seed=6).fill(20)
    topics, state = file_topic(tmp_path / "topics", "shop"), f"sqlite:///{tmp_path}/state.db"
    line = Line(tmp_path, config("shop", sqlite_source(tmp_path / "app.db"), topics, state, "main.events"))
    with line.running("up") as process:
        assert process.pid is not None
        until(lambda: (tmp_path / "state.db").exists() and line.json("status")["events"] == 20, "it is learned")
        parts = children(process.pid)
        assert set(parts) == {"connect", "train"}
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not any(runs(pid) for pid in parts.values()), "the parts are gone")
    components = line.json("status")["components"]
    assert {name: part["state"] for name, part in components.items()} == {"connector": "stopped", "trainer": "stopped"}


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        ([], ["--log-format", "text"]),
        (["--debug", "--log-format", "json"], ["--debug", "--log-format", "json"]),
    ],
)
def test_the_parts_are_told_to_log_as_the_whole_was(given: list[str], handed_on: list[str]) -> None:
    told: list[str] = []
    app = typer.Typer()

    @app.callback()
    def options(debug: bool = False, log_format: Annotated[str, typer.Option()] = "text") -> None:
        """As the real ones: they are held against the command line by the test above."""

    @app.command()
    def whole(context: typer.Context) -> None:
        told.extend(common_options(context))

    app([*given, "whole"], standalone_mode=False)
    assert told == handed_on
