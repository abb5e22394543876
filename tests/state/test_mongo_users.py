"""Who may keep state in MongoDB, and what is said to those who may not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from connectors.checks import Check
from streamtrain.cli import build
from streamtrain.cli.checkups import examine
from streamtrain.errors import AccessDenied, StateUnavailable
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.layout import RUNS
from streamtrain.state.mongo import MongoDatabase
from tests.fault.lines import config, file_topic, sqlite_source
from tests.mongo_server import MongoServer, User


@pytest.fixture
def server(mongo_server: Callable[..., MongoServer]) -> MongoServer:
    started = mongo_server()
    for name, role in (("writer", "readWrite"), ("reader", "read")):
        started.member.access.add(User(name, "admin", "geheim", [{"role": role, "db": "state"}]))
    return started


def url(server: MongoServer, user: str, password: str = "geheim") -> str:
    return f"mongodb://{user}:{password}@127.0.0.1:{server.port}/state?replicaSet=rs0&authSource=admin"


def test_the_role_that_is_written_down_is_enough(server: MongoServer) -> None:
    with (
        closing(MongoDatabase(url(server, "writer"))) as first,
        closing(MongoDatabase(url(server, "writer"))) as second,
    ):
        first.migrate()
        assert list(first.problems()) == []
        CheckpointStore(first, lambda: 0).open_run("shop", {})
        with pytest.raises(StateUnavailable, match="aborted"), first.transaction() as left_open:
            left_open.lock(RUNS, {"name": "shop"})
            assert CheckpointStore(second, lambda: 0).open_run("shop", {}).epoch == 2


@pytest.mark.parametrize(("user", "password"), [("writer", "verborgen"), ("nobody", "verborgen")])
def test_a_login_that_is_refused_says_so_without_the_password(server: MongoServer, user: str, password: str) -> None:
    with closing(MongoDatabase(url(server, user, password))) as database, pytest.raises(AccessDenied) as raised:
        database.migrate()
    assert "readWrite" in raised.value.hint
    assert password not in str(raised.value)


def test_a_user_who_may_only_read_is_told_what_is_missing(server: MongoServer) -> None:
    with closing(MongoDatabase(url(server, "reader"))) as database:
        with pytest.raises(AccessDenied, match="not authorized on state") as raised:
            database.migrate()
        assert raised.value.message.endswith("not authorized on state to execute command")
        assert [problem.message.partition("reader ")[2] for problem in database.problems()] == [
            "lacks insert, update, remove, createCollection, createIndex on state"
        ]


def checks(state: str, directory: Path) -> list[Check]:
    topics = file_topic(directory / "topics", "shop")
    file = directory / "streamtrain.yaml"
    settings = config("shop", sqlite_source(directory / "app.db"), topics, state, "main.events")
    file.write_text(yaml.safe_dump(settings))
    return [check for check in examine(build.load(file)) if check.name.startswith("state")]


def test_the_doctor_looks_at_the_server_and_the_rights_and_changes_nothing(
    server: MongoServer, mongo_server: Callable[..., MongoServer], tmp_path: Path
) -> None:
    for _ in range(2):
        fit = checks(url(server, "writer"), tmp_path)
        assert [(check.name, check.status) for check in fit] == [("state database", "ok"), ("state tables", "ok")]
        assert fit[1].found.startswith("none;")
    assert "geheim" not in str(fit)
    (lacking,) = (check for check in checks(url(server, "reader"), tmp_path) if check.status == "fail")
    assert "reader lacks insert" in lacking.found
    assert "readWrite" in lacking.remedy
    alone = mongo_server(replica_set=None)
    (unfit,) = (
        check for check in checks(f"mongodb://127.0.0.1:{alone.port}/state", tmp_path) if check.status == "fail"
    )
    assert "rs.initiate()" in unfit.remedy
