"""What every source promises, over every source: see ``connectors/source.py``.

Another database takes part by a fixture that gives a ``Fresh`` and by its name in ``DATABASES``.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

import orjson
import pymongo
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.mongo.settings import MongoSettings
from connectors.mongo.source import MongoSource
from connectors.mysql.settings import MysqlSettings
from connectors.mysql.source import MysqlSource
from connectors.source import NO_NOTES, DocumentChange, Position, Row, Source, SourceBatch
from connectors.sqlite.settings import SnapshotMode, SqliteSettings
from connectors.sqlite.source import SqliteSource
from streamtrain.envelope import Op
from streamtrain.errors import PositionLost
from tests.servers import Database
from tests.servers.mongo import Mongo

DATABASES = ("sqlite", "on_mysql", "on_mariadb", "on_mongo")

Seen = tuple[Op, Row | None, Row | None]
"""One row of a change: operation, row before, row after."""


class CapturedDatabase(Protocol):
    """A real database with one table ``events(id integer primary key, amount integer, note varchar(40))``."""

    def source(self, snapshot: SnapshotMode = "initial") -> Source:
        """A source over ``events``, not yet open, which reads a few rows at a time."""

    def write(self, *statements: str) -> None:
        """Carry the statements out in one transaction, on a connection of the calling thread's own."""

    def rows(self) -> list[Row]:
        """The table as it stands, by id."""


Fresh = Callable[[], CapturedDatabase]
"""Gives a database whose table is empty and which no source has seen."""


