"""The line with its state in MongoDB: an election and a lost server are waited out, and passwords are nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from tests.application import Application, on_sqlite
from tests.fault.lines import config, file_topic, sqlite_source
from tests.fault.test_outages import until
from tests.line import Line
from tests.mongo_server import MongoServer, User

PASSWORD, WRONG = "g3heim/p@ss:Zq7", "v3rborgen/p@ss:Zq8"


def line_on(directory: Path, state: str, name: str = "line") -> Line:
    topics = file_topic(directory / "topics", "shop")
    return Line(directory, config("line", sqlite_source(directory / "app.db"), topics, state, "main.events"), name)


def test_a_primary_that_goes_and_comes_back_loses_nothing(
    tmp_path: Path, mongo_server: Callable[..., MongoServer]
) -> None:
    server = mongo_server()
    line = line_on(tmp_path, f"mongodb://127.0.0.1:{server.port}/state?replicaSet=rs0&heartbeatFrequencyMS=500")
    application = Application(on_sqlite(tmp_path / "app.db"), seed=5)
    application.fill(30)
    line.run("connect", "--until-caught-up")
    with line.running("train"):
        until(lambda: int(line.json("status")["events"]) == 30, "the snapshot is learned")
        server.member.step_down()
        server.kill_connections()
        application.transact(20)
        line.run("connect", "--until-caught-up", check=False)
        (errors,) = tmp_path.glob("line-train-*.err")
        until(lambda: "retrying" in errors.read_text(), "the trainer has seen that it is away")
        server.member.step_up()
        line.run("connect", "--until-caught-up")
        expected = sum(1 for one in application.history if one.op is not None)
        until(lambda: int(line.json("status")["events"]) == expected, "what came while it was away is learned")
    assert line.json("replay", "--from", "beginning", "--verify")["events"] == expected


def test_no_password_is_in_what_the_commands_write(tmp_path: Path, mongo_server: Callable[..., MongoServer]) -> None:
    server = mongo_server()
    server.member.access.add(User("state", "admin", PASSWORD, [{"role": "readWrite", "db": "state"}]))
    application = Application(on_sqlite(tmp_path / "app.db"), seed=5)
    application.fill(3)
    for name, password in (("right", PASSWORD), ("wrong", WRONG)):
        (tmp_path / f"{name}.secret").write_text(password)
        reference = f"${{file:{tmp_path}/{name}.secret}}"
        line = line_on(tmp_path, f"mongodb://state:{reference}@127.0.0.1:{server.port}/state?authSource=admin", name)
        line.run("connect", "--until-caught-up", "--debug", check=False)
        for command in ("doctor", "checkpoints", "status"):
            line.run(command, "--debug", check=False)
            assert (line.returncode == 0) == (name == "right"), (name, command, line.stderr)
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".secret")
    assert b"127.0.0.1" in written
    for secret in (PASSWORD, WRONG):
        assert not any(form.encode() in written for form in (secret, quote(secret, safe="")))
