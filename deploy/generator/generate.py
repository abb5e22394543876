"""Keeps ``shop.events`` busy: rows arrive without their label, are answered, corrected and deleted.

What is clicked follows ``click_probability``, so there is something to learn: a model that knew it would reach an AUC of
about 0.80. Configured by environment: MYSQL_HOST, MYSQL_PORT (3306), MYSQL_USER, MYSQL_PASSWORD, RATE (rows written per
second, 20), LIMIT (rows after which to end, 0 for never), KEEP (answered rows to keep, 50000) and SEED (none: each run
differs).
"""

from __future__ import annotations

import logging
import math
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pymysql

CATEGORIES = {"books": 0.5, "games": 1.2, "garden": -1.0, "music": 0.2, "tools": -0.6}
DEVICES = {"phone": 0.7, "tablet": 0.0, "desktop": -0.5}
USERS = 2_000
CENT = Decimal("0.01")
# Shares of the writes: inserts, answers, corrections, deletes. The table grows until it holds KEEP answered rows.
SHARES = (0.40, 0.45, 0.05, 0.10)
WAITING = 50  # an answer comes after that many more rows were shown
RECENT = 500  # a correction hits one of that many rows answered last
BATCHES_PER_S = 20
REPORT_EVERY_S = 10.0

log = logging.getLogger("generator")


class Write(Enum):
    """The kinds of row that are written."""

    INSERT = "inserted"
    ANSWER = "answered"
    CORRECT = "corrected"
    DELETE = "deleted"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says."""

    host: str
    port: int
    user: str
    password: str
    rate: float
    limit: int
    keep: int
    seed: int | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Raises SystemExit with exit code 2 if a variable is missing or is no number of the right size."""
        try:
            settings = cls(
                host=environ["MYSQL_HOST"],
                port=int(environ.get("MYSQL_PORT", "3306")),
                user=environ["MYSQL_USER"],
                password=environ["MYSQL_PASSWORD"],
                rate=float(environ.get("RATE", "20")),
                limit=int(environ.get("LIMIT", "0")),
                keep=int(environ.get("KEEP", "50000")),
                seed=int(environ["SEED"]) if environ.get("SEED") else None,
            )
        except KeyError as missing:
            raise _wrong_usage(f"the environment variable {missing.args[0]} is not set") from missing
        except ValueError as error:
            raise _wrong_usage(f"a number is expected: {error}") from error
        if not (0 < settings.rate < math.inf and settings.limit >= 0 and settings.keep > 0):
            raise _wrong_usage("RATE and KEEP must be above 0, LIMIT at least 0")
        return settings


@dataclass(frozen=True, slots=True)
class Event:
    """What was shown to whom, before anyone knows whether it is clicked."""

    user_id: int
    category: str
    device: str
    price: Decimal
    member: bool


def draw_event(rng: random.Random) -> Event:
    """An event at random: few users come often, most come seldom; prices lie around 20."""
    return Event(
        user_id=min(int(rng.paretovariate(0.7)), USERS),
        category=rng.choice(tuple(CATEGORIES)),
        device=rng.choice(tuple(DEVICES)),
        price=Decimal(rng.lognormvariate(3.0, 0.8)).quantize(CENT),
        member=rng.random() < 0.3,
    )


def click_probability(event: Event) -> float:
    """The truth that a model is to find: log-odds that are linear in category, device, log price, membership and user."""
    taste = math.sin(event.user_id * 12.9898)  # fixed per user, and as good as random
    cheapness = 3.0 - math.log(float(event.price) + 1.0)
    log_odds = CATEGORIES[event.category] + DEVICES[event.device] + cheapness + 0.6 * event.member + taste - 0.5
    return 1.0 / (1.0 + math.exp(-log_odds))