class SqliteDatabase:
    """A file in WAL mode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.write("PRAGMA journal_mode = WAL")
        self.write("CREATE TABLE events(id INTEGER PRIMARY KEY, amount INTEGER, note VARCHAR(40))")

    def source(self, snapshot: SnapshotMode = "initial") -> Source:
        return SqliteSource(SqliteSettings(self._path, ("main.events",), "shop", snapshot), batch_rows=3)

    def write(self, *statements: str) -> None:
        with closing(self._connection()) as connection:
            if len(statements) > 1:
                connection.execute("BEGIN IMMEDIATE")
            for statement in statements:
                connection.execute(statement)
            if len(statements) > 1:
                connection.execute("COMMIT")

    def rows(self) -> list[Row]:
        with closing(self._connection()) as connection:
            return connection.execute("SELECT id, amount, note FROM events ORDER BY id").fetchall()

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return connection


@pytest.fixture
def sqlite(tmp_path: Path) -> Fresh:
    made: list[CapturedDatabase] = []

    def fresh() -> CapturedDatabase:
        made.append(SqliteDatabase(tmp_path / f"{len(made)}.db"))
        return made[-1]

    return fresh


class ServerDatabase:
    """A database of a MySQL or MariaDB server."""

    def __init__(self, server: Database, name: str) -> None:
        self._server = server
        self._name = name
        self.write("CREATE TABLE events(id INTEGER PRIMARY KEY, amount INTEGER, note VARCHAR(40))")

    def source(self, snapshot: SnapshotMode = "initial") -> Source:
        settings = MysqlSettings(
            f"{self._server.url}/?ssl_mode=disabled", (f"{self._name}.events",), "shop", snapshot,
            server_id=int(self._name[-7:], 16), max_rows=3, chunk_rows=3, heartbeat_s=0.05,
            include_schema_changes=False,
        )  # fmt: skip
        return MysqlSource(settings)

    def write(self, *statements: str) -> None:
        with closing(self._server.connect(database=self._name, autocommit=False)) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            connection.commit()

    def rows(self) -> list[Row]:
        return self._server.execute("SELECT id, amount, note FROM events ORDER BY id", database=self._name)


def served(server: Database) -> Iterator[Fresh]:
    with ExitStack() as made:
        yield lambda: ServerDatabase(server, made.enter_context(server.fresh_database()))


@pytest.fixture
def on_mysql(mysql: Database) -> Iterator[Fresh]:
    yield from served(mysql)


@pytest.fixture
def on_mariadb(mariadb: Database) -> Iterator[Fresh]:
    yield from served(mariadb)


class WithItsStore(MongoSource):
    """A source whose store of documents is, at each position that it goes on from, as it was one read after that position.

    A store goes along with one line of positions, and the tests go on from any of them, several times.
    """

    def __init__(self, settings: MongoSettings, states: dict[bytes, bytes]) -> None:
        super().__init__(settings)
        self._file, self._states = settings.store, states
        self._last: Position | None = None

    def open(self, position: Position | None, notes: Mapping[str, bytes] = NO_NOTES) -> None:
        kept = None if position is None else self._states.get(orjson.dumps(position))
        if kept is not None:
            self._file.write_bytes(kept)
        super().open(position, notes)

    def read(self, timeout_s: float) -> SourceBatch:
        batch = super().read(timeout_s)
        if batch.position != self._last:
            state = self._documents()._db.serialize()
            for position in (self._last, batch.position):
                self._states[orjson.dumps(position)] = state
        self._last = batch.position
        return batch


class MongoDatabase:
    """A collection of a MongoDB replica set, with a table beside it on which statements are carried out first.

    What a statement did to the table's rows is done to the documents, all of one call in one transaction.
    """

    def __init__(self, server: Mongo, name: str, directory: Path) -> None:
        self._server, self._name, self._directory = server, name, directory
        self._table = directory / "table.db"
        self._states: dict[bytes, bytes] = {}
        with closing(self._mirror()) as table, pymongo.MongoClient[dict[str, Any]](server.url) as client:
            table.execute("CREATE TABLE events(id INTEGER PRIMARY KEY, amount INTEGER, note VARCHAR(40))")
            client[name].create_collection("events")

    def source(self, snapshot: SnapshotMode = "initial") -> Source:
        settings = MongoSettings(
            self._server.url, (f"{self._name}.events",), "shop", snapshot=snapshot, max_rows=3, chunk_rows=3,
            store=self._directory / "documents.db", include_schema_changes=False,
        )  # fmt: skip
        return WithItsStore(settings, self._states)

    def write(self, *statements: str) -> None:
        with closing(self._mirror()) as table, pymongo.MongoClient[dict[str, Any]](self._server.url) as client:
            table.execute("BEGIN IMMEDIATE")
            steps, rows = list[tuple[dict[int, Row], dict[int, Row]]](), self._rows(table)
            for statement in statements:
                table.execute(statement)
                before, rows = rows, self._rows(table)
                steps.append((before, rows))
            with client.start_session() as session, session.start_transaction():
                for before, after in steps:
                    self._write(client[self._name]["events"], session, before, after)
            table.execute("COMMIT")

    def rows(self) -> list[Row]:
        with closing(self._mirror()) as table:
            return list(self._rows(table).values())

    @staticmethod
    def _write(collection: Any, session: Any, before: dict[int, Row], after: dict[int, Row]) -> None:
        for identity in before.keys() - after.keys():
            collection.delete_one({"_id": identity}, session=session)
        for identity, row in after.items():
            changed = {"amount": row[1], "note": row[2]}
            if identity not in before:
                collection.insert_one({"_id": identity, **changed}, session=session)
            elif before[identity] != row:
                collection.update_one({"_id": identity}, {"$set": changed}, session=session)

    @staticmethod
    def _rows(table: sqlite3.Connection) -> dict[int, Row]:
        return {row[0]: row for row in table.execute("SELECT id, amount, note FROM events ORDER BY id")}

    def _mirror(self) -> sqlite3.Connection:
        return sqlite3.connect(self._table, timeout=30, isolation_level=None)


@pytest.fixture
def on_mongo(mongo: Mongo, tmp_path: Path) -> Iterator[Fresh]:
    with ExitStack() as made:
        numbers = itertools.count()

        def fresh() -> CapturedDatabase:
            directory = tmp_path / f"mongo-{next(numbers)}"
            directory.mkdir()
            return MongoDatabase(mongo, made.enter_context(mongo.fresh_database()), directory)

        yield fresh


@pytest.fixture(params=DATABASES)
def fresh(request: pytest.FixtureRequest) -> Fresh:
    made: Fresh = request.getfixturevalue(request.param)
    return made


def flat(changes: Sequence[Any]) -> Iterator[Seen]:
    for change in changes:
        if isinstance(change, DocumentChange):
            images = zip(change.ops, map(document_row, change.before), map(document_row, change.after), strict=True)
            yield from images
            continue
        before = change.before if change.before is not None else [None] * len(change)
        after = change.after if change.after is not None else [None] * len(change)
        for one, other in zip(before, after, strict=True):
            yield change.op, one, other


def document_row(text: bytes | None) -> Row | None:
    return None if text is None else tuple(orjson.loads(text).values())


def drained(source: Source) -> tuple[list[Seen], list[tuple[Position | None, int]]]:
    """All rows to the present end, and each position that was given with the number of rows read by then."""
    end, rows = source.end(), list[Seen]()
    positions = list[tuple[Position | None, int]]()
    deadline = time.monotonic() + 60
    while not source.reached(end):
        assert time.monotonic() < deadline, f"not at the end after a minute, {len(rows)} rows were read"
        batch = source.read(0.2)
        rows += flat(batch.changes)
        positions.append((batch.position, len(rows)))
    return rows, positions


def resumed(database: CapturedDatabase, position: Position | None) -> Source:
    """A new source that goes on at a position as it comes back from its store."""
    source = database.source()
    source.open(orjson.loads(orjson.dumps(position)))
    return source


def folded(rows: Sequence[Seen]) -> list[Row]:
    """The table that the rows make. Nothing may come twice or be missing: every image before is the row as it stood."""
    table: dict[int, Row] = {}
    for op, before, after in rows:
        if before is not None:
            assert table.pop(before[0], None) == before, f"{op}: {before} is not what the changes so far made"
        if after is not None:
            assert after[0] not in table, f"{op}: row {after[0]} is there already"
            table[after[0]] = after
    return [table[key] for key in sorted(table)]


STATEMENTS = st.lists(
    st.one_of(
        st.builds(
            "UPDATE events SET amount = amount + {1} WHERE id % 5 = {0}".format, st.integers(0, 4), st.integers(1, 9)
        ),
        st.builds("UPDATE events SET note = 'é''\"{1}' WHERE id > {0}".format, st.integers(0, 40), st.integers(0, 99)),
        st.builds("UPDATE events SET id = id + 100 WHERE id = {}".format, st.integers(1, 40)),
        st.builds("DELETE FROM events WHERE id % 7 = {}".format, st.integers(0, 6)),
    ),
    min_size=1,
    max_size=4,
)
HISTORIES = st.lists(STATEMENTS, max_size=6)


def inserts(first: int, count: int) -> list[str]:
    return [f"INSERT INTO events VALUES ({first + index}, {index * 10}, 'row {index}')" for index in range(count)]


def test_all_rows_come_first_as_reads_and_then_every_change_in_order(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 5))
    with closing(resumed(database, None)) as source:
        read, _ = drained(source)
        database.write("INSERT INTO events VALUES (6, 1, 'x')", "UPDATE events SET amount = 2 WHERE id = 6")
        database.write("DELETE FROM events WHERE id = 6")
        streamed, _ = drained(source)
    assert [op for op, _, _ in read] == [Op.READ] * 5
    assert sorted(after for _, _, after in read if after is not None) == [(i + 1, i * 10, f"row {i}") for i in range(5)]
    assert streamed == [
        (Op.CREATE, None, (6, 1, "x")),
        (Op.UPDATE, (6, 1, "x"), (6, 2, "x")),
        (Op.DELETE, (6, 2, "x"), None),
    ]


def test_snapshot_rows_are_marked_and_share_a_source_block(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 5))
    with closing(resumed(database, None)) as source:
        end, markers = source.end(), list[str]()
        while not source.reached(end):
            for change in source.read(0.2).changes:
                markers += change.markers or [change.origin["snapshot"]] * len(change)
                assert (change.origin["name"], change.origin.get("table", change.origin.get("collection"))) == (
                    "shop",
                    "events",
                )
    assert markers == ["first", "true", "true", "true", "last"]


def test_without_a_snapshot_only_later_changes_come(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 3))
    with closing(database.source("no_data")) as source:
        source.open(None)
        database.write("UPDATE events SET amount = 7 WHERE id = 2")
        rows, _ = drained(source)
    assert rows == [(Op.UPDATE, (2, 10, "row 1"), (2, 7, "row 1"))]


@given(history=HISTORIES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_going_on_at_any_position_gives_what_an_undisturbed_reader_gets(fresh: Fresh, history: list[list[str]]) -> None:
    database = fresh()
    database.write(*inserts(1, 8))
    with closing(resumed(database, None)) as source:
        rows, positions = drained(source)
        for statements in history:
            database.write(*statements)
        more, further = drained(source)
    positions += [(position, count + len(rows)) for position, count in further]
    rows += more
    assert folded(rows) == database.rows()
    distinct = {orjson.dumps(position): (position, count) for position, count in positions}
    for position, count in distinct.values():
        if position is not None:
            with closing(resumed(database, position)) as source:
                rest, _ = drained(source)
            assert folded(rows[:count] + rest) == database.rows()
            if count >= 8:  # all rows were read, so that only the log is left, which stays as it is
                assert rows[:count] + rest == rows


def test_confirming_what_is_published_takes_nothing_from_what_is_still_to_be_read(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 4))
    with closing(resumed(database, None)) as source:
        _, positions = drained(source)
        database.write(*inserts(5, 7))
        source.confirm(source.read(5.0).position or {})
        rows, _ = drained(source)
    position = positions[-1][0]
    with closing(resumed(database, position)) as source:
        every, _ = drained(source)
    assert [after[0] for _, _, after in every if after is not None] == list(range(5, 12))
    assert every[-len(rows) :] == rows


def test_an_interrupted_snapshot_is_made_whole_from_its_last_position(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 9))
    published, position = list[Seen](), None
    for turn in range(8):
        unpublished = list[Seen]()
        with closing(resumed(database, position)) as source:
            for _ in range(3):
                batch = source.read(0.2)
                unpublished += flat(batch.changes)
                if batch.position is not None:
                    published, position, unpublished = published + unpublished, batch.position, []
        database.write(f"UPDATE events SET amount = amount + 1 WHERE id % 4 = {turn % 4}")
    with closing(resumed(database, position)) as source:
        published += drained(source)[0]
    assert folded(published) == database.rows()
    assert len([op for op, _, _ in published if op is Op.READ]) == 9


def test_what_is_written_between_two_reads_of_the_snapshot_comes_once_and_after_it(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 12))
    with closing(resumed(database, None)) as source:
        rows = list[Seen]()
        for turn in range(1, 7):
            rows += flat(source.read(0.2).changes)
            database.write(
                *inserts(100 * turn, 1), f"DELETE FROM events WHERE id = {turn}", f"DELETE FROM events WHERE id = {13 - turn}",
                "UPDATE events SET amount = amount + 1",
            )  # fmt: skip
        rows += drained(source)[0]
    assert folded(rows) == database.rows()


def test_snapshot_and_stream_meet_exactly_while_others_write(fresh: Fresh) -> None:
    database = fresh()
    database.write(*inserts(1, 60))

    def keep_writing() -> None:
        for turn in range(60):
            first, moved = 1_000 + 2 * turn, turn + 1
            database.write(
                *inserts(first, 2), f"UPDATE events SET amount = amount + 1 WHERE id % 4 = {turn % 4}",
                f"DELETE FROM events WHERE id = {moved}" if turn % 3 else f"UPDATE events SET id = -{moved} WHERE id = {moved}",
            )  # fmt: skip

    writer = threading.Thread(target=keep_writing)
    with closing(database.source()) as source:
        writer.start()
        source.open(None)
        rows, _ = drained(source)
        writer.join()
        rows += drained(source)[0]
    assert folded(rows) == database.rows()


def test_a_transaction_that_is_rolled_back_leaves_nothing(fresh: Fresh) -> None:
    database = fresh()
    with closing(resumed(database, None)) as source:
        drained(source)
        with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
            database.write("INSERT INTO events VALUES (1, 1, 'a')", "INSERT INTO events VALUES (1, 2, 'b')")
        database.write("INSERT INTO events VALUES (2, 2, 'b')")
        rows, _ = drained(source)
    assert rows == [(Op.CREATE, None, (2, 2, "b"))]


def test_the_end_is_reached_when_all_before_it_was_read_and_not_earlier(fresh: Fresh) -> None:
    database = fresh()
    with closing(resumed(database, None)) as source:
        drained(source)
        database.write(*inserts(1, 7))
        end = source.end()
        database.write("INSERT INTO events VALUES (99, 0, 'later')")
        rows = list[Seen]()
        while not source.reached(end):
            before = len(rows)
            rows += flat(source.read(0.2).changes)
            assert len(rows) > before or len(rows) < 7
    assert [after[0] for _, _, after in rows[:7] if after is not None] == [1, 2, 3, 4, 5, 6, 7]


def test_an_empty_read_waits_no_longer_than_it_was_given(fresh: Fresh) -> None:
    database = fresh()
    with closing(resumed(database, None)) as source:
        drained(source)
        began = time.monotonic()
        batch = source.read(0.2)
        assert time.monotonic() - began < 2.0
    assert (list(batch.changes), batch.lag_ms) == ([], None)
    assert batch.position is not None


def test_a_read_tells_the_age_of_what_it_gives(fresh: Fresh) -> None:
    database = fresh()
    with closing(resumed(database, None)) as source:
        drained(source)
        database.write(*inserts(1, 1))
        batch = source.read(5.0)
        while not batch.changes:
            batch = source.read(5.0)
    assert batch.lag_ms is not None
    assert 0 <= batch.lag_ms < 60_000


def test_a_position_of_something_else_is_refused(fresh: Fresh) -> None:
    database = fresh()
    with closing(database.source()) as source, pytest.raises(PositionLost):
        source.open({"somebody": "else's"})


def test_closing_twice_and_closing_what_was_never_opened_is_safe(fresh: Fresh) -> None:
    database = fresh()
    database.source().close()
    source = resumed(database, None)
    source.close()
    source.close()
    source.open(None)
    source.close()
