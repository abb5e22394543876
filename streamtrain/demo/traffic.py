"""A made-up shop that writes to a SQLite table as a real application would: the demo's source of changes.

Visitors are shown items and click or not. Whether they clicked is often known only later (an update fills NULL), is now
and then corrected, and rows are deleted. What is clicked follows from visitor, item, device, price and hour by a logistic
rule that drifts slowly, so that a model can learn it and has to go on learning.
"""

from __future__ import annotations

import math
import random
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streamtrain.errors import FatalError

TABLE = "events"

_CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE}(
  id INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL,
  item TEXT NOT NULL,
  price REAL NOT NULL,
  device TEXT NOT NULL,
  weekend BOOLEAN NOT NULL,
  created_at DATETIME NOT NULL,
  clicked BOOLEAN
)"""

_FIRST_VISIT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_SECONDS_BETWEEN_VISITS = 50.0

_VISITORS = 300
_QUALITIES = ("copper", "linen", "oak", "cobalt", "paper", "wool", "glass", "slate")
_THINGS = ("kettle", "lamp", "chair", "notebook", "teapot", "blanket", "mirror", "clock", "basket", "tray")
_DEVICES = {"phone": (0.6, -0.35), "desktop": (0.3, 0.45), "tablet": (0.1, 0.0)}
"""Share of the visits, and what the device adds to the log-odds of a click."""

_VISITOR_SPREAD = 0.9
_ITEM_SPREAD = 1.3
_ITEM_DRIFT = 0.012
"""Standard deviations: of the visitors' and items' effects, and of how far one item's effect moves at each visit to it."""

_UNKNOWN_AT_FIRST = 0.3
_KNOWN_AFTER = (20, 400)
"""Share of the rows whose label comes later, and after how many further rows it does."""
_CORRECTED = 0.01
_DELETED = 0.008
"""Corrections and deletions a row inserted."""
_REMEMBERED = 2_000
"""How many recent rows may still be corrected or deleted."""

_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were inserted, updated and deleted."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)


class Traffic:
    """Writes the table ``events`` of a SQLite file, creating both where they are missing.

    The same seed gives the same statements in the same order, however they are divided into steps. To be used by one
    thread at a time, which need not be the one that made it.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._shop = _Shop(seed)
        self._random = random.Random(f"{seed} labels")
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_CREATE)
        self._last_id = 0
        self._unknown: dict[int, list[tuple[int, bool]]] = {}
        self._labels: dict[int, bool] = {}
        self._recent: deque[int] = deque()

    def step(self, n_rows: int) -> Written:
        """Insert ``n_rows`` rows, with the updates and deletes that fall between them, in one transaction.

        Raises FatalError if the database refuses: the disk is full, or another process holds its lock.
        """
        written = Written()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for _ in range(n_rows):
                written += self._insert() + self._fill_in() + self._correct() + self._delete()
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise FatalError(f"{self._path} cannot be written: {error}", hint="see to it, and start again") from error
        return written

    def close(self) -> None:
        """Close the connection; what a step has written stays."""
        self._connection.close()

    def _insert(self) -> Written:
        self._last_id += 1
        visit, clicked = self._shop.visit()
        known = self._random.random() >= _UNKNOWN_AT_FIRST
        row = (self._last_id, *visit, clicked if known else None)
        self._connection.execute(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 -- a constant
        if known:
            self._labels[self._last_id] = clicked
        else:
            due = self._last_id + self._random.randint(*_KNOWN_AFTER)
            self._unknown.setdefault(due, []).append((self._last_id, clicked))
        self._recent.append(self._last_id)
        if len(self._recent) > _REMEMBERED:
            self._labels.pop(self._recent.popleft(), None)
        return Written(inserted=1)

    def _fill_in(self) -> Written:
        """The labels that are known by now; a row that was deleted meanwhile has none to fill."""
        updated = 0
        for row_id, clicked in self._unknown.pop(self._last_id, []):
            updated += self._set_label(row_id, clicked)
        return Written(updated=updated)

    def _correct(self) -> Written:
        row_id = self._recent[self._random.randrange(len(self._recent))]
        if self._random.random() >= _CORRECTED or row_id not in self._labels:
            return Written()
        return Written(updated=self._set_label(row_id, not self._labels[row_id]))

    def _set_label(self, row_id: int, clicked: bool) -> int:
        self._labels[row_id] = clicked
        update = f"UPDATE {TABLE} SET clicked = ? WHERE id = ?"  # noqa: S608 -- a constant
        return self._connection.execute(update, (clicked, row_id)).rowcount

    def _delete(self) -> Written:
        row_id = self._recent[self._random.randrange(len(self._recent))]
        if self._random.random() >= _DELETED:
            return Written()
        self._labels.pop(row_id, None)
        delete = f"DELETE FROM {TABLE} WHERE id = ?"  # noqa: S608 -- a constant
        return Written(deleted=self._connection.execute(delete, (row_id,)).rowcount)


def write_steadily(
    traffic: Traffic, rows: int, rows_per_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Written:
    """Insert ``rows`` rows at a steady rate, in small transactions. ``clock`` gives seconds that only rise."""
    began, written = clock(), Written()
    while written.inserted < rows:
        due = min(rows, math.ceil((clock() - began + _TICK_S) * rows_per_s))
        if due > written.inserted:
            written += traffic.step(due - written.inserted)
        sleep(_TICK_S)
    return written


class _Shop:
    """Visitors and items, and the rule by which they meet and click."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"{seed} visits")
        items = [f"{quality} {thing}" for quality in _QUALITIES for thing in _THINGS]
        self._random.shuffle(items)
        self._items = items
        self._item_weights = [1 / (rank + 3) for rank in range(len(items))]
        self._item_effects = [self._random.gauss(0, _ITEM_SPREAD) for _ in items]
        self._prices = [round(math.exp(self._random.gauss(3.2, 0.7)), 2) for _ in items]
        self._visitors = [f"u{number:04d}" for number in self._random.sample(range(10_000), _VISITORS)]
        self._visitor_weights = [1 / (rank + 8) for rank in range(_VISITORS)]
        self._visitor_effects = [self._random.gauss(0, _VISITOR_SPREAD) for _ in range(_VISITORS)]
        self._now = _FIRST_VISIT

    def visit(self) -> tuple[tuple[str, str, float, str, bool, str], bool]:
        """The columns from ``user_id`` to ``created_at``, and whether the item was clicked."""
        self._now += timedelta(seconds=round(self._random.expovariate(1 / _SECONDS_BETWEEN_VISITS)))
        [visitor] = self._random.choices(range(_VISITORS), self._visitor_weights)
        [item] = self._random.choices(range(len(self._items)), self._item_weights)
        [device] = self._random.choices(list(_DEVICES), [share for share, _ in _DEVICES.values()])
        price = round(self._prices[item] * self._random.choice((1.0, 1.0, 0.8)), 2)
        self._item_effects[item] += self._random.gauss(0, _ITEM_DRIFT)
        weekend = self._now.weekday() >= 5
        log_odds = (
            -0.9 + self._visitor_effects[visitor] + self._item_effects[item] + _DEVICES[device][1]
            - 0.6 * (math.log(price) - 3.2) + (0.4 if weekend else 0.0)
            + 0.5 * math.sin((self._now.hour - 13) * math.tau / 24)
        )  # fmt: skip
        clicked = self._random.random() < 1 / (1 + math.exp(-log_odds))
        when = self._now.strftime("%Y-%m-%d %H:%M:%S")
        return (self._visitors[visitor], self._items[item], price, device, weekend, when), clicked
