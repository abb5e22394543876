"""SIGKILL between every two steps of training and of its checkpoint: the state ends as that of an undisturbed run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamtrain.faults import CHECKPOINT_STEPS
from tests.application import Application, on_sqlite
from tests.fault.lines import config, file_topic, sqlite_source
from tests.line import Line
from tests.servers.states import STATE_DATABASES, state_url

MakeLine = Callable[[str], Line]


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A topic with inserts, updates and deletes, ending inside a slice."""
    directory = tmp_path_factory.mktemp("captured")
    application = Application(on_sqlite(directory / "app.db"), seed=2)
    topics = file_topic(directory / "topics", "shop")
    parts = {"source": sqlite_source(directory / "app.db"), "topic": topics, "table": "main.events"}
    line = Line(directory, config("capture", state=f"sqlite:///{directory}/state.db", **parts))
    application.fill(50)
    line.run("connect", "--until-caught-up")
    for _ in range(12):
        application.transact(9)
    line.run("connect", "--until-caught-up")
    return parts


@pytest.fixture(params=STATE_DATABASES)
def make_line(request: pytest.FixtureRequest, captured: dict[str, Any], tmp_path: Path) -> MakeLine:
    """Runs by name on the captured topic, all in one state database."""
    state = state_url(request, tmp_path)

    def make(name: str) -> Line:
        return Line(tmp_path, config(name, state=state, **captured), name)

    return make


def test_a_kill_at_any_step_changes_no_bit_of_the_state(make_line: MakeLine) -> None:
    undisturbed = make_line("undisturbed")
    undisturbed.run("train", "--until-caught-up")
    expected = undisturbed.json("checkpoints")[-1]
    assert expected["events"] > 100
    for step in CHECKPOINT_STEPS:
        killed = make_line(f"killed-{step}")
        killed.run("train", "--until-caught-up", crash_at=f"{step}:{1 if step == 'train.restored' else 2}")
        assert killed.crashed, f"{step} was never passed"
        killed.run("train", "--until-caught-up")
        found = killed.json("checkpoints")[-1]
        same = ("state_sha256", "weights_sha256", "events", "slice", "offsets", "metrics")
        assert {name: found[name] for name in same} == {name: expected[name] for name in same}, step


def test_stopping_by_count_and_going_on_changes_no_bit_of_the_state(make_line: MakeLine) -> None:
    undisturbed, stepwise = make_line("undisturbed"), make_line("stepwise")
    undisturbed.run("train", "--until-caught-up")
    for count in (1, 7, 30):
        stepwise.run("train", "--max-events", str(count))
    assert stepwise.json("checkpoints")[-1]["events"] == 38
    stepwise.run("train", "--until-caught-up")
    stepwise.run("train", "--until-caught-up")
    found = stepwise.json("checkpoints")
    assert found[-1]["state_sha256"] == undisturbed.json("checkpoints")[-1]["state_sha256"]
    assert len({one["events"] for one in found}) == len(found), "the second run at the end stored nothing new"


def test_any_checkpoint_is_proved_from_the_one_before_it(make_line: MakeLine) -> None:
    line = make_line("proved")
    line.run("train", "--max-events", "37")
    line.run("train", "--until-caught-up")
    identities = [str(one["id"]) for one in line.json("checkpoints")]
    assert len(identities) > 3
    for start, goal in zip(["beginning", *identities], identities[:4], strict=False):
        proof = line.json("replay", "--from", start, "--to", goal, "--verify")
        assert str(proof["verified"]) == goal
