"""Failover to a real replica: it goes on if it has all that was published, and says exactly what is missing if not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from connectors.source import Position
from streamtrain.envelope import Op
from streamtrain.errors import PositionLost
from tests.connectors.mysql_capture import opened, read_to_end, seen, source_for, transaction
from tests.servers import Database, PrivateMariaDB, PrivateMySQL
from tests.servers.database import PASSWORD, ROOT

pytestmark = pytest.mark.servers

Server = PrivateMySQL | PrivateMariaDB
DEADLINE_S = 30.0


@dataclass
class Pair:
    """A server and its replica, with an empty table ``shop.events``."""

    flavor: str
    first: Server
    second: Server

    def replicate(self) -> None:
        """Have the second follow the first, from where it is."""
        if self.flavor == "mysql":
            self.second.execute(
                f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={self.first.port},"
                f" SOURCE_USER='{ROOT}', SOURCE_PASSWORD='{PASSWORD}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1",
                "START REPLICA",
            )
        else:
            self.second.execute(
                f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={self.first.port}, MASTER_USER='{ROOT}',"
                f" MASTER_PASSWORD='{PASSWORD}', MASTER_USE_GTID=current_pos",
                "START SLAVE",
            )

    def catch_up(self) -> None:
        """Wait until the second has all that the first has."""
        executed = "gtid_executed" if self.flavor == "mysql" else "gtid_binlog_pos"
        wanted = self.first.execute(f"SELECT @@GLOBAL.{executed}")[0][0]
        wait = {
            "mysql": f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{wanted}', {DEADLINE_S})",
            "mariadb": f"SELECT MASTER_GTID_WAIT('{wanted}', {DEADLINE_S})",
        }[self.flavor]
        assert self.second.execute(wait)[0][0] == 0

    def promote(self) -> None:
        """The second leads from now on, and the first is to follow it: the names change."""
        self.second.execute("STOP REPLICA", "RESET REPLICA ALL")
        self.first, self.second = self.second, self.first

    def insert(self, *numbers: int, on: Server | None = None) -> None:
        for number in numbers:
            (on or self.first).execute(f"INSERT INTO shop.events VALUES ({number})")

    def newest(self, count: int) -> str:
        """The first server's own newest transactions, as they stand in an error."""
        if self.flavor == "mysql":
            uuid, executed = self.first.execute("SELECT @@server_uuid, @@GLOBAL.gtid_executed")[0]
            own = next(part for part in executed.replace("\n", "").split(",") if part.startswith(uuid))
            end = int(own.replace(":", "-").rpartition("-")[2])
            return f"{uuid}:{end - count + 1}-{end}"
        source, _, end = self.first.execute("SELECT @@GLOBAL.gtid_binlog_pos")[0][0].rpartition("-")
        return f"{source}-{int(end) - count + 1} to {source}-{end}"


