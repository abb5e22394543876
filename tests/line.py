"""The whole line as a user runs it: a configuration file, and commands as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from streamtrain.topic.base import TopicPartition, TopicReader


@dataclass(frozen=True)
class Published:
    """One record of a topic, as far as a history is compared: offsets and clocks differ between runs."""

    op: str | None
    key: Any
    before: Any
    after: Any


class Line:
    """One configuration, and the commands on it."""

    def __init__(self, directory: Path, config: Mapping[str, Any], name: str = "streamtrain") -> None:
        self.directory = directory
        self.config = directory / f"{name}.yaml"
        self.config.write_text(yaml.safe_dump(dict(config), sort_keys=False))

    def run(self, command: str, *arguments: str, crash_at: str | None = None, check: bool = True) -> str:
        """Run one command to its end; its standard output. ``crash_at`` expects the process to die there by SIGKILL."""
        done = subprocess.run(self._words(command, *arguments), env=self._environment(crash_at), capture_output=True,
                              text=True, timeout=240, check=False)  # fmt: skip
        if crash_at is not None:
            assert done.returncode in {0, -signal.SIGKILL}, done.stderr
            self.crashed = done.returncode == -signal.SIGKILL
        elif check:
            assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        self.stderr, self.returncode = done.stderr, done.returncode
        return done.stdout

    def json(self, command: str, *arguments: str) -> Any:
        return json.loads(self.run(command, *arguments, "--json"))

    @contextmanager
    def running(self, command: str, *arguments: str, crash_at: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """The command as a process that goes on; ended by SIGTERM after the block if it still runs."""
        log = (self.directory / f"{command}-{os.urandom(3).hex()}.log").open("w+")
        with log, subprocess.Popen(self._words(command, *arguments), env=self._environment(crash_at), stdout=log,
                                   stderr=log, text=True) as process:  # fmt: skip
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise

    def _words(self, command: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "streamtrain", command, str(self.config), *arguments]

    def _environment(self, crash_at: str | None) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name != "STREAMTRAIN_CRASH_AT"}
        return environment | ({"STREAMTRAIN_CRASH_AT": crash_at} if crash_at else {})


def published(reader: TopicReader, topic: str) -> list[Published]:
    """All committed records of a topic with one partition, in order."""
    source = TopicPartition(topic, 0)
    marks = reader.watermarks(source)
    reader.assign({source: marks.low})
    found, position = [], marks.low
    while position < marks.high:
        for records in reader.poll(10_000, 1.0):
            position = records.next_offset
            found += [_published(key, value) for key, value in zip(records.keys, records.values, strict=True)]
    return found


def _published(key: bytes | None, value: bytes | None) -> Published:
    document = {} if value is None else orjson.loads(value)
    return Published(document.get("op"), None if key is None else orjson.loads(key), document.get("before"),
                     document.get("after"))  # fmt: skip
