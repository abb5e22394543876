"""What happens to a MongoDB that changes are captured from."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from typing import Any

from pymongo.errors import PyMongoError

from tests.chaos.servers import Act, freeze
from tests.servers.private_mongo import NamedMongo, PrivateMongo, administer

RESUMABLE = (6, 8, 43, 50, 63, 91, 112, 133, 189, 234, 251, 262, 10107, 11600, 13388)
"""Codes in the recordings that a stream goes on after. A server gives 40671 where it is told to give 13388."""
LOST = (9, 136, 260, 280, 286, 40647, 50811)
"""Codes in the recordings that say that the position is lost."""
STOPPING = (13, 10334, 40573, 51770)
"""Codes in the recordings that capture stops at: a role, a replica set or an image is missing, or an event cannot be sent."""
COMMANDS = ["getMore", "aggregate", "find", "ping", "listCollections", "killCursors"]
CONNECTOR = "streamtrain"
"""What the connector's connections call themselves."""
PATIENCE_S = 60.0


class SourceActs:
    """Elections, dead cursors and connections, errors, lost logs."""

    def __init__(self, server: PrivateMongo | NamedMongo, chance: random.Random, *, reads_again: bool) -> None:
        self._server = server
        self._chance = chance
        self._reads_again = reads_again

    def all(self) -> list[tuple[float, str, Act]]:
        """Each with its weight and name."""
        acts: list[tuple[float, str, Act]] = [
            (3, "election", self._elect),
            (4, "cursors killed", self._kill_cursors),
            (8, "error code", self._fail),
            (2, "connector hung up on", lambda _stop: self._failpoint({"closeConnection": True})),
            (1, "source slow", self._slow),
        ]
        server = self._server
        if isinstance(server, PrivateMongo):
            seconds = [0.2, 1.0, 3.0]
            acts.append((2, "source frozen", lambda stop: freeze(server, self._chance.choice(seconds), stop)))
        if isinstance(server, PrivateMongo) and server.durable:
            acts += [
                (1, "source killed", lambda _stop: _kill(server)),
                (0.5, "source restarted", lambda _stop: server.restart()),
            ]
        if not server.real:
            acts += [(3, "connections killed", self._hang_up)]
            acts += [(2, "majority held", self._hold_majority)]
        if self._reads_again:
            acts += [(0.7, "position lost by its code", self._lose)]
            acts += [] if server.real else [(1, "log rolled", lambda _stop: self.roll())]
        return acts

    def administer(self, command: dict[str, Any]) -> bool:
        """Whether it was answered."""
        with suppress(PyMongoError):
            administer(self._server.url, command)
            return True
        return False

    def roll(self) -> None:
        """Everything is gone from the log that is there now."""
        self.administer({"standIn": "rollOplog", "keep": self._chance.choice([0, 0, 3, 50])})

    def heal(self) -> None:
        """Switch off what would go on."""
        self.administer({"configureFailPoint": "failCommand", "mode": "off"})

    def stop_capture(self) -> int:
        """Have each stream answered with a code that stops capture until ``heal``; the code."""
        code = self._chance.choice(STOPPING)
        data = {"failCommands": ["aggregate", "getMore"], "appName": CONNECTOR, "errorCode": code}
        self.administer({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        return code

    def _kill_cursors(self, _stop: threading.Event) -> None:
        self.administer({"killAllSessions": []})

    def _hang_up(self, _stop: threading.Event) -> None:
        self.administer({"standIn": "killConnections"})

    def _elect(self, stop: threading.Event) -> None:
        self.administer({"replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 0, "force": True})
        stop.wait(self._chance.choice([0.0, 0.3, 2.0]))
        deadline = time.monotonic() + PATIENCE_S
        while not self.administer({"replSetStepUp": 1}) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _hold_majority(self, stop: threading.Event) -> None:
        self.administer({"standIn": "holdMajority"})
        stop.wait(self._chance.choice([0.3, 1.0, 3.0]))
        deadline = time.monotonic() + PATIENCE_S
        while not self.administer({"standIn": "releaseMajority"}) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _fail(self, _stop: threading.Event) -> None:
        self._failpoint({"errorCode": self._chance.choice(RESUMABLE)})

    def _slow(self, _stop: threading.Event) -> None:
        self._failpoint({"blockConnection": True, "blockTimeMS": self._chance.choice([50, 500, 2_000])})

    def _lose(self, _stop: threading.Event) -> None:
        lost = {"errorCode": self._chance.choice(LOST)}
        self._failpoint({**lost, "failCommands": ["getMore"]}, times=1)

    def _failpoint(self, data: dict[str, Any], times: int = 0) -> None:
        commands = [self._chance.choice(COMMANDS)] if self._chance.random() < 0.5 else COMMANDS[:3]
        mode = {"times": times or self._chance.choice([1, 1, 2, 5])}
        data = {"failCommands": commands, "appName": CONNECTOR, **data}
        self.administer({"configureFailPoint": "failCommand", "mode": mode, "data": data})


def _kill(server: PrivateMongo) -> None:
    server.kill()
    server.start()
