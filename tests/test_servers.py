"""The private servers themselves: that they come up, keep their data, and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.cimpl import NewTopic

from tests.servers import (
    Address,
    Broker,
    Database,
    PrivateDatabase,
    PrivateKafka,
    PrivateMariaDB,
    PrivateMySQL,
    ServerUnavailable,
    chosen,
)
from tests.servers.cache import cached
from tests.servers.installation import Package
from tests.servers.instances import InstanceFolder
from tests.servers.ports import EPHEMERAL_RANGE, free_port
from tests.servers.system import require_packages

pytestmark = pytest.mark.servers

DEADLINE_S = 30.0
ROOT = Path(__file__).parent.parent


@pytest.fixture(params=[PrivateMySQL, PrivateMariaDB])
def database(request: pytest.FixtureRequest) -> Iterator[PrivateDatabase]:
    with request.param() as server:
        yield server


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def rows(server: Database) -> list[tuple[int]]:
    return server.execute("SELECT id FROM kept.t ORDER BY id")


def test_a_database_comes_back_on_its_port_with_its_data_after_a_stop_and_after_a_crash(
    database: PrivateDatabase,
) -> None:
    port = database.port
    database.execute(
        "CREATE DATABASE kept", "CREATE TABLE kept.t (id INT PRIMARY KEY)", "INSERT INTO kept.t VALUES (1)"
    )
    database.restart()
    assert rows(database) == [(1,)]
    database.execute("INSERT INTO kept.t VALUES (2)")
    database.kill()
    assert not database.answers()
    database.start()
    assert rows(database) == [(1,), (2,)]
    assert database.execute("SELECT @@port") == [(port,)]


def test_a_discarded_server_leaves_no_process_and_no_file(database: PrivateDatabase) -> None:
    pid = int((database.log_path.parent / "data/server.pid").read_text())
    assert not gone(pid)
    database.discard()
    assert gone(pid)
    assert not database.log_path.parent.exists()
    with pytest.raises(pymysql.err.OperationalError):
        database.connect()


def test_a_database_is_of_the_wanted_version_and_set_up_as_a_source(sql_server: Database) -> None:
    settings = "SELECT VERSION(), @@log_bin, @@binlog_format, @@binlog_row_image, @@binlog_row_metadata"
    ((version, *log),) = sql_server.execute(settings)
    assert version.startswith(("9.", "10.11."))
    assert log == [1, "ROW", "FULL", "FULL"]


def test_two_instances_of_mysql_have_server_uuids_of_their_own(
    mysql: Database, private_mysql: Callable[..., PrivateMySQL]
) -> None:
    other = private_mysql()
    assert other.port != mysql.port
    assert other.execute("SELECT @@server_uuid") != mysql.execute("SELECT @@server_uuid")


def test_a_setting_given_for_one_instance_wins(private_mysql: Callable[..., PrivateMySQL]) -> None:
    server = private_mysql("--server-id=77", "--binlog-row-image=MINIMAL")
    assert server.execute("SELECT @@server_id, @@binlog_row_image") == [(77, "MINIMAL")]


def test_a_database_of_ones_own_is_new_and_is_dropped(sql_server: Database) -> None:
    with sql_server.fresh_database() as first, sql_server.fresh_database() as second:
        assert first != second
        with closing(sql_server.connect(database=first)) as connection, connection.cursor() as cursor:
            assert cursor.execute("SHOW TABLES") == 0
    assert sql_server.execute(f"SHOW DATABASES LIKE '{first}'") == []


def first_committed(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    """The first ``count`` committed values of the topic's only partition.

    Waits for them: Kafka marks a transaction as committed in its partitions only after it has said so to the producer.
    """
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes | None] = []
    try:
        while len(values) < count:
            message = consumer.poll(DEADLINE_S)
            assert message is not None, f"only {values} within {DEADLINE_S} s"
            if not message.error():
                values.append(message.value())
    finally:
        consumer.close()
    return values


def produce(broker: Broker, topic: str, value: bytes) -> None:
    """Commit one record in a transaction."""
    settings = {"bootstrap.servers": broker.bootstrap, "transactional.id": topic, "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(DEADLINE_S)
    producer.begin_transaction()
    producer.produce(topic, value)
    producer.commit_transaction(DEADLINE_S)


def test_a_broker_comes_back_on_its_port_with_its_records_after_a_stop_and_after_a_crash(
    private_kafka: Callable[..., PrivateKafka], topic_prefix: str
) -> None:
    broker = private_kafka()
    admin = broker.admin()
    admin.create_topics([NewTopic(topic_prefix, 1, 1)])[topic_prefix].result(DEADLINE_S)
    produce(broker, topic_prefix, b"first")
    broker.restart()
    produce(broker, topic_prefix, b"second")
    broker.kill()
    assert not broker.answers()
    broker.start()
    assert first_committed(broker, topic_prefix, 2) == [b"first", b"second"]


def test_a_server_named_by_the_environment_is_used_and_none_is_started(
    mariadb: Database, kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSQL_URL", mariadb.url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
    with chosen.database(PrivateMySQL) as database, chosen.broker() as broker:
        assert type(database) is Database
        assert database.url == mariadb.url
        assert type(broker) is Broker
        assert broker.bootstrap == kafka.bootstrap


def test_a_named_server_that_does_not_answer_is_an_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MYSQL_URL", f"mysql://root@127.0.0.1:{free_port()}")
    with pytest.raises(ServerUnavailable, match="MYSQL_URL"), ExitStack() as stack:
        stack.enter_context(chosen.database(PrivateMySQL))


def test_a_server_that_ends_while_starting_is_an_error_that_shows_its_log() -> None:
    with pytest.raises(ServerUnavailable, match="no-such-option"), PrivateMariaDB("--no-such-option"):
        pass


def test_a_server_that_cannot_be_had_is_an_error_that_names_every_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Missing(PrivateMySQL):
        recipe = replace(PrivateMySQL.recipe, package=Package("no-such-server", "", "no-such-package", "sid"))

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("STREAMTRAIN_CACHE", str(tmp_path))
    with pytest.raises(ServerUnavailable, match=r"(?s)no-such-package.*apt-get.*Docker.*MYSQL_URL"):
        Missing()


def test_a_missing_system_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerUnavailable, match="Kafka needs some-jre"):
        require_packages("some-jre", purpose="Kafka")


@contextmanager
def run_command() -> Iterator[tuple[subprocess.Popen[str], Database, int]]:
    """``python -m tests.servers run mariadb``, the server that it said it runs, and that one's process id."""
    command = (sys.executable, "-m", "tests.servers", "run", "mariadb")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            variable, _, url = process.stdout.readline().strip().partition("=")
            assert variable == "MARIADB_URL"
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield process, Database(Address.parse(url)), int(child)
        finally:
            process.kill()


def test_the_run_command_runs_a_server_until_it_is_interrupted() -> None:
    with run_command() as (process, server, pid):
        ((data,),) = server.execute("SELECT @@datadir")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
        assert gone(pid)
        assert not server.answers()
        assert not Path(data).exists()


def test_a_server_does_not_outlast_the_run_that_started_it_even_if_that_is_killed() -> None:
    with run_command() as (process, server, pid):
        ((data,),) = server.execute("SELECT @@datadir")
        process.kill()
        wait_until(lambda: gone(pid))
    assert Path(data).exists()
    InstanceFolder("next").remove()
    assert not Path(data).exists()


def test_a_failed_fetch_leaves_nothing_and_the_next_one_begins_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STREAMTRAIN_CACHE", str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ServerUnavailable("the network is gone")

    with pytest.raises(ServerUnavailable):
        cached("thing", fail)
    assert [path.name for path in (tmp_path / "servers").iterdir()] == ["thing.lock"]
    entry = cached("thing", lambda folder: (folder / "whole").touch())
    assert [path.name for path in entry.iterdir()] == ["whole"]


def test_ports_are_given_out_once_and_lie_below_those_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < int(EPHEMERAL_RANGE.read_text().split()[0])
