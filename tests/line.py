"""The whole line as a user runs it: a configuration file, and commands as real processes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import orjson
import yaml

from streamtrain.topic.base import TopicPartition, TopicReader
from tests.processes import start


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
        self.crashed = False
        self.returncode: int | None = None
        self.stderr = ""

    def run(self, command: str, *arguments: str, crash_at: str | None = None, check: bool = True) -> str:
        """Run one command to its end; its standard output. With ``crash_at`` it may die there by SIGKILL."""
        output, errors = self._files(command)
        process = start([command, str(self.config), *arguments], output, errors, crash_at)
        process.join(240)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"{command} does not end\n{errors.read_text()}")
        self.returncode, self.stderr = process.exitcode, errors.read_text()
        self.crashed = process.exitcode == -signal.SIGKILL
        if check and not (crash_at is not None and self.crashed):
            said = f"{output.read_text()}\n{self.stderr}"
            assert process.exitcode == 0, f"{command}: exit {process.exitcode}\n{said}"
        return output.read_text()

    def json(self, command: str, *arguments: str) -> Any:
        return json.loads(self.run(command, *arguments, "--json"))

    def json_of_failed_status(self) -> Any:
        """The status of a run of which a component has failed."""
        text = self.run("status", "--json", check=False)
        assert self.returncode == 1
        return json.loads(text)

    def start(self, command: str, *arguments: str) -> ForkServerProcess:
        """Start a command that goes on; the caller ends it."""
        return start([command, str(self.config), *arguments], *self._files(command))

    @contextmanager
    def running(self, command: str, *arguments: str) -> Iterator[ForkServerProcess]:
        """The command as a process that goes on; ended by SIGTERM after the block if it still runs."""
        process = self.start(command, *arguments)
        try:
            yield process
        finally:
            process.terminate()
            process.join(60)
            if process.exitcode is None:
                process.kill()

    def _files(self, command: str) -> tuple[Path, Path]:
        name = f"{self.config.stem}-{command}-{os.urandom(3).hex()}"
        output, errors = self.directory / f"{name}.out", self.directory / f"{name}.err"
        output.touch()
        errors.touch()
        return output, errors


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


def content(reader: TopicReader, source: TopicPartition) -> bytes:
    """All keys and values of a partition's committed records, with a line break between two."""
    marks = reader.watermarks(source)
    reader.assign({source: marks.low})
    found, position = list[bytes](), marks.low
    while position < marks.high:
        for records in reader.poll(10_000, 1.0):
            found += [each or b"" for each in (*records.keys, *records.values)]
            position = records.next_offset
    return b"\n".join(found)


def _published(key: bytes | None, value: bytes | None) -> Published:
    document = {} if value is None else orjson.loads(value)
    return Published(document.get("op"), None if key is None else orjson.loads(key), document.get("before"),
                     document.get("after"))  # fmt: skip
