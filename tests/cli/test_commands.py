"""The commands as a user meets them: results, refusals, exit codes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamtrain.topic.base import Message, Messages
from streamtrain.topic.file import FileWriter
from tests.application import Application, on_sqlite
from tests.fault.lines import config, file_topic, sqlite_source
from tests.line import Line

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    topics, state = file_topic(tmp_path / "topics", "shop"), f"sqlite:///{tmp_path}/state.db"
    return config("shop", sqlite_source(tmp_path / "app.db"), topics, state, "main.events")


@pytest.fixture
def line(tmp_path: Path, settings: dict[str, Any]) -> Line:
    application = Application(on_sqlite(tmp_path / "app.db"), seed=4)
    application.fill(40)
    return Line(tmp_path, settings)


def caught_up(line: Line) -> Line:
    line.run("connect", "--until-caught-up")
    line.run("train", "--until-caught-up")
    return line


def last_line(line: Line) -> str:
    return line.stderr.strip().splitlines()[-1]


def test_a_run_from_nothing_to_predictions(line: Line, tmp_path: Path) -> None:
    caught_up(line)
    (tmp_path / "rows.jsonl").write_text(
        '{"user_id": 3, "price": 5, "device": "desk"}\n\n{"user_id": 3, "device": "desk"}\n[1]\n{"user_id": null, '
        '"price": null, "device": "unheard of"}\n'
    )
    answers = [json.loads(one) for one in line.run("predict", str(tmp_path / "rows.jsonl"), check=False).splitlines()]
    assert line.returncode == 1
    assert [answer.get("error") for answer in answers] == [None, "missing_column", "malformed", None]
    assert all(0 < answers[index]["prediction"] < 1 for index in (0, 3))


def test_status_names_lag_checkpoint_metrics_and_rejections(line: Line) -> None:
    line.run("connect", "--until-caught-up")
    line.run("train", "--max-events", "30")
    document = line.json("status")
    assert document["events"] == 30
    assert document["lag"] == {"records": 10}
    assert document["components"]["connector"]["rows"] == 40
    assert document["components"]["trainer"]["state"] == "stopped"
    assert document["rejected"] == {"total": 0, "by_reason": {}}
    assert document["last_checkpoint"]["events"] == 30
    assert {"auc", "log_loss", "baseline_auc", "baseline_log_loss"} <= set(document["metrics"])
    assert "lag" in line.run("status")


def test_checkpoints_are_listed_oldest_first_with_the_fields_that_are_promised(line: Line) -> None:
    found = caught_up(line).json("checkpoints")
    assert [one["id"] for one in found] == sorted(one["id"] for one in found)
    assert list(found[-1]) == [
        "id", "run", "slice", "events", "created_at", "weights_sha256", "state_sha256", "offsets", "metrics",
    ]  # fmt: skip
    assert found[-1]["offsets"] == {"shop.main.events": {"0": 40}}
    assert found[-1]["events"] == 40


def test_a_replay_with_another_setting_is_a_run_of_its_own(line: Line) -> None:
    before = caught_up(line).json("checkpoints")
    result = line.json("replay", "--from", "beginning", "--set", "model.alpha=0.5", "--name", "faster")
    assert result["run"] == "faster"
    assert result["events"] == 40
    assert result["state_sha256"] != before[-1]["state_sha256"]
    assert line.json("checkpoints") == before
    line.run("replay", "--from", "beginning", "--name", "faster", check=False)
    assert "there is a run 'faster' already" in last_line(line)


def test_a_replay_that_diverges_says_so_and_fails(line: Line, tmp_path: Path) -> None:
    caught_up(line)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE streamtrain_checkpoints SET state_sha256 = 'x' WHERE id = (SELECT max(id) FROM "
                           "streamtrain_checkpoints)")  # fmt: skip
    line.run("replay", "--from", "beginning", "--verify", check=False)
    assert line.returncode == 1
    line.run("replay", "--from", "99", "--verify", check=False)
    assert line.returncode == 1
    assert "there is no such checkpoint" in last_line(line)


def test_other_settings_are_refused_with_the_difference_and_accepted_on_record(
    line: Line, tmp_path: Path, settings: dict[str, Any]
) -> None:
    caught_up(line)
    settings["model"] = {"kind": "ftrl", "alpha": 0.5}
    settings["train"]["max_wait_ms"] = 77
    line.config.write_text(yaml.safe_dump(settings))
    line.run("train", "--until-caught-up", check=False)
    assert line.returncode == 1
    assert "model.alpha: (not set) -> 0.5" in last_line(line)
    assert "--accept-config" in last_line(line)
    assert "max_wait" not in last_line(line)
    line.run("train", "--until-caught-up", "--accept-config")
    with sqlite3.connect(tmp_path / "state.db") as connection:
        recorded = connection.execute("SELECT differences FROM streamtrain_config_changes").fetchall()
    assert [json.loads(text) for (text,) in recorded] == [["model.alpha: (not set) -> 0.5"]]


def test_dead_letters_are_listed_retried_and_dropped(line: Line, tmp_path: Path) -> None:
    writer = FileWriter(tmp_path / "topics", "shop")
    writer.ensure_topic("shop.main.events")
    good = b'{"op":"c","before":null,"after":{"id":1,"user_id":1,"price":1,"device":"tab","clicked":1}}'
    bad = good.replace(b'"clicked":1', b'"clicked":"maybe"')
    writer.send(
        "shop.main.events",
        Messages.of([Message(b'{"id":1}', good), Message(b'{"id":2}', b"broken"), Message(b'{"id":3}', bad)]),
    )
    writer.commit(b"{}")
    writer.close()
    line.run("train", "--until-caught-up")
    letters = line.json("deadletters")
    assert [(one["offset"], one["reason"], one["key"], one["partition"]) for one in letters] == [
        (1, "malformed", '{"id":2}', 0),
        (2, "unknown_label", '{"id":3}', 0),
    ]
    assert line.json("deadletters", "drop", "--at", "shop.main.events:0:1") == {"action": "drop", "count": 1}
    assert line.json("deadletters", "retry") == {"action": "retry", "count": 1}
    line.run("train", "--until-caught-up")
    assert [(one["offset"], one["state"]) for one in line.json("deadletters")] == [(2, "requested")]
    assert line.json("status")["rejected"]["by_reason"] == {"unknown_label": 1}


def test_init_writes_a_configuration_once_and_never_over_another(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamtrain", "init", str(tmp_path / "new")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_doctor_passes_a_sound_line_and_fails_an_unsound_one(
    line: Line, tmp_path: Path, settings: dict[str, Any]
) -> None:
    checks = {check["name"]: check for check in line.json("doctor")}
    assert {check["status"] for check in checks.values()} <= {"ok", "warn"}
    settings["examples"]["features"] = {"colour": "categorical"}
    line.config.write_text(yaml.safe_dump(settings))
    failed = json.loads(line.run("doctor", "--json", check=False))
    assert line.returncode == 1
    assert "missing: colour" in next(check["found"] for check in failed if check["name"] == "columns")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train", "nowhere.yaml"], 2, "there is no such file"),
        (["trian"], 2, "trian"),
        (["train"], 2, "CONFIG"),
        (["--log-format", "xml", "train", "x"], 2, "text or json"),
        (["--version"], 0, ""),
    ],
)
def test_failures_are_one_line_with_an_exit_code(words: list[str], code: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-m", "streamtrain", *words], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 1
    assert "Traceback" not in done.stderr


def test_training_without_a_topic_says_how_to_fill_it(line: Line) -> None:
    line.run("train", "--until-caught-up", check=False)
    assert line.returncode == 1
    assert "topic shop.main.events does not exist" in last_line(line)
    assert "streamtrain connect" in last_line(line)


def test_results_are_alone_on_standard_output_and_logs_can_be_json(line: Line) -> None:
    line.run("connect", "--until-caught-up")
    assert line.run("train", "--until-caught-up", "--log-format", "json") == ""
    assert all(json.loads(one)["component"] for one in line.stderr.splitlines())


def test_sigterm_ends_training_cleanly_with_a_checkpoint(line: Line) -> None:
    line.run("connect", "--until-caught-up")
    with line.running("train") as process:
        while not line.json("checkpoints"):
            assert process.exitcode is None
    assert process.exitcode == 0
    assert line.json("status")["components"]["trainer"]["state"] == "stopped"


def test_features_auto_are_fixed_when_a_run_begins(line: Line, tmp_path: Path, settings: dict[str, Any]) -> None:
    settings["examples"]["features"] = "auto"
    line.config.write_text(yaml.safe_dump(settings))
    caught_up(line)
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute("ALTER TABLE events ADD COLUMN weight REAL")
    line.run("train", "--until-caught-up")
    with sqlite3.connect(tmp_path / "state.db") as connection:
        (stored,) = connection.execute(
            "SELECT settings FROM streamtrain_checkpoints ORDER BY id DESC LIMIT 1"
        ).fetchone()
    chosen = {
        name.split(".")[2]: kind for name, kind in json.loads(stored).items() if name.startswith("examples.features.")
    }
    assert chosen == {"user_id": "categorical", "price": "numeric", "device": "categorical"}


def test_every_command_has_help_that_says_what_it_does() -> None:
    from streamtrain.cli.app import app

    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    promised = {
        "demo",
        "init",
        "doctor",
        "connect",
        "train",
        "up",
        "status",
        "predict",
        "checkpoints",
        "replay",
        "deadletters",
        "signal",
    }
    assert names == promised
    for command in app.registered_commands:
        assert command.callback is not None
        assert (command.callback.__doc__ or "").strip()
    readme = (ROOT / "README.md").read_text()
    assert all(f"| `{name}" in readme for name in promised)