class Shop:
    """Makes one write after another, through one connection. The caller commits."""

    def __init__(self, connection: Any, rng: random.Random, keep: int, now: Callable[[], datetime]) -> None:
        self._cursor = connection.cursor()
        self._rng = rng
        self._keep = keep
        self._now = now
        self._answered: deque[int] = deque()
        self._unanswered: deque[tuple[int, bool]] = deque()
        self._writers = {
            Write.INSERT: self._insert,
            Write.ANSWER: self._answer,
            Write.CORRECT: self._correct,
            Write.DELETE: self._delete,
        }

    def open(self) -> None:
        """Take over the rows that an earlier run left."""
        self._cursor.execute(
            "SELECT id, user_id, category, device, price, member, clicked FROM shop.events ORDER BY id"
        )
        for row_id, user_id, category, device, price, member, clicked in self._cursor.fetchall():
            if clicked is not None:
                self._answered.append(row_id)
                continue
            self._unanswered.append((row_id, self._outcome(Event(user_id, category, device, price, bool(member)))))

    def write(self) -> Write:
        """Write one row, and say how."""
        write = self._choose()
        self._writers[write]()
        return write

    def _choose(self) -> Write:
        if len(self._answered) > self._keep:
            return Write.DELETE
        (write,) = self._rng.choices(tuple(Write), SHARES)
        if write is Write.ANSWER and len(self._unanswered) <= WAITING:
            return Write.INSERT
        if write in {Write.CORRECT, Write.DELETE} and not self._answered:
            return Write.INSERT
        return write

    def _insert(self) -> None:
        event = draw_event(self._rng)
        self._cursor.execute(
            "INSERT INTO shop.events (user_id, category, device, price, member, shown_at) VALUES (%s, %s, %s, %s, %s, %s)",
            (event.user_id, event.category, event.device, event.price, event.member, self._now()),
        )
        self._unanswered.append((self._cursor.lastrowid, self._outcome(event)))

    def _answer(self) -> None:
        row_id, clicked = self._unanswered.popleft()
        self._cursor.execute("UPDATE shop.events SET clicked = %s WHERE id = %s", (clicked, row_id))
        self._answered.append(row_id)

    def _correct(self) -> None:
        recent = min(RECENT, len(self._answered))
        row_id = self._answered[-1 - self._rng.randrange(recent)]
        self._cursor.execute("UPDATE shop.events SET clicked = NOT clicked WHERE id = %s", (row_id,))

    def _delete(self) -> None:
        self._cursor.execute("DELETE FROM shop.events WHERE id = %s", (self._answered.popleft(),))

    def _outcome(self, event: Event) -> bool:
        return self._rng.random() < click_probability(event)


class Pace:
    """Holds ``rate`` rows per second on average, and lets a stall be caught up with at most one second's worth."""

    def __init__(self, rate: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()

    def wait(self, rows: int) -> None:
        """Wait until ``rows`` more rows are due."""
        now = self._clock()
        self._due = max(self._due + rows / self.rate, now - 1.0)
        if self._due > now:
            self._sleep(self._due - now)


def generate(connection: Any, shop: Shop, pace: Pace, limit: int) -> Counter[Write]:
    """Write ``limit`` rows, or for ever if it is 0, in transactions of a twentieth of a second's rows."""
    written: Counter[Write] = Counter()
    reported = time.monotonic()
    batch = max(1, round(pace.rate / BATCHES_PER_S))
    while not limit or written.total() < limit:
        rows = min(batch, limit - written.total()) if limit else batch
        written.update(shop.write() for _ in range(rows))
        connection.commit()
        if time.monotonic() - reported >= REPORT_EVERY_S:
            log.info(_summary(written))
            reported = time.monotonic()
        pace.wait(rows)
    return written


def main() -> None:
    """Run until LIMIT or SIGTERM. Rows of a transaction that is cut off are rolled back by the server."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings.read(os.environ)
    try:
        written = run(settings)
    except pymysql.MySQLError as error:
        sys.exit(f"{settings.user}@{settings.host}:{settings.port}: {error}")
    log.info(_summary(written))


def run(settings: Settings) -> Counter[Write]:
    """Connect, take over what is there, and write."""
    connection = pymysql.connect(
        host=settings.host, port=settings.port, user=settings.user, password=settings.password, charset="utf8mb4"
    )
    shop = Shop(connection, random.Random(settings.seed), settings.keep, _utc_now)
    shop.open()
    return generate(connection, shop, Pace(settings.rate, time.monotonic, time.sleep), settings.limit)


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)  # a DATETIME column has no zone


def _summary(written: Counter[Write]) -> str:
    return ", ".join(f"{written[write]} {write.value}" for write in Write)


def _wrong_usage(message: str) -> SystemExit:
    log.error(message)
    return SystemExit(2)


if __name__ == "__main__":
    main()
