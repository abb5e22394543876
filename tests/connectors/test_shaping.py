"""What is left out, masked, hashed or cut is published nowhere: not in keys, images, headers or changes of structure."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.serializing import JsonSerializer
from connectors.shaping import ShapingSerializer, ShapingSettings
from connectors.source import Change, FieldType, Row, SchemaChange, SourceEvent, Table
from streamtrain.envelope import Op
from streamtrain.errors import ConfigError
from streamtrain.topic.base import Message
from tests.line import Line

SECRET = "s3cret"
TEXT, NUMBER = FieldType("string", optional=True), FieldType("int32", optional=True)
TABLE = Table("shop", "users", ("id", "name", "email", "age"), (0,), (NUMBER, TEXT, TEXT, NUMBER))
ORIGIN = {"connector": "mysql", "ts_ms": 1, "row": 0, "snapshot": "false"}
EMAIL = ("shop.users.email",)


def published(event: SourceEvent, **settings: Any) -> list[Message]:
    serializer = ShapingSerializer(JsonSerializer("p"), ShapingSettings(**settings))
    found = [one for addressed in serializer.serialize(event, 0) for one in addressed.messages]
    for one in found:
        headers = b"".join(value for _, value in one.headers)
        assert SECRET.encode() not in (one.key or b"") + (one.value or b"") + headers
    return found


def row(number: int = 1, name: str | None = "Ann", email: str | None = SECRET, age: int = 7) -> Row:
    return (number, name, email, age)


def after(message: Message) -> Any:
    return orjson.loads(message.value or b"null")["after"]


def inserted(*rows: Row) -> Change:
    return Change(TABLE, Op.CREATE, None, rows, ORIGIN)


def test_columns_are_left_out_of_images_and_of_changes_of_structure() -> None:
    for settings in ({"exclude": EMAIL}, {"include": ("shop.users.id", "shop.*.name", "shop.users.age")}):
        (one,) = published(inserted(row()), **settings)
        assert after(one) == {"id": 1, "name": "Ann", "age": 7}
        columns = [
            {"name": name, "defaultValueExpression": SECRET if name == "email" else None} for name in TABLE.columns
        ]
        change = {"type": "CREATE", "id": '"shop"."users"', "table": {"columns": columns}}
        (one,) = published(
            SchemaChange("shop", "CREATE TABLE", ORIGIN, [change, {**change, "table": None}]), **settings
        )
        shown = orjson.loads(one.value or b"")["tableChanges"][0]["table"]["columns"]
        assert [column["name"] for column in shown] == ["id", "name", "age"]


def test_text_is_masked_even_null_and_cut_and_hashed_as_debezium_does() -> None:
    rows = [row(), row(2, email=None)]
    assert [after(one)["email"] for one in published(inserted(*rows), mask={EMAIL[0]: 3})] == ["***", "***"]
    assert [after(one)["email"] for one in published(inserted(*rows), mask={EMAIL[0]: 0})] == ["", ""]
    assert [after(one)["email"] for one in published(inserted(*rows), truncate={EMAIL[0]: 2})] == ["s3", None]
    (hashed, null) = published(inserted(row(email="hello"), rows[1]), hash=EMAIL, hash_salt="salt")
    # SHA-256 of salt and text: echo -n salthello | sha256sum
    assert after(hashed)["email"] == "cd31b3b98ece60cb739c0bf770b2de892ae0ad133f645513c3d83f08757a843a"
    assert after(null)["email"] is None


def test_before_and_after_are_treated_alike() -> None:
    update = Change(TABLE, Op.UPDATE, [row()], [row(age=8)], ORIGIN)
    (one,) = published(update, mask={EMAIL[0]: 3})
    document = orjson.loads(one.value or b"")
    assert document["before"]["email"] == document["after"]["email"] == "***"
    gone, tombstone = published(Change(TABLE, Op.DELETE, [row()], None, ORIGIN), exclude=EMAIL)
    assert "email" not in orjson.loads(gone.value or b"")["before"]
    assert tombstone.value is None


def test_an_own_key_decides_what_a_moved_key_is() -> None:
    update = Change(TABLE, Op.UPDATE, [row()], [row(name="Bea")], ORIGIN)
    messages = published(update, keys={"shop.users": ("name",)}, mask={EMAIL[0]: 1})
    assert [one.key for one in messages] == [b'{"name":"Ann"}', b'{"name":"Ann"}', b'{"name":"Bea"}']
    (one,) = published(update, mask={EMAIL[0]: 1})
    assert one.key == b'{"id":1}'
    with pytest.raises(ConfigError, match="no column 'nick'"):
        published(update, keys={"shop.users": ("nick",)})


def test_a_hashed_column_may_be_a_key_and_others_may_not() -> None:
    keys = {"shop.users": ("email",)}
    (one,) = published(inserted(row()), keys=keys, hash=EMAIL, hash_salt="x")
    assert orjson.loads(one.key or b"")["email"] == after(one)["email"] != SECRET
    for settings in ({"exclude": EMAIL}, {"mask": {EMAIL[0]: 3}}, {"truncate": {EMAIL[0]: 3}}):
        with pytest.raises(ConfigError, match="part of the key") as refused:
            published(inserted(row()), keys=keys, **settings)
        assert SECRET not in str(refused.value)


def test_only_text_can_be_masked_whether_the_type_is_known_or_not() -> None:
    untyped = Table("shop", "users", TABLE.columns, (0,))
    for table in (TABLE, untyped):
        with pytest.raises(ConfigError, match=r"shop\.users\.age holds no text"):
            published(Change(table, Op.CREATE, None, [row()], ORIGIN), mask={"*.age": 3}, exclude=EMAIL)


def test_an_update_that_changes_nothing_that_is_published_is_left_out_if_asked_for() -> None:
    update = Change(TABLE, Op.UPDATE, [row(), row(2)], [row(email=SECRET + "2"), row(2, age=9)], ORIGIN)
    assert len(published(update, exclude=EMAIL)) == 2
    (one,) = published(update, exclude=EMAIL, skip_unchanged=True)
    assert after(one)["id"] == 2
    assert published(Change(TABLE, Op.UPDATE, [row()], [row()], ORIGIN), skip_unchanged=True, exclude=EMAIL) == []


def test_operations_and_tombstones_are_left_out_if_asked_for() -> None:
    truncate = Change(Table("shop", "users", ()), Op.TRUNCATE, None, None, ORIGIN)
    assert len(published(truncate)) == 1
    assert published(truncate, skipped=frozenset({Op.TRUNCATE})) == []
    delete = Change(TABLE, Op.DELETE, [row(email=None)], None, ORIGIN)
    assert [one.value is None for one in published(delete)] == [False, True]
    assert [one.value is None for one in published(delete, tombstones=False)] == [False]
    moved = Change(TABLE, Op.UPDATE, [row(email=None)], [row(3, email=None)], ORIGIN)
    assert [len(one.headers) for one in published(moved, tombstones=False)] == [1, 1]


def test_what_is_not_shaped_is_passed_on_as_it_is() -> None:
    (one,) = published(inserted(row(email="x")))
    (addressed,) = JsonSerializer("p").serialize(inserted(row(email="x")), 0)
    assert list(addressed.messages) == [one]


def test_a_connector_so_configured_writes_no_hidden_text_and_no_excluded_table_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, nick TEXT, note TEXT)")
        connection.execute("CREATE TABLE others (id INTEGER PRIMARY KEY, email TEXT)")
        connection.execute("INSERT INTO users VALUES (1, ?, ?, ?)", (SECRET, SECRET, "seen " + SECRET))
        connection.execute("INSERT INTO others VALUES (1, ?)", (SECRET,))
    source = {
        "kind": "sqlite", "url": f"sqlite:///{file}", "include": ["main.*"], "exclude": ["main.others"],
        "column_exclude_list": ["main.users.email"], "column_mask_hash_v2": {"columns": ["main.*.nick"], "salt": "pepp3r"},
        "column_truncate_to_chars": {"main.users.note": 4},
    }  # fmt: skip
    topic = {"kind": "file", "directory": str(tmp_path / "topics"), "prefix": "p"}
    state = {"url": f"sqlite:///{tmp_path}/state.db"}
    examples = {"from": "main.users", "label": "id", "task": "regression", "features": {"note": "categorical"}}
    model = {"kind": "ftrl"}
    line = Line(
        tmp_path, {"name": "n", "source": source, "topic": topic, "state": state, "examples": examples, "model": model}
    )
    line.run("connect", "--until-caught-up")
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE users SET email = ?, nick = ?, note = ?", (SECRET + "2", SECRET + "3", "more" + SECRET)
        )
    line.run("connect", "--until-caught-up")
    written = [path for path in (tmp_path / "topics").rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in [*written, tmp_path / "state.db", *tmp_path.glob("*.err")])
    assert b'"note":"more"' in everything
    assert SECRET.encode() not in everything
    assert b"pepp3r" not in everything
    assert not [path for path in written if "others" in path.name]
