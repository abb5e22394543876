"""Those who work on the source while everything is killed."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod


class Actor(ABC):
    """Does something now and then, ``pause_s`` apart on average, until it is told to stop. Runs in a thread of its own."""

    name: str

    def __init__(self, chance: random.Random, pause_s: float) -> None:
        self.failure: BaseException | None = None
        """What ended it, if it was not foreseen."""
        self._chance = chance
        self._pause_s = pause_s

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; what was not foreseen ends this actor and is kept as ``failure``."""
        try:
            while not stop.wait(self._chance.expovariate(1 / self._pause_s)):
                self.turn()
        except BaseException as error:  # noqa: BLE001 - told by the round, which would miss a thread's end
            self.failure = error

    @abstractmethod
    def turn(self) -> None:
        """Do one thing, if it is time for it."""
