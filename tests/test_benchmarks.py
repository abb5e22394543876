from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import capture, decode, freshness, latency, mongo, mongo_server, report, training
from benchmarks.__main__ import ALWAYS, PARTS, parse
from benchmarks.errors import BenchmarkFailed
from benchmarks.machine import machine, versions
from benchmarks.orders import Orders
from benchmarks.report import Comparison, Measurement, Result
from benchmarks.shapes import SHAPES
from benchmarks.usage import cpu_s_of_family, usage
from tests.mongo_server import MongoServer
from tests.servers import Broker, Database
from tests.servers.mongo import Mongo

AT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
BURN = "import time\nwhile time.process_time() < 0.3: sum(range(100_000))\nprint('burnt', flush=True)\ninput()"


@pytest.fixture
def database(mysql: Database) -> Iterator[str]:
    """A name for a database, and so for topics, that no other run uses."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    yield name
    mysql.execute(f"DROP DATABASE IF EXISTS {name}")


def written(result: Result, folder: Path) -> dict[str, Any]:
    """The result's report as it can be read back."""
    data, text = report.write(result.document(AT, machine(), versions()), folder)
    assert text.read_text().startswith(f"# {result.title}\n")
    document: dict[str, Any] = orjson.loads(data.read_bytes())
    return document


def result(*comparisons: Comparison) -> Result:
    return Result("trial", "A trial", "What it means.", {"rows": 1000}, comparisons)


def compared(ours: list[float], peer: list[float], *, higher_is_better: bool) -> Comparison:
    return Comparison(
        "catch-up", "rows/s", Measurement("us", "rows/s", ours), Measurement("peer", "rows/s", peer), higher_is_better
    )


@pytest.mark.servers
def test_capture_is_measured_on_rows_that_all_arrived(
    mysql: Database, kafka: Broker, database: str, tmp_path: Path
) -> None:
    settings = capture.CaptureSettings(2_500, 1, 7, ("streamtrain",), database)
    document = written(capture.measure(mysql, kafka, settings, tmp_path), tmp_path)
    (run,) = document["runs"]
    assert run["rows"] == 2_500
    assert 0 < run["ready_to_last_s"] < 60
    assert run["first_to_last_s"] <= run["ready_to_last_s"]
    assert run["cpu_start_to_ready_s"] > 0.05
    assert run["cpu_ready_to_last_s"] >= 0
    assert 20 < run["peak_rss_mib"] < 1_000


@pytest.mark.servers
@pytest.mark.parametrize("shape", ["transactions", "giant", "snapshot"])
def test_every_shape_of_capture_arrives_whole(
    shape: str, mysql: Database, kafka: Broker, database: str, tmp_path: Path
) -> None:
    settings = capture.CaptureSettings(1_200, 1, 7, ("streamtrain",), database, SHAPES[shape])
    document = written(capture.measure(mysql, kafka, settings, tmp_path), tmp_path)
    assert document["name"] == shape
    assert [run["rows"] for run in document["runs"]] == [1_200]


@pytest.mark.servers
def test_latency_is_measured_from_commit_to_a_readable_row(
    mysql: Database, kafka: Broker, database: str, tmp_path: Path
) -> None:
    settings = latency.LatencySettings(200, 2, 1, 7, ("streamtrain",), warm_up_s=1, database=database)
    document = written(latency.measure(mysql, kafka, settings, tmp_path), tmp_path)
    (run,) = document["runs"]
    assert 0 < run["p50_ms"] <= run["p99_ms"] < 60_000
    assert 100 < run["rows_per_s"] < 400


@pytest.mark.servers
def test_training_is_compared_on_the_same_slices(mysql: Database, kafka: Broker, database: str, tmp_path: Path) -> None:
    settings = training.TrainingSettings(300, 1, 7, ("logistic",), database)
    document = written(training.measure(mysql, kafka, settings, tmp_path), tmp_path)
    assert [run["mode"] for run in document["runs"]] == ["kafka", "memory"]
    assert len({run["weights_sha256"] for run in document["runs"]}) == 1
    assert all(one["ratio"]["median"] > 0 for one in document["comparisons"])
    assert "logistic from Kafka: storing checkpoints" in {one["what"] for one in document["measurements"]}


