"""What ``doctor`` says of real servers: all well, and each thing that can be wrong with what mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.checks import Check
from connectors.mysql.doctor import examine
from connectors.mysql.grants import parse_grants
from connectors.mysql.schema import describe
from connectors.mysql.settings import MysqlSettings
from streamtrain.errors import ConfigError
from tests.connectors.mysql_capture import account, opened, settings_for, source_for
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers

RIGHTS = "REPLICATION SLAVE, REPLICATION CLIENT ON *.*"


def looked_at(server: Database, *include: str, **options: Any) -> dict[str, Check]:
    return {check.name: check for check in examine(settings_for(server, *include, **options))}


def amiss(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.status for name, check in checks.items() if check.status != "ok"}


def test_a_server_as_it_should_be_has_no_finding(sql_server: Database, sql_database: str) -> None:
    sql_server.execute("CREATE TABLE events (id INT PRIMARY KEY)", database=sql_database)
    checks = looked_at(sql_server, f"{sql_database}.events")
    assert amiss(checks) == {}
    assert {
        "mysql connection", "mysql version", "mysql log_bin", "mysql binlog_format", "mysql binlog_row_image",
        "mysql binlog_row_metadata", "mysql binlog_expire_logs_seconds", "mysql right to follow the log",
        "mysql right to monitor the log", "mysql source.server_id", "mysql tables", "mysql clock",
        f"mysql key of {sql_database}.events", f"mysql right to read {sql_database}.events",
    } <= set(checks)  # fmt: skip


WRONG = {
    "binlog_format": "STATEMENT",
    "binlog_row_image": "MINIMAL",
    "binlog_row_metadata": "MINIMAL",
    "binlog_expire_logs_seconds": "3600",
}


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_each_wrong_setting_is_named_with_the_statement_that_mends_it(
    flavor: str, request: pytest.FixtureRequest
) -> None:
    start: Callable[..., PrivateMySQL | PrivateMariaDB] = request.getfixturevalue(f"private_{flavor}")
    server = start()
    wrong = WRONG
    server.execute("CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY)")
    right = {name: server.execute(f"SELECT @@GLOBAL.{name}")[0][0] for name in wrong}
    server.execute(
        *(
            f"SET GLOBAL {name} = '{value}'" if not value.isdigit() else f"SET GLOBAL {name} = {value}"
            for name, value in wrong.items()
        )
    )
    checks = looked_at(server, "shop.events")
    bearable = {"binlog_expire_logs_seconds", "binlog_row_metadata"}
    assert amiss(checks) == {f"mysql {name}": "warn" if name in bearable else "fail" for name in wrong}
    for name, value in wrong.items():
        assert checks[f"mysql {name}"].found == value
        assert name in checks[f"mysql {name}"].remedy
        statement = checks[f"mysql {name}"].remedy.partition(",")[0]
        server.execute(statement)
        if "expire" not in name:
            assert server.execute(f"SELECT @@GLOBAL.{name}")[0][0] == right[name]
    assert amiss(looked_at(server, "shop.events")) == {}


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_a_server_without_a_log_is_told_how_to_start(flavor: str, request: pytest.FixtureRequest) -> None:
    start: Callable[..., PrivateMySQL | PrivateMariaDB] = request.getfixturevalue(f"private_{flavor}")
    options = (
        ("--skip-log-bin", "--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")
        if flavor == "mysql"
        else ("--skip-log-bin",)
    )
    server = start(*options)
    server.execute("CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY)")
    checks = looked_at(server, "shop.events")
    assert checks["mysql log_bin"].status == "fail"
    assert "--log-bin" in checks["mysql log_bin"].remedy
    if flavor == "mysql":
        assert checks["mysql gtid_mode"].status == "warn"


def test_each_missing_right_is_named_with_its_grant(
    sql_server: Database, sql_database: str, request: pytest.FixtureRequest
) -> None:
    sql_server.execute("CREATE TABLE events (id INT)", database=sql_database)
    mysql = request.node.callspec.params["sql_server"] == "mysql"
    table = f"`{sql_database}`.`events`"
    rights = {
        "REPLICATION SLAVE ON *.*": "mysql right to follow the log",
        "REPLICATION CLIENT ON *.*" if mysql else "BINLOG MONITOR ON *.*": "mysql right to monitor the log",
        f"SELECT ON {table}": f"mysql right to read {sql_database}.events",
    }
    if mysql:
        rights["RELOAD ON *.*"] = "mysql right to lock for the snapshot"
    for missing, name in rights.items():
        with account(sql_server, *(right for right in rights if right != missing)) as url:
            user = url.removeprefix("mysql://").partition(":")[0]
            checks = looked_at(sql_server, f"{sql_database}.events", url=url)
        assert checks[name].status == "fail"
        assert checks[name].remedy == f"GRANT {missing} TO '{user}'@'%'"
        assert set(amiss(checks)) - {f"mysql key of {sql_database}.events"} == {name} | (
            {"mysql tables"} if "SELECT" in missing else set()
        )


def test_lock_tables_does_in_place_of_reload(mysql: Database, mysql_database: str) -> None:
    mysql.execute("CREATE TABLE events (id INT)", database=mysql_database)
    for right, status in ((f"LOCK TABLES ON {mysql_database}.*", "ok"), ("LOCK TABLES ON shop_elsewhere.*", "fail")):
        with account(mysql, RIGHTS, f"SELECT ON {mysql_database}.*", right) as url:
            checks = looked_at(mysql, f"{mysql_database}.*", url=url)
        assert checks["mysql right to lock for the snapshot"].status == status
        key = {f"mysql key of {mysql_database}.events"}
        assert set(amiss(checks)) - key == (set() if status == "ok" else {"mysql right to lock for the snapshot"})


def test_no_lock_is_asked_for_where_every_table_has_a_key(mysql: Database, mysql_database: str) -> None:
    mysql.execute("CREATE TABLE events (id INT PRIMARY KEY)", database=mysql_database)
    with account(mysql, RIGHTS, f"SELECT ON {mysql_database}.*") as url:
        assert amiss(looked_at(mysql, f"{mysql_database}.*", url=url)) == {}


def test_a_wildcard_over_tables_that_may_not_be_seen_is_warned_of(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(
        "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)", database=sql_database
    )
    with account(sql_server, RIGHTS, "RELOAD ON *.*", f"SELECT ON {sql_database}.a") as url:
        checks = looked_at(sql_server, f"{sql_database}.*", url=url)
    assert amiss(checks) == {f"mysql right to read {sql_database}.*": "warn"}


def test_tables_are_looked_at_one_by_one(
    sql_server: Database, sql_database: str, request: pytest.FixtureRequest
) -> None:
    mysql = request.node.callspec.params["sql_server"] == "mysql"
    sql_server.execute(
        "CREATE TABLE keyless (a INT)", "CREATE TABLE plain (id INT PRIMARY KEY) ENGINE = MyISAM",
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT fk_p FOREIGN KEY (p) REFERENCES parent(id) ON DELETE CASCADE)",
        "CREATE VIEW seen AS SELECT * FROM parent", database=sql_database,
    )  # fmt: skip
    checks = looked_at(sql_server, f"{sql_database}.*", f"{sql_database}.seen", f"{sql_database}.missing")
    expected = {
        f"mysql key of {sql_database}.keyless": "warn",
        f"mysql engine of {sql_database}.plain": "fail",
        f"mysql table {sql_database}.seen": "fail",
        f"mysql table {sql_database}.missing": "fail",
    }
    if not mysql:
        expected[f"mysql foreign keys of {sql_database}.child"] = "fail"
        assert "fk_p" in checks[f"mysql foreign keys of {sql_database}.child"].remedy
    assert amiss(checks) == expected
    assert amiss(looked_at(sql_server, f"{sql_database}.nothing*")) == {"mysql tables": "fail"}
    no_data = looked_at(sql_server, f"{sql_database}.plain", snapshot="no_data")
    assert amiss(no_data) == {}


def test_a_table_that_cannot_be_captured_is_named(mariadb: Database, mariadb_database: str) -> None:
    mariadb.execute("CREATE TABLE t (id INT PRIMARY KEY) WITH SYSTEM VERSIONING", database=mariadb_database)
    checks = looked_at(mariadb, f"{mariadb_database}.t")
    assert amiss(checks) == {f"mysql types of {mariadb_database}.t": "fail"}
    assert "system-versioned" in checks[f"mysql types of {mariadb_database}.t"].found


def test_a_server_id_that_is_taken_is_told(sql_server: Database, sql_database: str) -> None:
    own = sql_server.execute("SELECT @@server_id")[0][0]
    checks = looked_at(sql_server, f"{sql_database}.*", server_id=own)
    assert checks["mysql source.server_id"].status == "fail"
    with opened(source_for(sql_server, f"{sql_database}.*", snapshot="no_data", server_id=4_000_000_001)):
        checks = looked_at(sql_server, f"{sql_database}.*", server_id=4_000_000_001)
    assert checks["mysql source.server_id"].status == "warn"


def test_a_clock_that_differs_is_warned_of(sql_server: Database, sql_database: str) -> None:
    settings = settings_for(sql_server, f"{sql_database}.*")
    shown = float(sql_server.execute("SELECT UNIX_TIMESTAMP(SYSDATE(6))")[0][0])
    checks = {check.name: check for check in examine(settings, clock=lambda: shown - 90)}
    assert checks["mysql clock"].status == "warn"
    assert checks["mysql clock"].found.startswith("+90.")


def test_a_server_that_does_not_answer_has_one_line() -> None:
    (check,) = examine(MysqlSettings("mysql://root:s3cret@127.0.0.1:1", ("a.b",), "p"))
    assert "s3cret" not in f"{check}"
    assert (check.name, check.status) == ("mysql connection", "fail")


def test_grants_are_read_with_their_patterns() -> None:
    held = parse_grants(
        [
            "GRANT SELECT, REPLICATION SLAVE ON *.* TO `u`@`%` WITH GRANT OPTION",
            "GRANT LOCK TABLES ON `sh\\_p%`.* TO `u`@`%`",
            "GRANT ALL PRIVILEGES ON `a``b`.* TO `u`@`%`",
            "GRANT RELOAD (x) ON `shop`.`t` TO `u`@`%`",
            "GRANT `role`@`%` TO `u`@`%`",
            "GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION",
        ]
    )
    assert held.everywhere("REPLICATION SLAVE")
    assert held.everywhere("RELOAD", "SELECT")
    assert not held.everywhere("RELOAD", "LOCK TABLES")
    assert held.on_database("sh_p1", "LOCK TABLES")
    assert held.on_database("anything", "SELECT")
    assert not held.on_database("shop", "LOCK TABLES")
    assert held.on_database("a`b", "LOCK TABLES")
    assert parse_grants(["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`"]).everywhere("RELOAD")


def test_features_are_suggested_by_the_columns_types(sql_server: Database, sql_database: str) -> None:
    sql_server.execute(
        "CREATE TABLE t (b INT, a INT, flag BOOLEAN, bit1 BIT(1), bits BIT(8), price DECIMAL(9,2), ratio FLOAT, y YEAR, took TIME,"
        " c CHAR(3), v VARCHAR(255), prose VARCHAR(256), body TEXT, e ENUM('x'), s SET('x'), d DATE, dt DATETIME(6),"
        " ts TIMESTAMP NULL, raw BLOB, place POINT, PRIMARY KEY (b, a))",
        database=sql_database,
    )
    columns, key = describe(sql_server.url, f"{sql_database}.t")
    assert key == ("b", "a")
    assert columns == [
        ("b", "numeric"), ("a", "numeric"), ("flag", "boolean"), ("bit1", "boolean"), ("bits", "unsupported"),
        ("price", "numeric"), ("ratio", "numeric"), ("y", "numeric"), ("took", "numeric"), ("c", "categorical"),
        ("v", "categorical"), ("prose", "text"), ("body", "text"), ("e", "categorical"), ("s", "categorical"),
        ("d", "datetime"), ("dt", "datetime"), ("ts", "datetime"), ("raw", "unsupported"), ("place", "unsupported"),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="no table"):
        describe(sql_server.url, f"{sql_database}.T_MISSING")
