"""Passwords are nowhere but where they were given: through work and failures, with all that --debug tells."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from streamtrain.topic.base import TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, internal_topics
from tests.fault.lines import config
from tests.fault.test_outages import until
from tests.line import Line, content
from tests.servers import Database, PrivateKafka

pytestmark = pytest.mark.servers

SECRETS = {"source": "s0urce/p@ss:Zq7", "state": "st4te/p@ss:Zq8", "broker": "br0ker-pass-Zq9"}
WRONG = {name: f"wr0ng/{secret}" for name, secret in SECRETS.items()}
MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


def forms(secret: str) -> set[bytes]:
    """The secret as it is, and as URLs, JSON and headers would hold it."""
    plain = secret.encode()
    return {plain, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), base64.b64encode(plain)}


def leaks(what: bytes) -> list[str]:
    """The secrets that are in there, and not the whole text, which a failed test would print."""
    sought = [(given[name], name) for given in (SECRETS, WRONG) for name in given]
    return [name for secret, name in sought if any(form in what for form in forms(secret))]


class World:
    """The servers, each with an account whose password is known here alone, and configurations in one directory."""

    def __init__(self, directory: Path, server: Database, kafka: PrivateKafka, database: str) -> None:
        self.directory, self.server, self.kafka, self.database = directory, server, kafka, database
        self.bootstrap = kafka.bootstraps["LOGIN"]
        self.at = f"127.0.0.1:{server.port}"
        for names, given in (("right", SECRETS), ("wrong", WRONG)):
            for name, secret in given.items():
                (directory / f"{names}-{name}.secret").write_text(secret + "\n")

    def reference(self, name: str, wrong: str) -> str:
        return f"${{file:{self.directory}/{'wrong' if name == wrong else 'right'}-{name}.secret}}"

    def settings(self, *, wrong: str = "", away: str = "") -> dict[str, Any]:
        """The configuration, with the wrong password for one server, or with one that is not there."""
        source, state = (f"127.0.0.1:{1 if away == name else self.server.port}" for name in ("source", "state"))
        topic = {
            "kind": "kafka", "prefix": self.database, "bootstrap": "127.0.0.1:1" if away == "broker" else self.bootstrap,
            "security": {
                "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "me",
                "sasl.password": self.reference("broker", wrong),
            },
        }  # fmt: skip
        table = f"{self.database}.events"
        captured = {
            "kind": "mysql", "url": f"mysql://secret_source:{self.reference('source', wrong)}@{source}", "include": [table],
            "transaction_metadata": True, "heartbeat_ms": 1, "max_record_bytes": 10_000,
        }  # fmt: skip
        url = f"mysql://secret_state:{self.reference('state', wrong)}@{state}/{self.database}_state"
        made = config("secrets", captured, topic, url, table)
        made["retry"] = {"initial_s": 0.1, "max_s": 0.2, "deadline_s": 1}
        return made

    def fails(self, name: str, commands: tuple[str, ...], **options: str) -> None:
        line = Line(self.directory, self.settings(**options), name)
        for command in commands:
            line.run(command, "--debug", check=False)
            assert line.returncode == 1, f"{name}: {command}"
            assert command == "doctor" or "Traceback" in line.stderr

    def published(self) -> tuple[str, ...]:
        """The topics of changes, structure, transactions, dead letters and heartbeats."""
        prefix = self.database
        further = (f"{prefix}.transaction", f"{prefix}.dead-letters", f"__debezium-heartbeat.{prefix}")
        return f"{prefix}.{self.database}.events", prefix, *further

    def written(self) -> Iterator[tuple[str, bytes]]:
        """All that the commands have written: their outputs, the topics and the state database."""
        for file in self.directory.rglob("*"):
            if file.is_file() and file.suffix != ".secret":
                yield file.name, file.read_bytes()
        with closing(KafkaReader(KafkaSettings(self.kafka.bootstrap))) as reader:
            for topic in (*self.published(), *internal_topics(self.database)):
                found = content(reader, TopicPartition(topic, 0))
                assert found, f"nothing was ever written to {topic}"
                yield topic, found
        for (table,) in self.server.execute("SHOW TABLES", database=f"{self.database}_state"):
            yield table, repr(self.server.execute(f"SELECT * FROM {table}", database=f"{self.database}_state")).encode()


@pytest.fixture
def world(tmp_path: Path, mysql: Database, mysql_database: str) -> Iterator[World]:
    state = f"{mysql_database}_state"
    mysql.execute(
        f"CREATE TABLE {mysql_database}.events (id INT PRIMARY KEY, user_id INT, price INT, device TEXT, clicked INT)",
        f"INSERT INTO {mysql_database}.events VALUES (1, 2, 3, 'phone', 1), (2, 2, 4, 'desk', 0)",
        f"CREATE DATABASE {state}",
        f"CREATE USER secret_source@'%' IDENTIFIED BY '{SECRETS['source']}'",
        "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO secret_source@'%'",
        f"CREATE USER secret_state@'%' IDENTIFIED BY '{SECRETS['state']}'",
        f"GRANT ALL ON {state}.* TO secret_state@'%'",
    )
    broker = {
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.login.plain.sasl.jaas.config": f'{MODULE} required user_me="{SECRETS["broker"]}";',
    }
    with PrivateKafka(broker, protocols={"LOGIN": "SASL_PLAINTEXT"}) as kafka:
        yield World(tmp_path, mysql, kafka, mysql_database)
    mysql.execute("DROP USER secret_source@'%', secret_state@'%'", f"DROP DATABASE {state}")


@pytest.mark.timeout(300)
def test_no_password_is_anywhere_after_work_and_every_kind_of_failure(world: World) -> None:
    right = Line(world.directory, world.settings(), "right")
    right.run("connect", "--until-caught-up", "--debug")
    world.server.execute(
        f"INSERT INTO {world.database}.events VALUES (3, 2, 5, 'phone', 1), (4, 2, 5, REPEAT('x', 20000), 1)"
    )
    for command in (
        ("connect", "--until-caught-up"), ("train", "--until-caught-up"), ("status", "--json"), ("doctor", "--json"),
        ("checkpoints", "--json"), ("replay", "--from", "beginning", "--verify"), ("deadletters", "list"),
    ):  # fmt: skip
        right.run(*command, "--debug", "--log-format", "json" if command[0] == "connect" else "text")
    assert right.json("status")["events"] == 3
    for name, wrong, away in (
        ("source", ("connect", "doctor"), ("connect",)), ("state", ("train", "status"), ("train",)), ("broker", ("connect", "doctor"), ()),
    ):  # fmt: skip
        world.fails(f"wrong-{name}", wrong, wrong=name)
        world.fails(f"away-{name}", away, away=name)
    for number, broken in enumerate(misread(world.settings())):
        line = Line(world.directory, broken, f"misread-{number}")
        line.run("connect", "--debug", check=False)
        assert line.returncode == 2
    written = dict(world.written())
    assert len(written) > 50
    assert {name: found for name, text in written.items() if (found := leaks(text))} == {}


def misread(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Configurations that are refused at a value which holds a password."""
    url, password = settings["source"]["url"], settings["topic"]["security"]["sasl.password"]
    mechanism = settings["topic"]["security"] | {"sasl.mechanism": password}
    yield settings | {"source": settings["source"] | {"url": url.replace("mysql://", "postgres://")}}
    yield settings | {"source": settings["source"] | {"url": f"{url}/shop?ssl_key={password}"}}
    yield settings | {"state": {"url": url}}
    yield settings | {"name": f"{password}!"}
    yield settings | {"topic": settings["topic"] | {"bootstrap": password}}
    yield settings | {"topic": settings["topic"] | {"security": {"sasl.passwort": password, "group.id": password}}}
    yield settings | {"topic": settings["topic"] | {"security": mechanism}}