@pytest.mark.servers
def test_freshness_is_measured_from_commit_to_the_trained_state(
    mysql: Database, kafka: Broker, database: str, tmp_path: Path
) -> None:
    settings = freshness.FreshnessSettings((50,), 1, 1, 7, connectors=("streamtrain",), warm_up_s=1, database=database)
    document = written(freshness.measure(mysql, kafka, settings, tmp_path), tmp_path)
    (run,) = document["runs"]
    assert 10 < run["rows_per_s"] < 200
    assert 0 < run["written_p50_ms"] < run["learned_p50_ms"] <= run["learned_p95_ms"] <= run["learned_p99_ms"] < 60_000


def test_decoding_is_measured_in_every_case(tmp_path: Path) -> None:
    document = written(decode.measure(decode.DecodeSettings(200, 2, 7)), tmp_path)
    assert [one["what"] for one in document["measurements"]] == [case.title for case in decode.CASES]
    assert all(len(one["values"]) == 2 and one["min"] > 0 for one in document["measurements"])


@pytest.mark.servers
def test_change_events_are_measured_in_every_shape(kafka: Broker, database: str, tmp_path: Path) -> None:
    settings = mongo.StreamSettings(5_000, 1, prefix=database)
    document = written(mongo.measure(kafka, settings, tmp_path), tmp_path)
    assert [(run["shape"], run["events"], run["records"]) for run in document["runs"]] == [
        ("inserts", 5_000, 5_000),
        ("changes", 5_000, 5_500),
        ("large batches", 5_000, 5_000),
    ]
    assert all(one["min"] > 0 for one in document["measurements"])
    assert all(20 < run["peak_rss_mib"] < 1_000 for run in document["runs"])


@pytest.mark.servers
def test_a_server_of_mongodb_is_measured_by_what_it_commits(kafka: Broker, database: str, tmp_path: Path) -> None:
    with MongoServer() as server:  # the figures say nothing of a real one
        settings = mongo_server.ServerSettings(1_500, 100, 1, 1, 1, ("streamtrain",), database)
        stand_in = Mongo(server.url, (8, 0, 0), real=False)
        found = mongo_server.measure(stand_in, kafka, settings, tmp_path)
    document = written(found, tmp_path)
    caught_up, aged = document["runs"]
    assert caught_up["rows"] == 1_500
    assert 0 < aged["p50_ms"] <= aged["p99_ms"] < 60_000
    assert "whose speed says nothing" in document["meaning"]
    both = mongo.joined(result(), found)
    assert (both.name, both.comparisons, both.runs) == ("trial", found.comparisons, found.runs)


def test_changes_that_do_not_follow_one_another_give_no_figure() -> None:
    def record(op: str, before: str | None, after: str | None) -> tuple[bytes, bytes]:
        return b"1", orjson.dumps({"op": op, "before": before, "after": after})

    inserted, updated, deleted = record("c", None, "a"), record("u", "a", "b"), record("d", "b", None)
    assert mongo.check("ours", iter([inserted, updated, deleted, (b"1", None)]), 3) == 4
    for published in (
        [inserted, updated],
        [inserted, updated, deleted],
        [inserted, inserted, updated],
        [updated, inserted, deleted, (b"1", None)],
        [inserted, deleted, (b"1", None), updated],
    ):
        with pytest.raises(BenchmarkFailed, match="ours: "):
            mongo.check("ours", iter(published), 3)


@pytest.mark.servers
def test_the_rows_are_a_function_of_the_seed(mysql: Database, database: str) -> None:
    def rows(seed: int, rows_per_transaction: int) -> list[tuple[Any, ...]]:
        table = Orders(mysql, database, seed)
        table.create()
        table.insert(25, rows_per_transaction)
        return mysql.execute("SELECT * FROM orders ORDER BY id", database=database)

    first = rows(7, 10)
    assert [row[0] for row in first] == list(range(1, 26))
    assert first == rows(7, 25)
    assert first != rows(8, 10)


