"""A Java runtime, and libraries from Maven's central repository with all that they depend on."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.cache import cached
from tests.servers.errors import ServerUnavailable
from tests.servers.system import require_packages, run, say

OLDEST_JAVA = 17
LOGGING = "org.slf4j:slf4j-simple:1.7.36"  # what the servers log goes to their standard error

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>streamtrain</groupId>
  <artifactId>{name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
DEPENDENCY = """\
    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"""


def java() -> str:
    """The ``java`` program, installed first if it is missing or too old."""
    if _java_version() < OLDEST_JAVA:
        require_packages("default-jre-headless", purpose=f"Kafka (Java {OLDEST_JAVA} or newer)")
    if _java_version() < OLDEST_JAVA:
        require_packages(f"openjdk-{OLDEST_JAVA}-jre-headless", purpose=f"Kafka (Java {OLDEST_JAVA} or newer)")
    if (program := shutil.which("java")) is None:
        raise ServerUnavailable("a Java runtime was installed, but there is no `java` on PATH")
    return program


def libraries(name: str, *artifacts: str) -> Path:
    """A cached folder with the jars of ``artifacts`` (``group:artifact:version``) and of all they depend on."""
    pom = POM.format(
        name=name, dependencies="\n".join(DEPENDENCY.format(*artifact.split(":")) for artifact in artifacts)
    )

    def fetch(folder: Path) -> None:
        java()
        if shutil.which("mvn") is None:
            require_packages("maven", purpose=f"fetching {name}")
        say(f"fetching {', '.join(artifacts)} ...")
        (folder / "pom.xml").write_text(pom)
        run(("mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=libs"), folder=folder)

    return cached(f"{name}-{hashlib.sha256(pom.encode()).hexdigest()[:12]}", fetch) / "libs"


def write_properties(path: Path, properties: Mapping[str, str]) -> None:
    """Write a Java properties file of plain names and values."""
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


def _java_version() -> int:
    """The major version of ``java`` on PATH; 0 if there is none."""
    if (program := shutil.which("java")) is None:
        return 0
    printed = subprocess.run((program, "-version"), capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', printed)
    return int(found.group(1)) if found else 0
