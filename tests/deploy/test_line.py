"""The whole line of docker-compose.yml without an engine: each service's own command, configuration and variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import compose
from tests.deploy.broker import ComposedKafka
from tests.deploy.database import PASSWORDS, generate
from tests.servers.mysql import PrivateMySQL

pytestmark = pytest.mark.servers

CONFIG = "/etc/streamtrain/streamtrain.yaml"
GIVEN = {"MYSQL_PASSWORD": PASSWORDS["SOURCE_PASSWORD"], "STATE_PASSWORD": PASSWORDS["STATE_PASSWORD"]}


class Line:
    """Runs the services' commands against the private servers."""

    def __init__(self, server: PrivateMySQL, broker: ComposedKafka, folder: Path) -> None:
        mounted = compose.bind_mounts(compose.services()["trainer"])[CONFIG]
        text = mounted.read_text().replace("@mysql:3306", f"@127.0.0.1:{server.port}")
        self._config = folder / mounted.name
        self._config.write_text(text.replace("kafka:9092", f"127.0.0.1:{broker.internal}"))

    def service(self, name: str, *options: str) -> str:
        """What the service ``name`` prints when it is run with ``options`` beside its own; it must end with 0."""
        service = compose.services(GIVEN)[name]
        assert service["environment"] == GIVEN
        return self.run(*service["command"], *options)

    def run(self, *arguments: str) -> str:
        words = [str(self._config) if word == CONFIG else word for word in arguments]
        finished = subprocess.run(
            (sys.executable, "-m", "streamtrain", *words),
            env={"PATH": os.environ["PATH"]} | GIVEN,
            cwd=compose.ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout


@pytest.fixture(scope="module")
def line(server: PrivateMySQL, broker: ComposedKafka, tmp_path_factory: pytest.TempPathFactory) -> Line:
    """The line after the generator has written, the connector has published and the trainer has learned all of it."""
    assert generate(server, LIMIT="4000").returncode == 0
    line = Line(server, broker, tmp_path_factory.mktemp("line"))
    line.service("connector", "--until-caught-up")
    assert generate(server, LIMIT="4000", SEED="8").returncode == 0
    line.service("connector", "--until-caught-up")
    line.service("trainer", "--until-caught-up")
    return line


def test_the_doctor_finds_nothing_that_would_lose_data(line: Line) -> None:
    line.service("doctor")


def test_the_trainer_learns_what_the_generator_wrote(line: Line) -> None:
    checkpoints = json.loads(line.run("checkpoints", CONFIG, "--json"))
    newest = checkpoints[-1]
    assert newest["events"] > 4000
    assert newest["metrics"]["auc"] > 0.65
    assert newest["metrics"]["log_loss"] < newest["metrics"]["baseline_log_loss"]


def test_no_record_is_rejected(line: Line) -> None:
    assert json.loads(line.run("deadletters", CONFIG, "list", "--json")) == []


def test_the_health_check_of_the_image_passes(line: Line) -> None:
    assert json.loads(line.run("status", CONFIG, "--json"))
