"""What is left out, masked, hashed, cut or skipped, from a real server to a real broker, by the rows there are and by the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamtrain.topic.base import TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings
from tests.fault.lines import config, kafka_topic, mysql_source
from tests.fault.test_outages import until
from tests.line import Line, Published, content, published
from tests.servers import Broker, Database

SECRET, SALT = "s3cret", "pepp3r"
TABLES = (
    "CREATE TABLE users (id INT PRIMARY KEY, name TEXT, email TEXT, phone TEXT, nick TEXT, note TEXT)",
    "CREATE TABLE notes (n INT PRIMARY KEY, author VARCHAR(20), body TEXT)",
    "CREATE TABLE notes_hidden (n INT PRIMARY KEY, body TEXT)",
    "CREATE TABLE others (n INT PRIMARY KEY, body TEXT)",
)
ROWS = (
    f"INSERT INTO users VALUES (1, 'Ann', '{SECRET}', '{SECRET}', '{SECRET}', 'seen {SECRET}'), (2, 'Bob', NULL, NULL, NULL, NULL)",
    "INSERT INTO notes VALUES (1, 'Ann', 'one')",
    f"INSERT INTO notes_hidden VALUES (1, '{SECRET}')",
    f"INSERT INTO others VALUES (1, '{SECRET}')",
)
CHANGES = (
    f"UPDATE users SET email = '{SECRET} 2', phone = '{SECRET} 3' WHERE id = 1",  # nothing of it is published
    f"UPDATE users SET note = 'more {SECRET}', nick = '{SECRET} 4', name = 'Anna' WHERE id = 1",
    f"INSERT INTO users VALUES (3, 'Cid', '{SECRET} 5', '{SECRET} 6', NULL, NULL)",
    "DELETE FROM users WHERE id = 2",
    f"INSERT INTO notes_hidden VALUES (2, '{SECRET} 7')",
    f"UPDATE others SET body = '{SECRET} 8'",
    "UPDATE notes SET author = 'Bob' WHERE n = 1",
    "UPDATE notes SET n = 2 WHERE n = 1",
    "TRUNCATE TABLE notes",
    "INSERT INTO notes VALUES (3, 'Cid', 'three')",
)


def hashed(text: str) -> str:
    return hashlib.sha256((SALT + text).encode()).hexdigest()


def user(number: int, name: str, nick: str | None, note: str | None) -> dict[str, Any]:
    return {"id": number, "name": name, "phone": "*****", "nick": nick, "note": note}


def note(number: int, author: str, body: str) -> dict[str, Any]:
    return {"n": number, "author": author, "body": body}


ANN, ANNA = user(1, "Ann", hashed(SECRET), "seen"), user(1, "Anna", hashed(f"{SECRET} 4"), "more")
BOB, CID = user(2, "Bob", None, None), user(3, "Cid", None, None)
USERS = [
    Published("r", {"id": 1}, None, ANN),
    Published("r", {"id": 2}, None, BOB),
    Published("u", {"id": 1}, ANN, ANNA),
    Published("c", {"id": 3}, None, CID),
    Published("d", {"id": 2}, BOB, None),
]
NOTES = [
    Published("r", {"author": "Ann"}, None, note(1, "Ann", "one")),
    Published("d", {"author": "Ann"}, note(1, "Ann", "one"), None),
    Published("c", {"author": "Bob"}, None, note(1, "Bob", "one")),
    Published("u", {"author": "Bob"}, note(1, "Bob", "one"), note(2, "Bob", "one")),
    Published("c", {"author": "Cid"}, None, note(3, "Cid", "three")),
]


def shaped(server: Database, database: str) -> dict[str, Any]:
    return mysql_source(server.url, database) | {
        "include": [f"{database}.users", f"{database}.notes*"],
        "exclude": [f"{database}.*_hidden"],
        "column_exclude_list": [f"{database}.users.email"],
        "column_mask_with_chars": {f"{database}.users.phone": 5},
        "column_mask_hash_v2": {"columns": [f"{database}.*.nick"], "salt": SALT},
        "column_truncate_to_chars": {f"{database}.users.note": 4},
        "message_key_columns": {f"{database}.notes": ["author"]},
        "skip_messages_without_change": True,
        "skipped_operations": ["t"],
        "tombstones_on_delete": False,
        "heartbeat_ms": 50,
    }


@pytest.fixture
def reader(kafka: Broker) -> Iterator[KafkaReader]:
    with closing(KafkaReader(KafkaSettings(kafka.bootstrap))) as opened:
        yield opened


def test_what_is_hidden_or_skipped_is_in_no_topic_and_all_else_is(
    sql_server: Database, sql_database: str, kafka: Broker, topic_prefix: str, reader: KafkaReader, tmp_path: Path
) -> None:
    sql_server.execute(*TABLES, *ROWS, database=sql_database)
    topics, state = kafka_topic(kafka.bootstrap, topic_prefix), f"sqlite:///{tmp_path}/state.db"
    settings = config("shaped", shaped(sql_server, sql_database), topics, state, f"{sql_database}.users")
    line, heartbeats = Line(tmp_path, settings), TopicPartition(f"__debezium-heartbeat.{topic_prefix}", 0)
    users, notes = (f"{topic_prefix}.{sql_database}.{name}" for name in ("users", "notes"))

    line.run("connect", "--until-caught-up")
    assert (published(reader, users), published(reader, notes)) == (USERS[:2], NOTES[:1])

    sql_server.execute(*CHANGES, database=sql_database)
    with line.running("connect"):
        until(lambda: published(reader, notes)[-1].key == {"author": "Cid"}, "the last change is published")
        before = reader.watermarks(heartbeats).high
        until(lambda: reader.watermarks(heartbeats).high > before, "a heartbeat comes though nothing changes")
    assert (published(reader, users), published(reader, notes)) == (USERS, NOTES)

    written = [name for name in kafka.admin().list_topics(timeout=10).topics if topic_prefix in name]
    assert not [name for name in written if "hidden" in name or "others" in name]
    everything = {name: content(reader, TopicPartition(name, 0)) for name in written}
    everything |= {path.name: path.read_bytes() for path in (*tmp_path.glob("*.err"), *tmp_path.glob("*.db"))}
    assert everything[heartbeats.topic].count(b'"serverName"') >= 2
    assert b"TABLE" in everything[topic_prefix]
    for hidden in (SECRET, SALT, "notes_hidden", "others"):
        assert [name for name, text in everything.items() if hidden.encode() in text] == []
