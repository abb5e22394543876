from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtrain.demo.traffic import Traffic, Written, write_steadily

LOG = """
CREATE TABLE log(op, id, before, after);
CREATE TRIGGER i AFTER INSERT ON events BEGIN INSERT INTO log VALUES ('insert', NEW.id, NULL, NEW.clicked); END;
CREATE TRIGGER u AFTER UPDATE ON events BEGIN INSERT INTO log VALUES ('update', NEW.id, OLD.clicked, NEW.clicked); END;
CREATE TRIGGER d AFTER DELETE ON events BEGIN INSERT INTO log VALUES ('delete', OLD.id, OLD.clicked, NULL); END;
"""


def written(path: Path, seed: int, steps: list[int]) -> list[Any]:
    """Every row in the end, and every statement on the way, of traffic written in these steps."""
    with closing(Traffic(path, seed)) as traffic, closing(sqlite3.connect(path)) as connection:
        connection.executescript(LOG)
        for step in steps:
            traffic.step(step)
        return [connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in ("events", "log")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("traffic") / "shop.db"
    written(path, 1, [4_000])
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def one(shop: sqlite3.Connection, sql: str) -> Any:
    return shop.execute(sql).fetchone()[0]


def test_a_seed_gives_the_same_statements_however_they_are_divided_into_steps(tmp_path: Path) -> None:
    whole = written(tmp_path / "1.db", 7, [600])
    assert written(tmp_path / "2.db", 7, [1, 99, 500]) == whole
    assert written(tmp_path / "3.db", 8, [600]) != whole


def test_a_step_counts_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(Traffic(path, 3)) as traffic, closing(sqlite3.connect(path)) as connection:
        connection.executescript(LOG)
        counted = traffic.step(900) + traffic.step(300)
        found = dict(connection.execute("SELECT op, count(*) FROM log GROUP BY op").fetchall())
    assert counted == Written(found["insert"], found["update"], found["delete"])
    assert counted.inserted == 1_200


def test_labels_come_late_are_corrected_and_rows_are_deleted(shop: sqlite3.Connection) -> None:
    late = one(shop, "SELECT count(*) FROM log WHERE op = 'update' AND before IS NULL")
    corrected = one(shop, "SELECT count(*) FROM log WHERE op = 'update' AND before = 1 - after")
    deleted = one(shop, "SELECT count(*) FROM log WHERE op = 'delete'")
    assert 900 < late < 1_300
    assert 10 < corrected < 80
    assert 10 < deleted < 60
    assert one(shop, "SELECT count(*) FROM log WHERE op = 'update' AND after IS NULL") == 0
    assert 0 < one(shop, "SELECT count(*) FROM events WHERE clicked IS NULL") < 200


def test_rows_are_believable(shop: sqlite3.Connection) -> None:
    assert 0.25 < one(shop, "SELECT avg(clicked) FROM events") < 0.45
    assert one(shop, "SELECT min(price) > 1 AND max(price) < 500 FROM events") == 1
    assert one(shop, "SELECT count(DISTINCT user_id) > 200 AND count(DISTINCT item) = 80 FROM events") == 1
    assert one(shop, "SELECT min(weekend = (strftime('%w', created_at) IN ('0', '6'))) FROM events") == 1
    stamps = [stamp for (stamp,) in shop.execute("SELECT created_at FROM events ORDER BY id")]
    assert stamps == sorted(stamps)


def test_what_is_clicked_follows_from_the_item_more_than_from_chance(shop: sqlite3.Connection) -> None:
    rates = "SELECT avg(clicked) AS rate FROM events WHERE clicked IS NOT NULL GROUP BY item HAVING count(*) > 40"
    assert one(shop, f"SELECT max(rate) - min(rate) FROM ({rates})") > 0.4


def test_steady_writing_keeps_to_its_rate_by_the_clock(tmp_path: Path) -> None:
    now, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with closing(Traffic(tmp_path / "shop.db", 1)) as traffic:
        counted = write_steadily(traffic, 500, 1_000.0, lambda: now[0], sleep)
    assert counted.inserted == 500
    assert sum(slept) == pytest.approx(0.5, abs=0.06)