def test_a_process_shows_no_password_but_in_the_environment_that_it_was_given(world: World) -> None:
    settings = world.settings()
    settings["source"]["url"] = f"mysql://secret_source:${{SOURCE_PASSWORD}}@{world.at}"
    line = Line(world.directory, settings, "given")
    environment = os.environ | {"SOURCE_PASSWORD": SECRETS["source"]}
    command = [sys.executable, "-m", "streamtrain", "connect", str(line.config), "--debug"]
    with (world.directory / "given.err").open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=errors, stderr=errors)
    try:
        until(lambda: b"connected" in (world.directory / "given.err").read_bytes(), "it is connected")
        shown = Path(f"/proc/{process.pid}")
        assert leaks((shown / "cmdline").read_bytes()) == []
        assert leaks(b" ".join(task.read_bytes() for task in shown.glob("task/*/comm"))) == []
        assert set(leaks((shown / "environ").read_bytes())) <= {"source"}  # as given; a hardened kernel shows none
        children = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout
        assert leaks(children) == []
        listed = world.server.execute("SELECT INFO, ATTR_VALUE FROM information_schema.PROCESSLIST LEFT JOIN"
                                      " performance_schema.session_connect_attrs ON ID = PROCESSLIST_ID")  # fmt: skip
        assert leaks(repr(listed).encode()) == []
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert leaks((world.directory / "given.err").read_bytes()) == []
