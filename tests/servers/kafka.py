"""A private Kafka 4.3: one node that is broker and controller (KRaft)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.servers import docker
from tests.servers.cache import cached
from tests.servers.errors import ServerUnavailable
from tests.servers.instances import InstanceFolder
from tests.servers.java import LOGGING, java, libraries, write_properties
from tests.servers.kafka_process import KafkaProcess
from tests.servers.ports import free_port
from tests.servers.server import PrivateServer
from tests.servers.system import run, say

VERSION = "4.3.0"
IMAGE = f"apache/kafka:{VERSION}"
ARTIFACTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", LOGGING)
CLUSTER_ID = "c3RyZWFtdHJhaW4tdGVzdA"
JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC")
# Compiles quickly rather than well: a third less processor time for the minutes that a test's broker lives.
SHORT_LIVED_JVM = (*JVM, "-XX:TieredStopAtLevel=1")
ANSWER_S = 1.0

Command = tuple[str, ...]

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a new topic
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # After a crash the controller waits this long before it takes the node's new incarnation for the old one's successor.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}


class Broker:
    """A Kafka broker as its clients see it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def admin(self) -> AdminClient:
        """A client for topics and settings."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def answers(self) -> bool:
        """Whether it serves a client now."""
        try:
            return bool(self.admin().list_topics(timeout=ANSWER_S).brokers)
        except KafkaException:
            return False


class PrivateKafka(Broker, PrivateServer):
    """A Kafka of our own. ``settings`` are further broker settings and win over the usual ones.

    ``protocols`` are further listeners by name, each with its security protocol; ``bootstraps`` says where they listen.
    ``jvm`` are the options of its virtual machine; a benchmark takes ``JVM``.
    """

    name = "kafka"
    variable = "KAFKA_BOOTSTRAP"

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        jvm: Command = SHORT_LIVED_JVM,
        protocols: Mapping[str, str] | None = None,
    ) -> None:
        self.fetch()
        port, controller = free_port(), free_port()
        further = {name: f"127.0.0.1:{free_port()}" for name in protocols or {}}
        self.bootstraps = {"PLAINTEXT": f"127.0.0.1:{port}"} | further
        served = ",".join(f"{name}://{where}" for name, where in self.bootstraps.items())
        own = {
            "listeners": f"{served},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": served,
            "listener.security.protocol.map": ",".join(
                (
                    SETTINGS["listener.security.protocol.map"],
                    *(f"{name}:{each}" for name, each in (protocols or {}).items()),
                )
            ),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        }
        folder = InstanceFolder(self.name)
        log = folder.path / "server.log"
        runner = _runner(SETTINGS | own | dict(settings or {}), jvm, port=port, log=log)
        PrivateServer.__init__(self, runner, folder, port=port, log_path=log)
        Broker.__init__(self, f"127.0.0.1:{port}")

    @classmethod
    def fetch(cls) -> None:
        """Bring all that a start needs into the cache; raises ServerUnavailable if the server cannot be had."""
        if jars := _jars():
            _template(jars)
        else:
            docker.pull(IMAGE)


def _jars() -> Path | None:
    """Kafka's libraries, with a Java to run them; None if a container has to stand in."""
    try:
        java()
        return libraries("kafka", *ARTIFACTS)
    except ServerUnavailable as missing:
        docker.require_engine(missing, PrivateKafka.variable)
        return None


def _program(jars: Path, jvm: Command = JVM) -> Command:
    return (java(), *jvm, "-cp", f"{jars}/*")


def _runner(settings: dict[str, str], jvm: Command, *, port: int, log: Path) -> KafkaProcess | docker.Container:
    if (jars := _jars()) is None:
        return docker.Container(_image(port, settings), port=port, log=log)
    data = log.parent / "data"
    shutil.copytree(_template(jars), data)
    return KafkaProcess(_program(jars, jvm), settings | {"log.dirs": str(data)}, log=log)


def _image(port: int, settings: dict[str, str]) -> docker.Image:
    """The official image, whose settings are variables, listening on all of the container's addresses."""
    listeners = settings["listeners"].replace("PLAINTEXT://127.0.0.1", "PLAINTEXT://0.0.0.0")
    variables = {
        f"KAFKA_{name.upper().replace('.', '_')}": value
        for name, value in (settings | {"listeners": listeners}).items()
    }
    return docker.Image(IMAGE, port, variables | {"CLUSTER_ID": CLUSTER_ID})


def _template(jars: Path) -> Path:
    """A formatted data directory to copy; the ports in its making do not matter."""

    def form(folder: Path) -> None:
        say("formatting a data directory of kafka ...")
        properties = folder.with_suffix(".properties")
        own = {
            "listeners": "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2",
            "controller.quorum.voters": "1@127.0.0.1:2",
            "log.dirs": str(folder),
        }
        write_properties(properties, SETTINGS | own)
        try:
            run((*_program(jars), "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties))
        finally:
            properties.unlink()

    return cached(f"kafka-{VERSION}-data", form)