@pytest.fixture(params=["mysql", "mariadb"], scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[Pair]:
    kind, options = {"mysql": (PrivateMySQL, ()), "mariadb": (PrivateMariaDB, ("--log-slave-updates",))}[request.param]
    with kind(*options) as first, kind("--server-id=2", *options) as second:
        made = Pair(request.param, first, second)
        made.replicate()
        first.execute("CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY)")
        made.catch_up()
        yield made


@pytest.fixture
def pair(servers: Pair) -> Pair:
    """Both servers with an empty table, the second following the first."""
    servers.first.execute("DELETE FROM shop.events")
    servers.second.execute("START REPLICA")
    servers.catch_up()
    return servers


def start_of(server: Server) -> Position:
    with opened(source_for(server, "shop.events", snapshot="no_data")) as source:
        position = source.read(0).position
    assert position is not None
    return position


def rows_from(server: Server, position: Position) -> tuple[list[int], Position]:
    with opened(source_for(server, "shop.events"), position) as source:
        changes, position = read_to_end(source)
    return [after[0] for op, _, after in seen(changes) if op is Op.CREATE and after is not None], position


def refusal(server: Server, position: Position) -> str:
    with pytest.raises(PositionLost) as caught:
        rows_from(server, position)
    assert caught.value.hint
    return caught.value.message


def purge(server: Server) -> None:
    """All of the log before now is gone, once the server has done with it."""
    server.execute("FLUSH BINARY LOGS")
    deadline = time.monotonic() + DEADLINE_S
    while len(files := server.execute("SHOW BINARY LOGS")) > 1:
        assert time.monotonic() < deadline, f"not purged: {files}"
        server.execute(f"PURGE BINARY LOGS TO '{files[-1][0]}'")


def test_a_replica_that_lags_is_refused_by_name_and_taken_when_it_has_caught_up(pair: Pair) -> None:
    position = start_of(pair.first)
    pair.second.execute("STOP REPLICA")
    pair.insert(1, 2, 3, 4)
    rows, position = rows_from(pair.first, position)
    assert rows == [1, 2, 3, 4]
    assert f"transactions {pair.newest(4)} are published, but server" in refusal(pair.second, position)
    pair.second.execute("START REPLICA")
    pair.insert(5)
    pair.catch_up()
    assert rows_from(pair.second, position)[0] == [5]


def test_a_replica_that_has_purged_what_was_not_published_says_what(pair: Pair) -> None:
    position = start_of(pair.first)
    pair.insert(1, 2, 3)
    pair.catch_up()
    purge(pair.second)
    assert f"transactions {pair.newest(3)} are purged, but not published" in refusal(pair.second, position)
    with opened(source_for(pair.second, "shop.events", snapshot="when_needed"), position) as source:
        rows = seen(read_to_end(source)[0])
    assert [(op, after) for op, _, after in rows] == [(Op.READ, (1,)), (Op.READ, (2,)), (Op.READ, (3,))]


def test_a_restart_of_a_server_that_has_purged_what_was_published_goes_on(pair: Pair) -> None:
    position = start_of(pair.first)
    pair.insert(1, 2)
    pair.catch_up()
    _, position = rows_from(pair.first, position)
    purge(pair.first)
    pair.second.execute("STOP REPLICA")
    pair.first.restart()
    pair.second.execute("START REPLICA")
    if pair.flavor == "mysql":
        assert pair.first.execute("SELECT @@GLOBAL.gtid_purged")[0][0]
    pair.insert(3)
    rows, position = rows_from(pair.first, position)
    assert rows == [3]
    pair.catch_up()
    purge(pair.first)
    assert rows_from(pair.first, position)[0] == []


def test_promoted_replicas_go_on_with_neither_loss_nor_repetition(pair: Pair) -> None:
    """There and back: the GTIDs of both servers are in the position then."""
    position = start_of(pair.first)
    rows = list[int]()
    for turn in (10, 20):
        pair.insert(turn, turn + 1, turn + 2)
        more, position = rows_from(pair.first, position)
        pair.insert(turn + 3)
        pair.catch_up()
        pair.first.kill()
        pair.promote()
        transaction(pair.first, "shop", *(f"INSERT INTO events VALUES ({turn + number})" for number in (4, 5)))
        rest, position = rows_from(pair.first, position)
        rows += [*more, *rest]
        pair.second.start()
        pair.replicate()
    pair.catch_up()
    last, _ = rows_from(pair.second, position)
    assert (rows, last) == ([*range(10, 16), *range(20, 26)], [])


def test_a_replica_that_was_promoted_without_what_was_published_is_refused_by_name(pair: Pair) -> None:
    """The last of this pair: the two go separate ways."""
    position = start_of(pair.first)
    pair.insert(1)
    pair.catch_up()
    pair.second.execute("STOP REPLICA")
    pair.insert(2, 3)
    _, position = rows_from(pair.first, position)
    pair.insert(20, 30, 40, on=pair.second)  # other GTIDs, and on MariaDB under the same numbers
    assert f"transactions {pair.newest(2)} are published, but server" in refusal(pair.second, position)


def test_a_replica_made_from_a_backup_goes_on_only_from_where_the_backup_was_made(
    mysql: Database, private_mysql: Callable[..., PrivateMySQL]
) -> None:
    copy = private_mysql("--server-id=2")
    with mysql.fresh_database() as name:
        table = f"{name}.events"
        mysql.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
        with opened(source_for(mysql, table, snapshot="no_data")) as source:
            early = source.read(0).position
        mysql.execute(f"INSERT INTO {table} VALUES (1)", f"INSERT INTO {table} VALUES (2)")
        assert early is not None
        with opened(source_for(mysql, table), early) as source:
            late = read_to_end(source)[1]
        uuid, held = mysql.execute("SELECT @@server_uuid, @@GLOBAL.gtid_executed")[0]
        copy.execute(
            "SET sql_log_bin = 0", f"CREATE DATABASE {name}", f"CREATE TABLE {table} (id INT PRIMARY KEY)",
            f"INSERT INTO {table} VALUES (1), (2)", f"SET GLOBAL gtid_purged = '{held}'",
        )  # fmt: skip
        copy.execute(f"INSERT INTO {table} VALUES (3)")
        with opened(source_for(copy, table), late) as source:
            assert [after for _, _, after in seen(read_to_end(source)[0])] == [(3,)]
        with pytest.raises(PositionLost, match=rf"transactions {uuid}:\d+-\d+ are purged, but not published"):
            source_for(copy, table).open(early)


def test_each_domain_of_a_mariadb_topology_counts(private_mariadb: Callable[..., PrivateMariaDB]) -> None:
    first, second = private_mariadb(), private_mariadb("--server-id=2", "--log-slave-updates")
    pair = Pair("mariadb", first, second)
    pair.replicate()
    first.execute("CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY)")

    def insert(domain: int, *numbers: int) -> None:
        for number in numbers:
            first.execute(f"SET SESSION gtid_domain_id = {domain}", f"INSERT INTO shop.events VALUES ({number})")

    position = start_of(first)
    insert(1, 1)
    insert(2, 2)
    rows, position = rows_from(first, position)
    insert(1, 3)
    pair.catch_up()
    assert (rows, rows_from(second, position)[0]) == ([1, 2], [3])
    second.execute("STOP REPLICA")
    insert(2, 4, 5)
    rows, position = rows_from(first, position)
    assert rows == [3, 4, 5]
    insert(1, 6)
    assert "transactions 2-1-2 to 2-1-3 are published, but server 2" in refusal(second, position)
    second.execute("START REPLICA")
    pair.catch_up()
    assert rows_from(second, position)[0] == [6]
    insert(1, 7)
    pair.catch_up()
    purge(first)
    assert "transactions 1-1-3 to 1-1-4 are purged, but not published" in refusal(first, position)
