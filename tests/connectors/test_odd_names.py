"""Tables and collections of any name are captured and learned from; two that would share a topic stop capture."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymongo
import pytest

from connectors.mongo.doctor import examine as examine_mongo
from connectors.mysql.connection import quote_identifier
from connectors.mysql.doctor import examine as examine_mysql
from connectors.source import Change, SourceEvent
from connectors.sqlite.doctor import examine as examine_sqlite
from connectors.sqlite.settings import SqliteSettings
from connectors.sqlite.source import SqliteSource
from streamtrain.errors import ConfigError
from streamtrain.topic.base import TopicReader
from streamtrain.topic.file import FileReader
from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.connectors.mongo_capture import drained, flat, opened, settings
from tests.connectors.mysql_capture import Kept, follow, settings_for, source_for
from tests.connectors.test_mysql_xa_servers import end, prepare
from tests.fault.lines import config, file_topic, kafka_topic
from tests.line import Line, published
from tests.servers import Broker, Database
from tests.servers.mongo import Mongo

TOPICS = {
    "order lines": "order_lines",
    "tick`et": "tick_et",
    "pri$e": "pri_e",
    "größe": "gr__e",
    "表": "_",
    'it\'s "so"': "it_s__so_",
    "50%": "50_",
    "dotted.name": "dotted.name",
    "#back\\slash": "_back_slash",
}
"""What Kafka calls a table."""
LEARNED = "order lines"


@contextmanager
def odd_database(server: Database) -> Iterator[str]:
    """The name of an empty database, odd itself."""
    name = f"shop ü`{uuid.uuid4().hex[:8]}"
    server.execute(f"CREATE DATABASE {quote_identifier(name)}")
    try:
        yield name
    finally:
        server.execute(f"DROP DATABASE {quote_identifier(name)}")


def work(server: Database, database: str, table: str) -> None:
    """Changes of a table that has 40 rows, one of each kind."""
    name = quote_identifier(table)
    server.execute(
        f"INSERT INTO {name} VALUES (41, 1, 1), (42, 2, 0)",
        f"ALTER TABLE {name} ADD COLUMN `n%ote ü` INT",
        f"UPDATE {name} SET clicked = 1, `n%ote ü` = 5 WHERE id = 42",
        f"DELETE FROM {name} WHERE id = 41",
        f"TRUNCATE TABLE {name}",
        f"INSERT INTO {name} VALUES (43, 3, 0, 6)",
        database=database,
    )


def fill(server: Database, database: str, table: str) -> None:
    name = quote_identifier(table)
    rows = ", ".join(f"({number}, {number % 7}, {number % 2})" for number in range(1, 41))
    server.execute(
        f"CREATE TABLE {name} (id INT PRIMARY KEY, price INT, clicked INT)",
        f"INSERT INTO {name} VALUES {rows}",
        database=database,
    )


def capture_and_learn(server: Database, topics: dict[str, Any], reader: TopicReader, directory: Path) -> dict[str, str]:
    """Capture tables of odd names to these topics, look at each, and learn from one; what ``doctor`` says then."""
    with odd_database(server) as database:
        for table in TOPICS:
            fill(server, database, table)
        source = {"kind": "mysql", "url": server.url, "include": [f"{database}.*"]}
        whole = config("odd", source, topics, f"sqlite:///{directory}/state.db", f"{database}.{LEARNED}")
        whole["examples"]["features"] = {"price": "numeric"}
        line = Line(directory, whole)
        line.run("connect", "--until-caught-up")
        for table in TOPICS:
            work(server, database, table)
        line.run("connect", "--until-caught-up")
        line.run("train", "--until-caught-up")
        assert line.json("checkpoints")[-1]["events"] == 40 + 6
        assert line.json("deadletters", "list") == []
        for topic in TOPICS.values():
            records = published(reader, f"{topics['prefix']}.shop___{database[-8:]}.{topic}")
            assert [each.op for each in records] == ["r"] * 40 + ["c", "c", "u", "d", None, "t", "c"], topic
            assert records[-1].after == {"id": 43, "price": 3, "clicked": 0, "n%ote ü": 6}
        checks = {check["name"].replace(database[-8:], "ID"): check["status"] for check in line.json("doctor")}
    assert "fail" not in checks.values(), checks
    return checks


def test_tables_of_any_name_go_from_mysql_through_kafka_to_the_trainer(
    mysql: Database, kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    with closing(KafkaReader(KafkaSettings(kafka.bootstrap))) as reader:
        checks = capture_and_learn(mysql, kafka_topic(kafka.bootstrap, topic_prefix), reader, tmp_path)
    assert checks[f"topic {topic_prefix}.shop___ID.order_lines"] == "ok"


def test_tables_of_any_name_go_from_mariadb_through_files_to_the_trainer(
    mariadb: Database, topic_prefix: str, tmp_path: Path
) -> None:
    with closing(FileReader(tmp_path / "topics")) as reader:
        capture_and_learn(mariadb, file_topic(tmp_path / "topics", topic_prefix), reader, tmp_path)


def test_two_tables_with_one_topic_stop_capture_before_anything_is_read(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute("CREATE TABLE `a b` (id INT)", "CREATE TABLE a_b (id INT)", database=sql_database)
    told = f"'{sql_database}'.'a b' and '{sql_database}'.'a_b' have one topic"
    with pytest.raises(ConfigError, match=told):
        follow(source_for(sql_server, f"{sql_database}.*"), Kept())
    (check,) = [one for one in examine_mysql(settings_for(sql_server, f"{sql_database}.*")) if one.status == "fail"]
    assert told in check.found
    assert follow(source_for(sql_server, f"{sql_database}.*", exclude=(f"{sql_database}.a b",)), Kept()) == []


@pytest.fixture
def kept(sql_server: Database, sql_database: str) -> Kept:
    """What is kept after ``a b`` with one row was captured."""
    sql_server.execute("CREATE TABLE `a b` (id INT)", "INSERT INTO `a b` VALUES (1)", database=sql_database)
    kept = Kept()
    assert rows(follow(source_for(sql_server, f"{sql_database}.*"), kept)) == [("a b", 1)]
    return kept


def rows(events: list[SourceEvent]) -> list[tuple[str, Any]]:
    """The one column of each row after its change, beside its table."""
    return [(each.table.name, row[0]) for each in events if isinstance(each, Change) for row in each.after or ()]


def until_refused(server: Database, kept: Kept, *include: str) -> list[tuple[str, Any]]:
    """The rows that are given before capture is stopped by two tables with one topic."""
    events = list[SourceEvent]()
    with closing(source_for(server, *include)) as source, pytest.raises(ConfigError, match="have one topic"):
        source.open(kept.position, dict(kept.notes))
        for _ in range(100):
            batch = source.read(0.2)
            kept.keep(batch)
            events += batch.changes
    return rows(events)


def test_a_new_table_that_would_share_a_topic_stops_capture_where_it_is_made(
    sql_server: Database, sql_database: str, kept: Kept
) -> None:
    include = f"{sql_database}.*"
    with closing(source_for(sql_server, include)) as source:
        source.open(kept.position, dict(kept.notes))
        sql_server.execute("INSERT INTO `a b` VALUES (2)", "CREATE TABLE a_b (id INT)", database=sql_database)
        given = list[SourceEvent]()
        with pytest.raises(ConfigError, match=r"'a b' and '.*'\.'a_b' have one topic"):
            for _ in range(100):
                batch = source.read(0.2)
                kept.keep(batch)
                given += batch.changes
    assert rows(given) == [("a b", 2)]
    assert until_refused(sql_server, kept, include) == []
    events = follow(source_for(sql_server, include, exclude=(f"{sql_database}.a_b",)), kept)
    assert rows(events) == []
    sql_server.execute("INSERT INTO `a b` VALUES (4)", database=sql_database)
    assert rows(follow(source_for(sql_server, include, exclude=(f"{sql_database}.a_b",)), kept)) == [("a b", 4)]


def test_two_tables_that_shared_a_topic_while_capture_stood_still_stop_it_too(
    sql_server: Database, sql_database: str, kept: Kept
) -> None:
    sql_server.execute(
        "CREATE TABLE a_b (id INT)", "INSERT INTO a_b VALUES (2)", "DROP TABLE a_b", database=sql_database
    )
    assert until_refused(sql_server, kept, f"{sql_database}.*") == []


def test_a_table_may_have_the_topic_of_one_that_was_renamed_or_dropped(
    sql_server: Database, sql_database: str, kept: Kept
) -> None:
    sql_server.execute(
        "RENAME TABLE `a b` TO a_b",
        "INSERT INTO a_b VALUES (2)",
        "CREATE TABLE x (id INT)",
        "RENAME TABLE a_b TO y, x TO `a_b`, y TO x",
        "INSERT INTO a_b VALUES (3)",
        "DROP TABLE a_b",
        "CREATE TABLE `a$b` (id INT)",
        "INSERT INTO `a$b` VALUES (4)",
        database=sql_database,
    )
    events = follow(source_for(sql_server, f"{sql_database}.*"), kept)
    assert rows(events) == [("a_b", 2), ("a_b", 3), ("a$b", 4)]


def test_a_table_that_is_captured_later_on_may_not_share_a_topic_either(
    sql_server: Database, sql_database: str
) -> None:
    sql_server.execute("CREATE TABLE `a b` (id INT)", "CREATE TABLE a_b (id INT)", database=sql_database)
    kept = Kept()
    follow(source_for(sql_server, f"{sql_database}.a b"), kept)
    sql_server.execute(
        "INSERT INTO `a b` VALUES (1)", "INSERT INTO a_b VALUES (2)", "DROP TABLE `a b`", database=sql_database
    )
    assert until_refused(sql_server, kept, f"{sql_database}.*") == [("a b", 1)]


def test_a_search_in_the_log_of_before_meets_former_names_of_tables(sql_server: Database, sql_database: str) -> None:
    sql_server.execute("CREATE TABLE events (id INT)", "CREATE TABLE `a b` (id INT)", database=sql_database)
    prepare(sql_server, sql_database, sql_database, "INSERT INTO events VALUES (1)")
    sql_server.execute("INSERT INTO `a b` VALUES (2)", "RENAME TABLE `a b` TO a_b", database=sql_database)
    kept = Kept()
    assert rows(follow(source_for(sql_server, f"{sql_database}.*", snapshot="no_data"), kept)) == []
    end(sql_server, sql_database)
    assert rows(follow(source_for(sql_server, f"{sql_database}.*"), kept)) == [("events", 1)]


def test_kafka_itself_takes_dots_and_underscores_for_one_and_capture_says_so(
    kafka: Broker, topic_prefix: str, tmp_path: Path, mysql: Database, mysql_database: str
) -> None:
    mysql.execute("CREATE TABLE `a.b` (id INT)", "CREATE TABLE a_b (id INT)", "INSERT INTO `a.b` VALUES (1)",
                  "INSERT INTO a_b VALUES (1)", database=mysql_database)  # fmt: skip
    source = {"kind": "mysql", "url": mysql.url, "include": [f"{mysql_database}.*"]}
    topics = kafka_topic(kafka.bootstrap, topic_prefix)
    whole = config("dots", source, topics, f"sqlite:///{tmp_path}/state.db", f"{mysql_database}.a_b")
    line = Line(tmp_path, whole)
    line.run("connect", "--until-caught-up", check=False)
    assert line.returncode == 2
    assert f"{topic_prefix}.{mysql_database}.a" in line.stderr
    assert "source.exclude" in line.stderr


def test_tables_of_a_file_of_sqlite_may_have_any_name_but_not_one_topic(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    chosen = SqliteSettings(path, ("main.*",), "shop")
    with closing(sqlite3.connect(path, isolation_level=None)) as program:
        program.execute('CREATE TABLE "a ""b`$ü" (id INTEGER PRIMARY KEY)')
        program.execute('INSERT INTO "a ""b`$ü" VALUES (1)')
        with closing(SqliteSource(chosen)) as source:
            source.open(None)
            (change,) = source.read(0).changes
            assert isinstance(change, Change)
            assert change.table.name == 'a "b`$ü'
            program.execute("CREATE TABLE a__b___ (id INTEGER PRIMARY KEY)")
            with pytest.raises(ConfigError, match=r"have one topic, shop\.main\.a__b___"):
                source.read(0)
        assert [one.name for one in examine_sqlite(chosen) if one.status == "fail"] == ["topics of tables"]
        with closing(SqliteSource(chosen)) as source, pytest.raises(ConfigError, match="have one topic"):
            source.open(None)
        program.execute("DROP TABLE a__b___")
        with closing(SqliteSource(chosen)) as source:
            source.open(None)


COLLECTIONS = ["order lines", "tick`et", "größe", "fs.chunks", "😀", "a-b"]


@pytest.fixture
def client(mongo: Mongo) -> Iterator[pymongo.MongoClient[Any]]:
    with pymongo.MongoClient[Any](mongo.url) as connected:
        yield connected


def test_collections_of_any_name_are_captured_and_learned_from_by_their_own_name(
    mongo: Mongo, mongo_database: str, client: pymongo.MongoClient[Any], topic_prefix: str, tmp_path: Path
) -> None:
    names = COLLECTIONS
    database = client[mongo_database]
    for name in names:
        database[name].insert_many([{"_id": at, "price": at % 7, "clicked": at % 2} for at in range(12)])
    source = {"kind": "mongo", "url": mongo.url, "include": [f"{mongo_database}.*"], "store": "documents.db"}
    topics = file_topic(tmp_path / "topics", topic_prefix)
    whole = config("odd", source, topics, f"sqlite:///{tmp_path}/state.db", f"{mongo_database}.{LEARNED}")
    whole["examples"]["features"] = {"price": "numeric"}
    line = Line(tmp_path, whole)
    line.run("connect", "--until-caught-up")
    for name in names:
        database[name].update_one({"_id": 1}, {"$set": {"price": 9}})
        database[name].delete_one({"_id": 2})
    line.run("connect", "--until-caught-up")
    line.run("train", "--until-caught-up")
    assert line.json("checkpoints")[-1]["events"] >= 12
    with closing(FileReader(tmp_path / "topics")) as reader:
        for topic in ["order_lines", "tick_et", "gr__e", "fs.chunks", "__", "a-b"]:
            records = published(reader, f"{topic_prefix}.{mongo_database}.{topic}")
            assert [each.op for each in records] == ["r"] * 12 + ["u", "d", None], topic


def test_two_collections_with_one_topic_stop_capture_wherever_the_second_one_turns_up(
    mongo: Mongo, mongo_database: str, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    database = client[mongo_database]
    chosen = settings(mongo.url, tmp_path, f"{mongo_database}.*")
    database["a b"].insert_one({"_id": 1})
    with opened(chosen) as source:
        events, position = drained(source)
        assert [each.name for each in flat(events)] == [f"{mongo_database}.a b"]
    with opened(chosen, position) as source:
        database["apart"].insert_one({"_id": 1})
        drained(source)
        database["a_b"].insert_one({"_id": 1})
        with pytest.raises(ConfigError, match=r"'a b' and '.*'\.'a_b' have one topic"):
            drained(source)
    assert [one.name for one in examine_mongo(chosen) if one.status == "fail"] == ["topics of tables"]
    with pytest.raises(ConfigError, match="have one topic"), opened(chosen, position):
        pass
    database["a b"].insert_one({"_id": 2})
    database["a b"].rename("c d")
    with opened(chosen, position) as source, pytest.raises(ConfigError, match="have one topic"):
        drained(source)
    left_out = settings(mongo.url, tmp_path, f"{mongo_database}.*", exclude=(f"{mongo_database}.a_b",))
    with opened(left_out, position) as source:
        events, position = drained(source)
        assert [each.name for each in flat(events)] == [f"{mongo_database}.{name}" for name in ("apart", "a b")]


def test_a_collection_may_have_the_topic_of_one_that_was_renamed_or_dropped(
    mongo: Mongo, mongo_database: str, client: pymongo.MongoClient[Any], tmp_path: Path
) -> None:
    database = client[mongo_database]
    chosen = settings(mongo.url, tmp_path, f"{mongo_database}.*")
    database["a b"].insert_one({"_id": 1})
    with opened(chosen) as source:
        _, position = drained(source)
    database["a b"].insert_one({"_id": 2})
    database["a b"].rename("a_b")
    database["a_b"].insert_one({"_id": 3})
    database["a_b"].drop()
    database["aüb"].insert_one({"_id": 4})
    with opened(chosen, position) as source:
        events, _ = drained(source)
    names = [each.name.removeprefix(f"{mongo_database}.") for each in flat(events)]
    assert names == ["a b", "a_b", "aüb"]
