"""Following goes on at another server of the topology, by GTID, even from the middle of a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from connectors.source import Position
from streamtrain.errors import PositionLost
from tests.connectors.mysql_capture import connect, opened, read_to_end, seen, source_for
from tests.servers import Database, PrivateMariaDB, PrivateMySQL

pytestmark = pytest.mark.servers


@dataclass
class Topology:
    """Two servers; what is carried out on the first can be carried out on the second under the same GTIDs."""

    first: Database
    second: Database
    named: Callable[[int], str]
    """The statement that gives the next transaction of a session the GTID of this number of the first server."""
    number: int

    def carry_out(self, *statements: str) -> None:
        """One transaction on both servers."""
        self.number += 1
        for server in (self.first, self.second):
            self.carry_out_on(server, *statements)

    def carry_out_on(self, server: Database, *statements: str) -> None:
        """The transaction of the present number on one server."""
        with closing(connect(server, "mysql")) as connection, connection.cursor() as cursor:
            for statement in (self.named(self.number), "BEGIN", *statements, "COMMIT"):
                cursor.execute(statement)


@pytest.fixture(params=["mysql", "mariadb"], scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[Topology]:
    server = {"mysql": PrivateMySQL, "mariadb": PrivateMariaDB}[request.param]
    with server() as first, server("--server-id=2") as second:
        for each in (first, second):
            each.execute(
                "SET sql_log_bin = 0", "CREATE DATABASE shop", "CREATE TABLE shop.events (id INT PRIMARY KEY)",
                "CREATE TABLE shop.filler (v LONGTEXT)",
            )  # fmt: skip
        if request.param == "mysql":
            name = f"SET gtid_next = '{first.execute('SELECT @@server_uuid')[0][0]}:{{}}'"
        else:
            name = "SET SESSION server_id = 1, SESSION gtid_domain_id = 0, SESSION gtid_seq_no = {}"
        # MariaDB's begin beyond what each server logged when it was made.
        yield Topology(first, second, name.format, 0 if request.param == "mysql" else 1_000)


@pytest.fixture
def topology(servers: Topology) -> Topology:
    """Both servers with an empty table."""
    servers.carry_out("DELETE FROM shop.events")
    return servers


def rows_from(server: Database, position: Position, **options: int) -> tuple[list[int], Position]:
    with opened(source_for(server, "shop.events", **options), position) as source:
        changes, position = read_to_end(source)
    return [after[0] for _, _, after in seen(changes) if after is not None], position


def start_of(server: Database) -> Position:
    with opened(source_for(server, "shop.events", snapshot="no_data")) as source:
        position = source.read(0).position
    assert position is not None
    return position


def test_another_server_goes_on_where_the_first_was_left(topology: Topology) -> None:
    position = start_of(topology.first)
    topology.carry_out("INSERT INTO shop.events VALUES (1)")
    # The same transaction takes more room in the first log: an offset there says nothing of the second.
    topology.number += 1
    topology.carry_out_on(topology.first, "INSERT INTO shop.filler VALUES (REPEAT('x', 1000000))")
    topology.carry_out_on(topology.second, "INSERT INTO shop.filler VALUES ('x')")
    rows, position = rows_from(topology.first, position)
    assert rows == [1]
    topology.carry_out("INSERT INTO shop.events VALUES (2)")
    topology.carry_out("INSERT INTO shop.events VALUES (3)", "INSERT INTO shop.events VALUES (4)")
    rows, position = rows_from(topology.second, position)
    assert rows == [2, 3, 4]
    assert position["offset"] < 1_000_000
    assert rows_from(topology.second, position)[0] == []


def test_another_server_goes_on_in_the_middle_of_a_transaction(topology: Topology) -> None:
    position: Position | None = start_of(topology.first)
    topology.carry_out(*(f"INSERT INTO shop.events VALUES ({number})" for number in range(10)))
    with opened(source_for(topology.first, "shop.events", max_rows=4), position) as source:
        batch = source.read(5.0)
    position = batch.position
    assert position is not None
    assert (len(batch.changes), position["skip_rows"]) == (4, 4)
    assert rows_from(topology.second, position)[0] == [4, 5, 6, 7, 8, 9]


def test_a_server_that_lacks_what_was_published_is_refused(topology: Topology) -> None:
    position = start_of(topology.first)
    topology.number += 1
    topology.carry_out_on(topology.first, "INSERT INTO shop.events VALUES (1)")
    _, position = rows_from(topology.first, position)
    with pytest.raises(PositionLost) as caught:
        rows_from(topology.second, position)
    assert caught.value.hint
    topology.number += 1
    topology.carry_out_on(topology.second, "INSERT INTO shop.events VALUES (2)")
    with pytest.raises(PositionLost):
        rows_from(topology.second, position)
    topology.carry_out_on(topology.first, "INSERT INTO shop.events VALUES (2)")
    topology.number -= 1
    topology.carry_out_on(topology.second, "INSERT INTO shop.events VALUES (1)")
    topology.number += 1


def test_without_gtids_another_server_is_refused(topology: Topology) -> None:
    with opened(source_for(topology.first, "shop.events", snapshot="no_data", follow="file")) as source:
        position = source.read(0).position
    with pytest.raises(PositionLost, match="file and an offset mean nothing"):
        source_for(topology.second, "shop.events", follow="file").open(position)


def test_transactions_with_tags_and_of_other_domains_are_followed_over_restarts_to_another_server(
    topology: Topology,
) -> None:
    position = start_of(topology.first)
    for first in (10, 20):
        for kind, tag in enumerate(("blue", "green")):
            topology.number += 1
            named = topology.named(topology.number).replace(f":{topology.number}'", f":{tag}:{topology.number}'")
            named = named.replace("gtid_domain_id = 0", f"gtid_domain_id = {kind + 5}")
            for server in (topology.first, topology.second):
                with closing(connect(server, "shop")) as connection, connection.cursor() as cursor:
                    cursor.execute(named)
                    cursor.execute(f"INSERT INTO events VALUES ({first + kind})")
        rows, position = rows_from(topology.first if first == 10 else topology.second, position)
        assert rows == [first, first + 1]
    assert rows_from(topology.first, position)[0] == []


def test_an_xa_transaction_prepared_on_one_server_is_committed_on_another(topology: Topology) -> None:
    position = start_of(topology.first)
    steps = [("XA START 'x'", "INSERT INTO events VALUES (1), (2)", "XA END 'x'", "XA PREPARE 'x'"), ("XA COMMIT 'x'",)]
    for number, statements in enumerate(steps):
        topology.number += 1
        for server in (topology.first, topology.second):
            with closing(connect(server, "shop")) as connection, connection.cursor() as cursor:
                for statement in (topology.named(topology.number), *statements):
                    cursor.execute(statement)
        if number == 0:
            rows, position = rows_from(topology.first, position)
            assert (rows, len(position["prepared"])) == ([], 1)
            topology.carry_out("INSERT INTO shop.events VALUES (3)")
    assert rows_from(topology.second, position)[0] == [3, 1, 2]
