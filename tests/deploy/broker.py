"""A private broker made from the kafka service's variables, by the program that the image itself does it with."""

from __future__ import annotations

from pathlib import Path

from tests.deploy import compose
from tests.servers.instances import InstanceFolder
from tests.servers.java import java, libraries
from tests.servers.kafka import ARTIFACTS, JVM, Broker
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.server import PrivateServer
from tests.servers.system import run

SERVICE = compose.services()["kafka"]
ENVIRONMENT = {name: str(value) for name, value in SERVICE["environment"].items()}
# Read by the image's scripts; all the other KAFKA_ variables become settings of the broker.
FOR_SCRIPTS = {"KAFKA_HEAP_OPTS"}
HOST_NAME = "kafka"


class ComposedKafka(Broker, PrivateServer):
    """A broker set up by the image's KafkaDockerWrapper from the service's variables, with free ports and its own folder."""

    name = "kafka"

    def __init__(self) -> None:
        jars = libraries("kafka", *ARTIFACTS)
        folder = InstanceFolder(self.name)
        self.internal, self.host, self.controller = free_port(), free_port(), free_port()
        self.data = folder.path / "data"
        self.program = (java(), *JVM, "-cp", f"{jars}/*")
        final = _set_up(self.program, folder.path, self.moved(ENVIRONMENT))
        log = folder.path / "server.log"
        process = Process((*self.program, "kafka.Kafka", str(final)), log=log, folder=folder.path)
        PrivateServer.__init__(self, process, folder, port=self.host, log_path=log)
        Broker.__init__(self, f"127.0.0.1:{self.host}")

    def moved(self, environ: dict[str, str]) -> dict[str, str]:
        """``environ`` with the container's ports, host name and folder replaced by ours."""
        places = {
            f"INTERNAL://{HOST_NAME}:9092": f"INTERNAL://127.0.0.1:{self.internal}",
            "HOST://127.0.0.1:9092": f"HOST://127.0.0.1:{self.host}",
            "INTERNAL://:9092": f"INTERNAL://127.0.0.1:{self.internal}",
            "HOST://:29092": f"HOST://127.0.0.1:{self.host}",
            "localhost:9093": f"localhost:{self.controller}",
            "/var/lib/kafka/data": str(self.data),
        }
        moved = {}
        for name, value in environ.items():
            for old, new in places.items():
                value = value.replace(old, new)  # noqa: PLW2901 (each place is replaced in turn)
            moved[name] = value
        return moved


def _set_up(program: tuple[str, ...], folder: Path, environ: dict[str, str]) -> Path:
    """What the image's entrypoint does: write server.properties from the variables and format the log folder."""
    folders = {name: folder / name for name in ("default", "mounted", "final")}
    for path in folders.values():
        path.mkdir()
    options = [word for name, path in folders.items() for word in (f"--{name}-configs-dir", str(path))]
    setup = ("env", "--ignore-environment", *(f"{name}={value}" for name, value in environ.items()), *program)
    run((*setup, "kafka.docker.KafkaDockerWrapper", "setup", *options))
    return folders["final"] / "server.properties"
