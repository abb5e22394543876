"""Topics are Debezium's, record by record and field by field, but for what docs/debezium.md lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conformance.capture import Capture, Pair, capture
from tests.conformance.differences import DIFFERENCES
from tests.conformance.findings import Finding, compare
from tests.conformance.workload import DATABASE
from tests.line import Line
from tests.servers import Broker, PrivateMariaDB, PrivateMySQL

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "debezium.md"
NAMES = ("mysql-schemas", "mariadb-schemas", "mysql-plain")


@pytest.fixture(scope="session")
def captures(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Capture]:
    """What Debezium and we published of the same work, by server and format.

    The servers are new: Debezium 3.5 cannot go on from a GTID set that holds a tag, as other tests leave behind.
    """
    with PrivateMySQL() as mysql, PrivateMariaDB() as mariadb:
        pairs = [
            Pair("mysql", mysql, schemas=True),
            Pair("mariadb", mariadb, schemas=True),
            Pair("mysql", mysql, schemas=False),
        ]
        assert tuple(pair.name for pair in pairs) == NAMES
        return capture(pairs, kafka, tmp_path_factory.mktemp("conformance"))


@pytest.fixture(scope="session")
def found(captures: Mapping[str, Capture]) -> Mapping[str, list[Finding]]:
    return {name: list(compare(name, one.debezium, one.ours)) for name, one in captures.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_difference_from_debezium_is_one_that_is_meant(
    captures: Mapping[str, Capture], found: Mapping[str, list[Finding]], name: str
) -> None:
    records = sum(map(len, captures[name].ours.values()))
    assert records > 50
    unexplained = [one for one in found[name] if not any(covers(one) for covers in DIFFERENCES.values())]
    assert [(one.topic, one.path, one.theirs, one.ours) for one in unexplained] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_an_odd_name_has_the_same_topic(captures: Mapping[str, Capture], name: str) -> None:
    topics = {f"{DATABASE}.odd___-n_me"}
    assert topics <= captures[name].debezium.keys()
    assert len(captures[name].ours[topics.pop()]) == 5


def test_every_difference_that_is_listed_is_there(found: Mapping[str, list[Finding]]) -> None:
    everything = [one for findings in found.values() for one in findings]
    assert [name for name, covers in DIFFERENCES.items() if not any(covers(one) for one in everything)] == []


def test_the_page_about_debezium_lists_exactly_these_differences() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(DIFFERENCES)


@pytest.mark.parametrize("name", ["mysql-schemas", "mysql-plain"])
def test_the_trainer_reads_debeziums_topics_as_it_reads_ours(
    captures: Mapping[str, Capture], kafka: Broker, tmp_path: Path, name: str
) -> None:
    learned = []
    for who in ("debezium", "ours"):
        (tmp_path / who).mkdir()
        line = Line(tmp_path / who, _training(f"cf-{who}-{name}", kafka.bootstrap, tmp_path / who))
        line.run("train", "--until-caught-up")
        newest = line.json("checkpoints")[-1]
        learned.append((newest["events"], newest["weights_sha256"]))
    assert learned[0] == learned[1]
    assert learned[0][0] == 8
    assert line.json("deadletters", "list") == []


def _training(prefix: str, bootstrap: str, folder: Path) -> dict[str, object]:
    features = {"d": "numeric", "f": "numeric", "e": "categorical", "dt": "datetime", "ts3": "datetime"}
    if "schemas" in prefix:
        features["de"] = "numeric"  # exact decimals are bytes, of which only a schema tells the scale
    return {
        "name": "conformance",
        "source": {"kind": "none"},
        "topic": {"kind": "kafka", "bootstrap": bootstrap, "prefix": prefix},
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "model": {"kind": "ftrl"},
        "examples": {"from": f"{DATABASE}.types", "label": "ti", "task": "regression", "features": features},
    }
