"""streamtrain as its user runs it: a configuration file, and commands as processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import orjson

from benchmarks import orders
from benchmarks.errors import BenchmarkFailed
from benchmarks.orders import Orders
from tests.servers import Broker
from tests.servers.process import Process

ROOT = Path(__file__).resolve().parent.parent
POLL_S = 0.01
COMMAND_S = 1200.0


def write_config(
    folder: Path, table: Orders, broker: Broker, prefix: str, model: str = "logistic", *, snapshot: str = "no_data"
) -> Path:
    """The path of a configuration over ``table``, with its state in ``folder``; all that is not named has its default."""
    source = {
        "kind": "mysql",
        "url": table.server.url,
        "tls": {"mode": "disabled"},  # as Debezium's
        "include": [table.full_name],
        "snapshot": snapshot,
    }
    examples = {"from": table.full_name, "label": orders.LABEL, "features": orders.FEATURES}
    return write(folder, source, examples, broker, prefix, model=model)


def write(
    folder: Path,
    source: Mapping[str, object],
    examples: Mapping[str, object],
    broker: Broker,
    prefix: str,
    *,
    model: str = "logistic",
) -> Path:
    """The same over any source."""
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "name": prefix,
        "source": source,
        "topic": {"kind": "kafka", "bootstrap": broker.bootstrap, "prefix": prefix},
        "state": {"url": "sqlite:///state.db"},
        "examples": examples,
        "model": {"kind": model},
    }
    path = folder / "streamtrain.yaml"
    path.write_bytes(orjson.dumps(config))  # JSON is YAML
    return path


def run(command: str, config: Path) -> None:
    """Run one command to the end of the log as it stands. Raises BenchmarkFailed if it fails."""
    words = (sys.executable, "-m", "streamtrain", command, str(config), "--until-caught-up")
    done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    if done.returncode != 0:
        raise BenchmarkFailed(f"streamtrain {command}: exit {done.returncode}\n{done.stderr[-2000:]}")


class Running:
    """A Python module that runs as a process of its own, with its output in a log file."""

    def __init__(self, folder: Path, module: str, *arguments: str) -> None:
        self.log = folder / f"{module}-{time.monotonic_ns()}.log"
        self._process = Process((sys.executable, "-m", module, *arguments), log=self.log, folder=ROOT)
        self._process.start()
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate(60)

    def ended(self) -> bool:
        return not self._process.running()

    def wait_for_text(self, text: str, timeout_s: float) -> None:
        """Return once the log holds ``text``. Raises BenchmarkFailed if the process ends, or does not write it in time."""
        self.wait_until(lambda: text in self.log.read_text(errors="replace"), f"it says {text!r}", timeout_s)

    def wait_for_end(self, timeout_s: float) -> None:
        """Return once the process has ended. Raises BenchmarkFailed if it does not in time."""
        until(self.ended, timeout_s, lambda: f"it has not ended after {timeout_s:.0f} s: {self.last_words()}")

    def wait_until(self, done: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Return once ``done()`` holds. Raises BenchmarkFailed if the process ends before, or after ``timeout_s``."""

        def decided() -> bool:
            if done():
                return True
            if self.ended() and not done():
                raise BenchmarkFailed(f"it ended before {what}: {self.last_words()}")
            return False

        until(decided, timeout_s, lambda: f"not within {timeout_s:.0f} s: {what}: {self.last_words()}")

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


def until(done: Callable[[], bool], timeout_s: float, failure: Callable[[], str]) -> None:
    """Return once ``done()`` holds, asking often. Raises BenchmarkFailed with ``failure()`` after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise BenchmarkFailed(failure())
        time.sleep(POLL_S)
