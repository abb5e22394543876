"""A private Apicurio Registry 3.0, which speaks Confluent's REST API too; it keeps everything in memory."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.cache import cached
from tests.servers.instances import InstanceFolder
from tests.servers.java import java
from tests.servers.ports import free_port
from tests.servers.process import Process
from tests.servers.server import PrivateServer
from tests.servers.system import run, say

VERSION = "3.0.9"
URL = f"https://repo1.maven.org/maven2/io/apicurio/apicurio-registry-app/{VERSION}/apicurio-registry-app-{VERSION}-all.tar.gz"
JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
ANSWER_S = 2.0


class PrivateApicurio(PrivateServer):
    """A registry of our own."""

    name = "apicurio"
    variable = "SCHEMA_REGISTRY_URL"

    def __init__(self) -> None:
        program, port = _program(), free_port()
        folder = InstanceFolder(self.name)
        log = folder.path / "registry.log"
        settings = (f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1")
        command = (java(), *JVM, *settings, "-cp", f"{program}/*:{program}/lib/*", "io.quarkus.runner.GeneratedMain")
        super().__init__(Process(command, log=log, folder=folder.path), folder, port=port, log_path=log)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"

    @classmethod
    def fetch(cls) -> None:
        """Bring it into the cache."""
        _program()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=ANSWER_S) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False


def _program() -> Path:
    def fetch(folder: Path) -> None:
        say(f"fetching Apicurio Registry {VERSION} ...")
        archive = folder / "registry.tar.gz"
        urllib.request.urlretrieve(URL, archive)
        run(("tar", "xzf", archive.name), folder=folder)
        archive.unlink()

    return cached(f"apicurio-{VERSION}", fetch)
