"""The mysql service and the generator: flags, health check, rights and writes, on a private server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pymysql
import pytest

from tests.deploy import compose
from tests.deploy.database import INIT, PASSWORDS, SERVICE, as_root, client, generate, set_up
from tests.servers.mysql import PrivateMySQL
from tests.servers.ports import free_port

pytestmark = pytest.mark.servers


def as_user(server: PrivateMySQL, user: str, password: str, *statements: str) -> Sequence[tuple[Any, ...]]:
    with closing(server.connect(user=user, password=PASSWORDS[password])) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def as_source(server: PrivateMySQL, *statements: str) -> Sequence[tuple[Any, ...]]:
    return as_user(server, "streamtrain", "SOURCE_PASSWORD", *statements)


def as_state(server: PrivateMySQL, *statements: str) -> Sequence[tuple[Any, ...]]:
    return as_user(server, "streamtrain_state", "STATE_PASSWORD", *statements)


def as_generator(server: PrivateMySQL, *statements: str) -> Sequence[tuple[Any, ...]]:
    return as_user(server, "generator", "GENERATOR_PASSWORD", *statements)


def written_row_events(server: PrivateMySQL) -> set[str]:
    """The kinds of row event in the binary logs, from the first to the last."""
    found = set()
    for log, *_ in server.execute("SHOW BINARY LOGS"):
        found |= {row[2] for row in server.execute(f"SHOW BINLOG EVENTS IN '{log}'") if "_rows" in row[2]}
    return found


def test_the_image_is_of_the_version_that_is_tested(server: PrivateMySQL) -> None:
    ((version,),) = server.execute("SELECT VERSION()")
    assert version.startswith(SERVICE["image"].removeprefix("mysql:") + ".")


@pytest.fixture
def empty_shop(server: PrivateMySQL) -> PrivateMySQL:
    """The server with no rows of earlier tests in ``shop.events``."""
    server.execute("TRUNCATE TABLE shop.events")
    return server


def test_every_flag_is_in_force_on_the_server(server: PrivateMySQL) -> None:
    flags = dict([*flag.removeprefix("--").split("=", 1), "ON"][:2] for flag in SERVICE["command"])
    ignored = flags.pop("binlog-ignore-db")  # no variable: shown with the log's status
    assert server.execute("SHOW BINARY LOG STATUS")[0][3] == ignored
    assert server.execute("SELECT @@log_bin_basename")[0][0].endswith("/" + flags.pop("log-bin"))
    assert flags.pop("mysqlx") == "OFF"
    plugins = {name: status for name, status, *_ in server.execute("SHOW PLUGINS")}
    assert plugins["mysqlx"] == "DISABLED"
    flags["innodb-buffer-pool-size"] = str(int(flags["innodb-buffer-pool-size"].removesuffix("M")) << 20)
    for flag, value in flags.items():
        ((_, shown),) = server.execute(f"SHOW GLOBAL VARIABLES LIKE '{flag.replace('-', '_')}'")
        assert shown == value, flag


def test_the_health_check_passes_on_a_running_server_and_fails_on_none(server: PrivateMySQL) -> None:
    _, program, *arguments = SERVICE["healthcheck"]["test"]
    command = (*client(program), "--no-defaults", *arguments)
    running = subprocess.run((*command, f"--port={server.port}"), capture_output=True, check=False)
    assert running.returncode == 0
    none = subprocess.run((*command, f"--port={free_port()}"), capture_output=True, check=False)
    assert none.returncode != 0


def test_setting_up_again_stops_at_the_first_error(server: PrivateMySQL) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        set_up(server)


@pytest.mark.parametrize("missing", PASSWORDS)
def test_setting_up_without_a_password_stops_before_any_sql(missing: str) -> None:
    script = f"set -eo pipefail\ndocker_process_sql() {{ cat; }}\n{INIT.read_text()}"
    environ = os.environ | PASSWORDS | {missing: ""}
    finished = subprocess.run(("bash", "-c", script), env=environ, capture_output=True, check=False)
    assert finished.returncode != 0
    assert finished.stdout == b""


def test_the_source_user_reads_the_shop_and_the_log_and_no_more(server: PrivateMySQL) -> None:
    assert as_source(server, "SELECT COUNT(*) FROM shop.events")
    assert as_source(server, "SHOW BINARY LOG STATUS")
    grants = {grant for (grant,) in as_source(server, "SHOW GRANTS")}
    assert grants == {
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `streamtrain`@`%`",
        "GRANT SELECT ON `shop`.* TO `streamtrain`@`%`",
    }


@pytest.mark.parametrize(
    ("user", "statement"),
    [
        (as_source, "DELETE FROM shop.events"),
        (as_source, "CREATE TABLE streamtrain.x (id INT)"),
        (as_state, "SELECT * FROM shop.events"),
        (as_generator, "TRUNCATE TABLE shop.events"),
        (as_generator, "CREATE TABLE streamtrain.x (id INT)"),
    ],
)
def test_no_user_reaches_beyond_its_task(server: PrivateMySQL, user: Callable[..., object], statement: str) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="command denied"):
        user(server, statement)


def test_what_is_stored_as_state_stays_out_of_the_log_that_the_connector_reads(server: PrivateMySQL) -> None:
    before = server.execute("SELECT @@GLOBAL.gtid_executed")
    start = server.execute("SHOW BINARY LOG STATUS")[0][:2]
    as_state(
        server,
        "USE streamtrain",
        "CREATE TABLE part (id INT PRIMARY KEY, body LONGBLOB)",
        "INSERT INTO part VALUES (1, REPEAT('x', 1000000))",
        "COMMIT",
        "DROP TABLE part",
    )
    end = server.execute("SHOW BINARY LOG STATUS")[0][:2]
    assert end[0] == start[0]
    assert end[1] - start[1] < 1000
    assert server.execute("SELECT @@GLOBAL.gtid_executed") == before


def test_the_documented_backup_brings_the_state_back(server: PrivateMySQL) -> None:
    text = (compose.ROOT / "docs/deploy.md").read_text()
    (dump,) = re.findall(r"mysqldump (.*)' >", text)
    (restore,) = re.findall(r"MYSQL_ROOT_PASSWORD mysql (.*)' <", text)
    blob = "UNHEX('00FF27225C0A')"
    as_state(server, "CREATE TABLE streamtrain.part (body LONGBLOB)", f"INSERT INTO streamtrain.part VALUES ({blob})")
    saved = as_root(server, "mysqldump", *dump.split())
    as_state(server, "DROP TABLE streamtrain.part")
    as_root(server, "mysql", *restore.split(), stdin=saved)
    assert as_state(server, f"SELECT body = {blob} FROM streamtrain.part") == ((1,),)
    as_state(server, "DROP TABLE streamtrain.part")


def test_the_generator_writes_inserts_updates_and_deletes_up_to_its_limit(empty_shop: PrivateMySQL) -> None:
    finished = generate(empty_shop, LIMIT="2000")
    assert finished.returncode == 0, finished.stderr
    counts = {kind: int(number) for number, kind in re.findall(r"(\d+) (\w+)", finished.stderr.splitlines()[-1])}
    assert sum(counts[kind] for kind in ("inserted", "answered", "corrected", "deleted")) == 2000
    assert min(counts[kind] for kind in ("inserted", "answered", "corrected", "deleted")) > 0
    assert written_row_events(empty_shop) == {"Write_rows", "Update_rows", "Delete_rows"}
    ((rows, answered),) = as_generator(empty_shop, "SELECT COUNT(*), COUNT(clicked) FROM shop.events")
    assert rows == counts["inserted"] - counts["deleted"]
    assert answered == counts["answered"] - counts["deleted"]


def test_a_generator_started_again_answers_what_the_one_before_left(empty_shop: PrivateMySQL) -> None:
    generate(empty_shop, LIMIT="300")
    (left,) = as_generator(empty_shop, "SELECT MIN(id) FROM shop.events WHERE clicked IS NULL")[0]
    assert generate(empty_shop, LIMIT="600", SEED="8").returncode == 0
    ((clicked,),) = as_generator(empty_shop, f"SELECT clicked IS NULL FROM shop.events WHERE id = {left}") or ((0,),)
    assert clicked == 0


def test_the_generator_keeps_the_table_small(empty_shop: PrivateMySQL) -> None:
    assert generate(empty_shop, LIMIT="3000", KEEP="100").returncode == 0
    ((answered,),) = as_generator(empty_shop, "SELECT COUNT(clicked) FROM shop.events")
    assert answered <= 101


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        ({"RATE": "fast"}, 2, "a number is expected"),
        ({"RATE": "0"}, 2, "RATE and KEEP must be above 0"),
        ({"MYSQL_PASSWORD": "wrong"}, 1, "Access denied"),
    ],
)
def test_the_generator_says_what_is_wrong_and_ends(
    server: PrivateMySQL, environ: dict[str, str], code: int, said: str
) -> None:
    finished = generate(server, **environ)
    assert finished.returncode == code
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr
