"""Servers killed, frozen and restarted at random."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tests.servers import PrivateKafka
from tests.servers.server import PrivateServer

Act = Callable[[threading.Event], None]


class ServerFaults:
    """Does one thing after another to a server until ``stop`` is set, and leaves it running and answering.

    The server ends with the thread that starts it: ``run`` starts it, says ``started``, and returns after ``over`` is set.
    """

    def __init__(
        self,
        chance: random.Random,
        server: AbstractContextManager[Any],
        acts: Sequence[tuple[float, str, Act]],
        calm_s: Callable[[], float],
    ) -> None:
        self.survived: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self.started, self.healed, self.over = threading.Event(), threading.Event(), threading.Event()
        self._chance = chance
        self._server = server
        self._acts = acts
        self._calm_s = calm_s

    def run(self, begin: threading.Event, stop: threading.Event) -> None:
        """The server's whole life; what was not foreseen is kept as ``failure``."""
        try:
            with self._server:
                self.started.set()
                begin.wait()
                while not stop.wait(self._chance.expovariate(1 / self._calm_s())):
                    _, what, act = self._chance.choices(self._acts, [weight for weight, _, _ in self._acts])[0]
                    act(stop)
                    self.survived[what] += 1
                self.healed.set()
                self.over.wait()
        except BaseException as error:  # noqa: BLE001 - told by the round, which would miss a thread's end
            self.failure = error
        finally:
            self.started.set()
            self.healed.set()


def freeze(server: PrivateServer, seconds: float, stop: threading.Event) -> None:
    """Stop the process for so long, as a machine that swaps or migrates would."""
    server.pause()
    stop.wait(seconds)
    server.resume()


def broker_acts(kafka: PrivateKafka, chance: random.Random) -> list[tuple[float, str, Act]]:
    """What happens to the broker, with its weight and name."""

    def kill(_stop: threading.Event) -> None:
        kafka.kill()
        kafka.start()

    return [
        (2, "broker killed", kill),
        (1, "broker restarted", lambda _stop: kafka.restart()),
        (2, "broker frozen", lambda stop: freeze(kafka, chance.choice([0.2, 1.0, 4.0]), stop)),
    ]