@pytest.mark.servers
def test_each_change_of_the_application_is_one_row(mysql: Database, database: str) -> None:
    table = Orders(mysql, database, 7)
    table.create()
    with closing(mysql.connect(database=database)) as connection, connection.cursor() as cursor:
        changed = [cursor.execute(sql, values) for sql, values in table.single_row_changes(10)]
    assert changed == [1] * 10
    assert mysql.execute("SELECT COUNT(*) FROM orders", database=database) == [(8,)]


def envelopes(*ids: int) -> list[bytes]:
    return [orjson.dumps({"after": {"id": identity}}) for identity in ids]


def test_rows_that_are_missing_repeated_or_out_of_order_give_no_figure() -> None:
    capture.check("peer", envelopes(3, 4, 5), range(3, 6))
    for published in (envelopes(3, 4), envelopes(3, 3, 4, 5), envelopes(4, 3, 5), envelopes(3, 4, 5, 6)):
        with pytest.raises(BenchmarkFailed, match="peer: "):
            capture.check("peer", published, range(3, 6))


def test_the_rows_of_a_snapshot_may_come_in_any_order_and_hash_alike() -> None:
    ids = range(99, 202)
    shuffled = (*ids[50:], *ids[:50])
    assert capture.check("peer", envelopes(*ids), ids) == capture.check(
        "peer", envelopes(*shuffled), ids, in_order=False
    )
    for published in (envelopes(*ids[1:]), envelopes(*ids, 99), envelopes(*ids, 300)):
        with pytest.raises(BenchmarkFailed, match="peer: "):
            capture.check("peer", published, ids, in_order=False)


def test_a_ratio_says_how_many_times_as_good_we_are() -> None:
    assert compared([300, 100], [100, 100], higher_is_better=True).ratio == 2
    assert compared([10], [40], higher_is_better=False).ratio == 4


def test_the_report_says_where_we_lose(tmp_path: Path) -> None:
    won, lost = compared([20], [10], higher_is_better=True), compared([20], [10], higher_is_better=False)
    document = written(result(won, lost), tmp_path)
    assert document["where_we_lose"] == ["catch-up: us 20 rows/s, peer 10 (0.5x)"]
    assert "Nowhere in this run." in report.markdown(written(result(won), tmp_path))


def test_the_report_is_named_by_date_and_part_and_says_what_ran_where(tmp_path: Path) -> None:
    document = written(result(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"2030-01-02-trial.json", "2030-01-02-trial.md"}
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["memory_gib"] > 0
    assert document["versions"].keys() >= {"streamtrain", "python", "torch", "numpy", "librdkafka"}


def test_a_disturbed_run_is_told() -> None:
    assert report.disturbed([{"other_cores": 0.01}]) == []
    assert "1 of 2 runs" in report.disturbed([{"other_cores": 0.01}, {"other_cores": 1.5}])[0]


def test_the_cpu_time_of_a_process_and_its_family_is_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"burnt\n"
        used, family = usage(child.pid), cpu_s_of_family(child.pid)
        child.communicate(b"\n")
    assert used is not None
    assert 0.2 < used.cpu_s < 5
    assert used.peak_rss_mib > 2
    assert family >= used.cpu_s
    assert usage(child.pid) is None


def test_the_parts_that_take_long_run_only_by_name() -> None:
    assert parse([]).parts == list(ALWAYS)
    assert set(ALWAYS) < set(PARTS)
    assert parse(["decode", "train"]).parts == ["decode", "train"]
    assert parse(["all"]).parts == list(PARTS)


def test_a_quick_run_is_small_and_leaves_the_kept_results_alone() -> None:
    quick, full = parse(["--quick"]), parse([])
    assert quick.rows < full.rows
    assert quick.results != full.results
    assert parse(["--quick", "--rows", "5"]).rows == 5


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["nothing"])
    assert "decode" in capsys.readouterr().err
