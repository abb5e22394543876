"""The operator: asks for tables to be read again while all goes on, pauses that, has it go on and calls it off.

The signals are Debezium's, sent to ``PREFIX-signal`` with Kafka's own client.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaException, Producer

from tests.chaos.acting import Actor
from tests.chaos.history import History, Reading
from tests.servers import PrivateKafka

ANSWER_S = 20.0
LAST_S = 120.0
MOST_READINGS = 8
"""Fourteen of them once made two million records, for which the checker took 11 GB."""
_KINDS = {"execute-snapshot": 5, "pause-snapshot": 2, "resume-snapshot": 3, "stop-snapshot": 0.7}


class Targets(Protocol):
    """What can be read again."""

    @property
    def captured(self) -> threading.Event:
        """The initial snapshot is captured."""

    @property
    def everything(self) -> str:
        """The pattern of all full names."""

    @property
    def journal(self) -> str:
        """The journal's full name."""

    @property
    def condition(self) -> tuple[str, str]:
        """A pattern of tables, not the journal, and a condition of their rows."""

    def homes(self) -> Mapping[str, int]:
        """Home of each full name that is captured now; 0 is the journal's."""


class Operator(Actor):
    """Sends a signal now and then, once the initial snapshot is captured. Runs in a thread of its own."""

    name = "operator"

    def __init__(
        self,
        chance: random.Random,
        broker: PrivateKafka,
        prefix: str,
        targets: Targets,
        history: History,
        pause_s: float,
    ) -> None:
        super().__init__(chance, pause_s)
        self._broker = broker
        self._prefix = prefix
        self._targets = targets
        self._history = history
        self._sent = 0
        self._producer: Producer | None = None

    def finish(self) -> None:
        """Have everything go on that is paused. Raises TimeoutError if the broker does not take that."""
        deadline = time.monotonic() + LAST_S
        while not self._send("resume-snapshot", []):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the broker takes no signal for {LAST_S} s")

    def turn(self) -> None:
        """One signal."""
        if not self._targets.captured.is_set():
            return
        kind = self._chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        if kind == "execute-snapshot":
            if len(self._history.readings) < MOST_READINGS:
                self._start()
            return
        patterns = []
        if kind == "stop-snapshot":
            for reading in self._history.readings:
                reading.stopped = True
            patterns = self._chance.choice([[], [self._targets.everything], self._some()])
        if self._send(kind, patterns):
            self._history.count(kind)

    def _start(self) -> None:
        everything, journal = [self._targets.everything], [re.escape(self._targets.journal)]
        patterns = self._chance.choice([everything, self._some(), journal])
        where = self._chance.choice([None, None, None, self._targets.condition[1]])
        if where is not None and patterns == journal:
            where = None
        meant = {
            name: home
            for name, home in self._targets.homes().items()
            if any(re.fullmatch(pattern, name) for pattern in patterns)
        }
        named = patterns != everything
        reading = Reading(int(time.time() * 1000), frozenset(patterns), frozenset(meant.values()), named=named)
        reading.whole = where is None
        self._history.readings.append(reading)
        if self._send("execute-snapshot", patterns, where):
            reading.certain = True
            self._history.count("execute-snapshot")

    def _some(self) -> list[str]:
        names = sorted(name for name, home in self._targets.homes().items() if home)
        chosen = self._chance.sample(names, min(len(names), self._chance.randint(1, 2)))
        return [re.escape(name) for name in chosen]

    def _send(self, kind: str, patterns: list[str], where: str | None = None) -> bool:
        """Whether the broker has it for certain."""
        self._sent += 1
        data = {"type": "incremental", "data-collections": patterns}
        if where is not None:
            # The journal has no such column.
            data["additional-conditions"] = [
                {"data-collection": self._targets.condition[0], "filter": where} for _ in patterns[:1]
            ]  # fmt: skip
        value = json.dumps({"id": f"{kind}-{self._sent}", "type": kind, "data": data})
        answers = list[bool]()
        if self._producer is None:
            timeout_ms = int(ANSWER_S * 1000)
            self._producer = Producer(
                {"bootstrap.servers": self._broker.bootstrap, "enable.idempotence": True, "log_level": 0,
                 "delivery.timeout.ms": timeout_ms}
            )  # fmt: skip
        with suppress(KafkaException):
            self._producer.produce(
                f"{self._prefix}-signal",
                value,
                self._prefix,
                on_delivery=lambda error, _: answers.append(error is None),
            )
            self._producer.flush(ANSWER_S)
        if answers != [True]:
            self._producer = None
        return answers == [True]
