"""The machine and the versions of everything that a figure depends on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import confluent_kafka

from streamtrain import __version__
from tests.servers import Database, debezium, kafka

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("numpy", "torch", "confluent-kafka", "orjson", "PyMySQL", "pymongo", "SQLAlchemy", "xxhash")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, kernel, and how busy it is now."""
    processor = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "load_average_1_min": round(os.getloadavg()[0], 2),
    }


def versions(server: Database | None = None) -> dict[str, str]:
    """Of this project, its libraries and, where ``server`` is given, the servers."""
    found = {"streamtrain": f"{__version__} ({_revision()})", "python": platform.python_version()}
    found |= {name: version(name) for name in LIBRARIES} | {"librdkafka": confluent_kafka.libversion()[0]}
    if server is not None:
        found |= {
            "MySQL": str(server.execute("SELECT VERSION()")[0][0]),
            "Kafka and Kafka Connect": kafka.VERSION,
            "Debezium": debezium.VERSION,
            "Java": _java(),
        }
    return found


def _revision() -> str:
    """The commit that is checked out, and whether anything differs from it."""
    head = _output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{head} with changes" if head and changed else head or "not a checkout"


def _java() -> str:
    found = re.search(r'version "([^"]+)"', _output("java", "-version"))
    return found[1] if found else "unknown"


def _output(*command: str) -> str:
    """What the command prints, on either stream; nothing if it fails or is not there."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
