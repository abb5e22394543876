"""Connector and trainer killed at thirty random moments while an application writes: history and state are untouched."""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.application import Application, on_server
from tests.fault.lines import config, kafka_topic, mysql_source
from tests.line import Line, published
from tests.servers import Broker, Database

KILLS = 30
SEED = 20


@pytest.mark.timeout(600)
def test_thirty_random_kills_leave_history_and_state_as_if_there_were_none(
    mysql: Database, mysql_database: str, kafka: Broker, tmp_path: Path, topic_prefix: str
) -> None:
    chance = random.Random(SEED)
    application = Application(on_server(mysql, mysql_database), seed=3)
    table = f"{mysql_database}.events"
    parts = {
        "source": mysql_source(mysql.url, mysql_database),
        "topic": kafka_topic(kafka.bootstrap, topic_prefix),
        "state": f"{mysql.url}/{mysql_database}",
        "table": table,
    }
    line = Line(tmp_path, config("killed", **parts), "killed")
    application.fill(40)
    line.run("connect", "--until-caught-up")
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.02):
            application.transact(chance_of_size.randrange(1, 8))

    chance_of_size = random.Random(SEED + 1)
    writing = threading.Thread(target=write)
    writing.start()
    try:
        _kill_at_random(line, chance, done)
    finally:
        done.set()
        writing.join()
    line.run("connect", "--until-caught-up")
    line.run("train", "--until-caught-up")
    with ExitStack() as closing:
        reader = KafkaReader(KafkaSettings(kafka.bootstrap))
        closing.callback(reader.close)
        assert published(reader, f"{topic_prefix}.{table}") == application.history
    undisturbed = Line(tmp_path, config("undisturbed", **parts), "undisturbed")
    undisturbed.run("train", "--until-caught-up")
    assert line.json("checkpoints")[-1]["state_sha256"] == undisturbed.json("checkpoints")[-1]["state_sha256"]


def _kill_at_random(line: Line, chance: random.Random, done: threading.Event) -> None:
    processes: dict[str, ForkServerProcess] = {}
    try:
        for _ in range(KILLS):
            for command in ("connect", "train"):
                if command not in processes:
                    processes[command] = line.start(command)
            # Not a wait for anything: the moment of the kill is what is drawn.
            done.wait(chance.uniform(0.05, 2.0))
            victim = chance.choice(["connect", "train"])
            process = processes.pop(victim)
            assert process.exitcode is None, f"{victim} ended by itself with {process.exitcode}"
            process.kill()
            process.join()
    finally:
        for process in processes.values():
            process.terminate()
            process.join()
