"""The connector as a user runs it, killed, frozen and started again at random; and a second one beside it now and then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from streamtrain.faults import CAPTURE_STEPS
from tests.servers.process import die_with_parent

FENCED_S = 60.0
FENCED_HINTS = ("only one connector may run with this name", "another replica reads with this server id")
"""What a connector says that ends because of a second one: the broker has fenced it, or the source, which lets one of a
server id read its log."""
RIVALRY_S = 30.0
"""How long after the end of the other one the source may still tell the survivor that there was one."""
CATCH_UP_S = 300.0
ROOT = Path(__file__).parent.parent.parent


class ConnectorEnded(Exception):
    """A connector that nobody had ended is gone."""


class Connector:
    """``streamtrain connect`` on one configuration, in processes of their own, all of whose words go to one log."""

    def __init__(self, directory: Path, config: Mapping[str, Any]) -> None:
        self._config = directory / "streamtrain.yaml"
        self._config.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        self.log = directory / "connector.log"
        self._begun = 0

    def start(self, *arguments: str, crash_at: str = "") -> subprocess.Popen[bytes]:
        """Start one. It ends with this process, and with this thread."""
        self._begun = self.log.stat().st_size if self.log.exists() else 0
        environment = {**os.environ, "STREAMTRAIN_CRASH_AT": crash_at, "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            log.write(f"-- start {' '.join(arguments)} {crash_at}\n".encode())
            log.flush()
            return subprocess.Popen(
                (*die_with_parent(), sys.executable, "-m", "streamtrain", "connect", str(self._config), *arguments),
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def captured(self) -> bool:
        """Whether any of them has said that the snapshot is complete."""
        said = self.log.read_bytes()
        return b"snapshot committed" in said or b"snapshot=False" in said

    def at_work(self) -> bool:
        """Whether the last one that was started has said that it is connected on both sides."""
        with self.log.open("rb") as log:
            log.seek(self._begun)
            return b"connected" in log.read(100_000)

    def catch_up(self) -> None:
        """Publish all that is committed. Raises ConnectorEnded if that fails or takes too long."""
        process = self.start("--until-caught-up")
        try:
            code = process.wait(CATCH_UP_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
        if code != 0:
            raise ConnectorEnded(f"connect --until-caught-up: exit {code}; {self.last_words()}")

    def said(self, since: int | None = None) -> str:
        """The log from ``since`` on, or from the start of the last one."""
        return self.log.read_bytes()[self._begun if since is None else since :].decode(errors="replace")

    def last_words(self, since: int | None = None) -> str:
        """What ended them, as far as the log tells."""
        lines = self.said(since).strip().splitlines()
        errors = [line for line in lines if line.startswith("streamtrain: ")]
        return " | ".join(errors or lines[-1:]) or "(nothing)"


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, whatever state it is in."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()


class ConnectorFaults:
    """Ends and hinders the connector until ``stop`` is set. Runs in a thread of its own.

    The first lives are short and end at named steps, so that they end within the initial snapshot.
    """

    def __init__(self, chance: random.Random, connector: Connector, calm_s: Callable[[], float]) -> None:
        self.survived: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._chance = chance
        self._connector = connector
        self._calm_s = calm_s
        self._lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._armed = ""
        self._rivalled_until = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work; a connector that ends by itself ends this too and is kept as ``failure``."""
        try:
            self._revive()
            while not self._waits(stop):
                act = self._chance.choices(self._acts, self._weights)[0]
                act(self, stop)
                self._revive()
        except BaseException as error:  # noqa: BLE001 - told by the round, which would miss a thread's end
            self.failure = error
        finally:
            if self._process is not None:
                end(self._process)

    def _revive(self) -> None:
        """Start a connector if none runs; what ended the last one must have been ours."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            if time.monotonic() < self._rivalled_until and code == 1 and _tells_of_another(self._connector.said()):
                self.survived["second connector told of late"] += 1
            elif not (self._armed and code == -signal.SIGKILL):
                raise ConnectorEnded(f"the connector ended by itself with {code}; {self._connector.last_words()}")
            else:
                self.survived[f"connector killed at {self._armed.partition(':')[0]}"] += 1
        self._lives += 1
        early = self._lives <= 2
        self._armed = ""
        if early or self._chance.random() < 0.4:
            step = self._chance.choice(CAPTURE_STEPS)
            passes = 1 if step == "capture.opened" else self._chance.choice([1, 2, 3] if early else [1, 3, 10, 40, 200])
            self._armed = f"{step}:{passes}"
        self._process = self._connector.start(crash_at=self._armed)

    def _waits(self, stop: threading.Event) -> bool:
        """Leave the connector alone for a while, mostly counted from when it is at work. Whether it is time to stop."""
        patient, calm_s = self._chance.random() < 0.8, self._chance.expovariate(1 / self._calm_s())
        ends = time.monotonic() + calm_s
        while time.monotonic() < ends:
            if patient and not self._connector.at_work():
                ends = time.monotonic() + calm_s
            if stop.wait(0.05):
                return True
            self._revive()
        return stop.is_set()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ConnectorEnded("there is no connector")
        return self._process

    # Faults

    def _kill(self, _stop: threading.Event) -> None:
        end(self._running())
        self._forget("connector killed")

    def _ask_to_end(self, _stop: threading.Event) -> None:
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(FENCED_S)
        except subprocess.TimeoutExpired:
            raise ConnectorEnded(f"the connector does not end {FENCED_S} s after SIGTERM") from None
        # Python puts its own handler in place some moments after it has started; until then SIGTERM ends it at once.
        if code not in {0, -signal.SIGTERM} and not (self._armed and code == -signal.SIGKILL):
            raise ConnectorEnded(f"asked to end, the connector ended with {code}; {self._connector.last_words()}")
        self._forget("connector asked to end")

    def _freeze(self, stop: threading.Event) -> None:
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        stop.wait(self._chance.choice([0.1, 0.5, 2.0, 6.0]))
        process.send_signal(signal.SIGCONT)
        self.survived["connector frozen"] += 1

    def _second(self, stop: threading.Event) -> None:
        """A second connector takes over while the first is frozen or still at work; one of them has to give in."""
        if self._armed:  # it may die at its step and not of the other
            self._kill(stop)
            return
        first, begun = self._running(), self._connector.log.stat().st_size
        frozen = self._chance.random() < 0.6
        if frozen:
            first.send_signal(signal.SIGSTOP)
        second = self._connector.start()
        stop.wait(self._chance.choice([0.5, 2.0, 4.0]))
        first.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + FENCED_S
        while first.poll() is None and second.poll() is None and time.monotonic() < deadline and not stop.wait(0.05):
            pass
        stop.wait(1.0)
        for process in (first, second):
            self._require_fenced(process, begun)
        survivor, other = (first, second) if second.poll() is not None else (second, first)
        end(other)
        self._rivalled_until = time.monotonic() + RIVALRY_S
        self._process = survivor if survivor.poll() is None else None
        self.survived["second connector" + (" beside a frozen one" if frozen else "")] += 1

    def _require_fenced(self, process: subprocess.Popen[bytes], begun: int) -> None:
        """Of two, a connector may only have ended by its armed step, or saying that another took over."""
        code = process.poll()
        if code in {None, -signal.SIGKILL}:
            return
        if code != 1 or not _tells_of_another(self._connector.said(begun)):
            raise ConnectorEnded(f"one of two connectors ended with {code}; {self._connector.last_words(begun)}")

    def _forget(self, what: str) -> None:
        self._process = None
        self.survived[what] += 1

    _acts = (_kill, _ask_to_end, _freeze, _second)
    _weights = (5, 1, 2, 1.5)


def _tells_of_another(said: str) -> bool:
    return any(hint in said for hint in FENCED_HINTS)
