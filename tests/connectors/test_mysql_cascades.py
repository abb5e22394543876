"""Foreign keys by which a server changes rows that it does not log: capture cannot show the changes, so it says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.mysql.address import address
from connectors.mysql.cascades import CascadeWarnings
from connectors.mysql.connection import Connection
from connectors.mysql.doctor import examine
from streamtrain.envelope import Op
from streamtrain.errors import SourceUnavailable
from tests.connectors.mysql_capture import account, opened, plain, read_to_end, seen, settings_for, source_for
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

RIGHTS = ("SELECT ON shop.*", "REPLICATION SLAVE, REPLICATION CLIENT ON *.*")
CHILDREN = {
    "deleted": "CONSTRAINT `the ``key` FOREIGN KEY (p) REFERENCES shop.parents (id) ON DELETE CASCADE",
    "emptied": "CONSTRAINT e FOREIGN KEY (p) REFERENCES shop.parents (id) ON DELETE SET NULL ON UPDATE NO ACTION",
    "moved": "CONSTRAINT m FOREIGN KEY (p) REFERENCES shop.parents (id) ON DELETE RESTRICT ON UPDATE CASCADE",
    "kept": "note VARCHAR(60) DEFAULT 'x ON DELETE CASCADE', FOREIGN KEY (p) REFERENCES shop.parents (id)",
    "elsewhere": "CONSTRAINT x FOREIGN KEY (p) REFERENCES shop.parents (id) ON DELETE CASCADE",
    "later": "KEY (p)",
}
TABLES = (
    "CREATE TABLE shop.parents (id INT PRIMARY KEY)",
    *(f"CREATE TABLE shop.{name} (id INT PRIMARY KEY, p INT, {more})" for name, more in CHILDREN.items()),
    "INSERT INTO shop.parents VALUES (1), (2)",
    "INSERT INTO shop.deleted VALUES (10, 1)",
)
CAPTURED = [f"shop.{name}" for name in ("parents", "deleted", "emptied", "moved", "kept", "later")]


@pytest.fixture(params=["mysql", "mariadb"])
def silent_server(request: pytest.FixtureRequest) -> PrivateMySQL | PrivateMariaDB:
    """A server that does not log what foreign keys do: MariaDB, and MySQL as it was before 9.6."""
    start: Callable[..., PrivateMySQL | PrivateMariaDB] = request.getfixturevalue(f"private_{request.param}")
    server = start("--innodb-native-foreign-keys=ON") if request.param == "mysql" else start()
    server.execute("CREATE DATABASE shop", *TABLES)
    return server


def warnings(logged: list[Any]) -> list[str]:
    return [line["tables"] for line in logged if "foreign keys" in line["event"]]


def operations(changes: list[Any]) -> list[tuple[str, Op]]:
    return [(change.table.name, op) for change in changes for op, _, _ in seen([change])]


def test_tables_whose_rows_change_without_a_trace_are_warned_of_when_they_are_opened_and_when_they_get_such_a_key(
    silent_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    with account(silent_server, *RIGHTS) as url, capture_logs() as logged:
        source = source_for(silent_server, *CAPTURED, url=url, snapshot="no_data")
        with opened(source):
            name = "`the ``key`" if isinstance(silent_server, PrivateMySQL) else "`the `key`"
            assert warnings(logged) == [f"shop.deleted ({name}), shop.emptied (`e`), shop.moved (`m`)"]
            silent_server.execute(
                "DELETE FROM shop.parents WHERE id = 1",
                "ALTER TABLE shop.kept ADD COLUMN more INT",
                "ALTER TABLE shop.later ADD CONSTRAINT l FOREIGN KEY (p) REFERENCES shop.parents (id) on delete  cascade",
            )
            changes, _ = read_to_end(source)
            assert operations(changes) == [("parents", Op.DELETE)]
            assert silent_server.execute("SELECT COUNT(*) FROM shop.deleted") == [(0,)]
            assert warnings(logged)[1:] == ["shop.later (`l`)"]
            silent_server.execute("RENAME TABLE shop.later TO shop.away, shop.elsewhere TO shop.later")
            read_to_end(source)
            assert warnings(logged)[2:] == ["shop.later (`x`)"]
        checks = examine(settings_for(silent_server, *CAPTURED, url=url))
    assert all("RESTRICT" in line["hint"] for line in logged if "foreign keys" in line["event"])
    amiss = [check.name for check in checks if "foreign keys" in check.name and check.status == "fail"]
    assert amiss == [f"mysql foreign keys of shop.{name}" for name in ("deleted", "emptied", "later", "moved")]


def test_a_warning_that_a_server_could_not_be_asked_for_is_given_after_the_next_alteration(
    silent_server: PrivateMySQL | PrivateMariaDB,
) -> None:
    answers = iter([False, True])

    def connect() -> Connection:
        if not next(answers):
            raise SourceUnavailable("too many connections")
        return Connection(address(plain(silent_server.url)))

    warner = CascadeWarnings(lambda _database, name: name == "emptied", connect)
    with capture_logs() as logged:
        warner.saw("ALTER TABLE emptied ADD FOREIGN KEY (p) REFERENCES parents (id) ON DELETE CASCADE")
        assert warnings(logged) == []
        for _ in range(2):
            warner.saw("ALTER TABLE emptied ADD COLUMN more INT")
        assert warnings(logged) == ["shop.emptied (`e`)"]


def test_a_server_that_logs_what_foreign_keys_do_is_captured_without_a_warning(
    mysql: Database, mysql_database: str
) -> None:
    mysql.execute(*(statement.replace("shop", mysql_database) for statement in TABLES))
    with capture_logs() as logged, opened(source_for(mysql, f"{mysql_database}.*", snapshot="no_data")) as source:
        mysql.execute("DELETE FROM parents WHERE id = 1", database=mysql_database)
        changes, _ = read_to_end(source)
    assert operations(changes) == [("deleted", Op.DELETE), ("parents", Op.DELETE)]
    assert warnings(logged) == []
