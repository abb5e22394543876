"""docker-compose.yml and deploy/ without an engine: what they name exists, and what they hand over is used."""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamtrain.cli.app import app
from streamtrain.config.load import load_config
from tests.deploy import compose

SERVICES = compose.services()
DOCKERFILE = compose.ROOT / "deploy/Dockerfile"
CONFIG = "/etc/streamtrain/streamtrain.yaml"
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("streamtrain:")]
SOURCES = {"mongo_line": "mongo"}
WRITTEN = {"mongo_line": ["mongo-documents:/var/lib/streamtrain"]}
# What the entrypoint of the `mysql` image reads of the variables that we set.
MYSQL_IMAGE_VARIABLES = {"MYSQL_ROOT_PASSWORD", "MYSQL_ROOT_HOST"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, each with its arguments on one line."""
    lines = (line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#"))
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in whole.splitlines()) if name]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each named build stage."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, arguments in instructions():
        if name == "FROM":
            _, _, stage = arguments.partition(" AS ")
        if found or name == "FROM":
            found.setdefault(stage, []).append((name, arguments))
    return found


def copied() -> Iterator[str]:
    """What COPY takes from the repository."""
    for name, arguments in instructions():
        words = shlex.split(arguments)
        if name == "COPY" and not words[0].startswith("--from"):
            yield from words[:-1]


def declared_variables() -> dict[str, str]:
    """The variables of .env.example with their values."""
    lines = compose.ENV_EXAMPLE.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def understood(arguments: list[str]) -> bool:
    """Whether the command line knows this command and all these options. ``--help`` keeps it from being run."""
    return CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0


def health_check(stage: str) -> list[str] | None:
    """The command of the stage's HEALTHCHECK; None if it switches the check off."""
    (arguments,) = (arguments for name, arguments in stages()[stage] if name == "HEALTHCHECK")
    return None if arguments == "NONE" else json.loads(arguments[arguments.index("[") :])


def test_docker_compose_accepts_the_file() -> None:
    checked = subprocess.run(
        (
            *compose.command(),
            "--file",
            compose.FILE,
            "--env-file",
            "/dev/null",
            "--profile",
            "*",
            "config",
            "--format",
            "json",
        ),
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr.decode()
    assert b"level=warning" not in checked.stderr
    resolved = json.loads(checked.stdout)["services"]
    assert resolved.keys() == SERVICES.keys()
    for name, service in resolved.items():
        mine = {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}
        assert service.get("environment", {}) == mine


@pytest.mark.parametrize("service", OURS)
def test_every_command_and_option_of_a_service_exists(service: str) -> None:
    assert CONFIG in SERVICES[service]["command"]
    assert understood(SERVICES[service]["command"])
    assert not understood([*SERVICES[service]["command"], "--no-such-option"])


def test_the_image_runs_streamtrain_and_asks_it_for_its_health() -> None:
    runtime = dict(stages()["runtime"])
    assert json.loads(runtime["ENTRYPOINT"]) == ["streamtrain"]
    program, *arguments = health_check("runtime") or []
    assert program == "streamtrain"
    assert CONFIG in arguments
    assert understood(arguments)
    assert health_check("generator") is None


def test_every_stage_and_build_argument_that_compose_names_is_in_the_dockerfile() -> None:
    arguments = {value.split("=")[0] for name, value in instructions() if name == "ARG"}
    for service in SERVICES.values():
        if "build" in service:
            assert compose.ROOT / service["build"]["dockerfile"] == DOCKERFILE
            assert service["build"]["target"] in stages()
            assert service["build"]["args"].keys() <= arguments


def test_every_file_that_is_copied_or_mounted_is_there_and_is_sent_to_the_builder() -> None:
    ignored = (compose.ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for path in copied():
        assert (compose.ROOT / path).exists(), path
        assert any(fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/") for pattern in sent), path
    for service in SERVICES.values():
        for mounted in compose.bind_mounts(service).values():
            assert mounted.is_file(), mounted


def test_the_image_runs_as_a_user_that_is_not_root() -> None:
    user, group = dict(stages()["runtime"])["USER"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "USER" not in dict(stages()["generator"])


def test_the_image_takes_the_torch_that_the_package_asks_for() -> None:
    project = tomllib.loads((compose.ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = (requirement for requirement in project["dependencies"] if requirement.startswith("torch"))
    assert f'"{wanted}"' in DOCKERFILE.read_text()


def test_every_variable_has_one_default_and_is_explained() -> None:
    assert "$" not in compose.VARIABLE.sub("", compose.FILE.read_text())
    declared = declared_variables()
    assert compose.variables().keys() == declared.keys()
    for name, defaults in compose.variables().items():
        (default,) = defaults
        unset = "local-demo-only" if name.endswith("PASSWORD") else ""
        assert default == (declared[name] or unset), name


def test_no_password_is_written_down() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value == "local-demo-only", name
    for name, value in declared_variables().items():
        assert "PASSWORD" not in name or value == "", name


@pytest.mark.parametrize("service", OURS)
def test_the_configuration_loads_with_what_each_service_is_given_and_uses_all_of_it(service: str) -> None:
    path = compose.bind_mounts(SERVICES[service])[CONFIG]
    config = load_config(path, SERVICES[service]["environment"])
    assert set(re.findall(r"\$\{(\w+)\}", path.read_text())) == SERVICES[service]["environment"].keys()
    assert config.source.kind == SOURCES.get(service, "mysql")
    assert config.topic.kind == "kafka"


def test_the_configuration_names_services_users_and_ports_that_are_there() -> None:
    text = compose.bind_mounts(SERVICES["trainer"])[CONFIG].read_text()
    users = set(re.findall(r"CREATE USER (\w+)@", (compose.ROOT / "deploy/mysql/init.sql").read_text()))
    logins = re.findall(r"mysql://(\w+):\S+@(\w+):(\d+)", text)
    assert {user for user, _, _ in logins} | {SERVICES["generator"]["environment"]["MYSQL_USER"]} == users
    assert {(host, port) for _, host, port in logins} == {("mysql", "3306")}
    (bootstrap,) = re.findall(r"bootstrap: (\S+)", text)
    assert f"INTERNAL://{bootstrap}" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_mysql_uses_every_variable_that_it_is_given() -> None:
    script = (compose.ROOT / "deploy/mysql/init.sh").read_text()
    read = set(re.findall(r"\$\{?([A-Z]+_[A-Z_]+)", script))
    assert SERVICES["mysql"]["environment"].keys() == MYSQL_IMAGE_VARIABLES | read


def test_the_init_script_is_sourced_and_not_run() -> None:
    # The image runs a script that may be executed as a process of its own, which lacks the entrypoint's functions.
    script = compose.bind_mounts(SERVICES["mysql"])["/docker-entrypoint-initdb.d/init.sh"]
    assert not os.access(script, os.X_OK)
    (sql,) = re.findall(r"cat (\S+)", script.read_text())
    assert compose.bind_mounts(SERVICES["mysql"])[sql].name == "init.sql"


def test_the_generator_reads_every_variable_that_it_is_given() -> None:
    source = ast.parse((compose.ROOT / "deploy/generator/generate.py").read_text())
    read = {
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper()
    }
    assert SERVICES["generator"]["environment"].keys() <= read


def test_ports_are_published_on_the_loopback_interface_only() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("service", [*OURS, "generator"])
def test_our_containers_have_no_rights_and_write_only_what_is_listed(service: str) -> None:
    settings = SERVICES[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert [Path(mount.split(":")[0]) for mount in settings["tmpfs"]] == [Path("/tmp")]
    written = [volume for volume in settings["volumes"] if isinstance(volume, str)]
    assert written == WRITTEN.get(service, [])
    assert all(volume["read_only"] for volume in settings["volumes"] if not isinstance(volume, str))


def test_what_a_service_writes_to_is_owned_by_its_user_in_the_image() -> None:
    for (volume,) in WRITTEN.values():
        assert re.search(
            rf"install --directory --owner 10001 \S+ 10001 {volume.split(':')[1]}$",
            DOCKERFILE.read_text(),
            re.MULTILINE,
        )


def test_the_line_on_mongodb_names_servers_that_are_there() -> None:
    path = compose.bind_mounts(SERVICES["mongo_line"])[CONFIG]
    config = load_config(path, {})
    assert config.source.kind == "mongo"
    volume, folder = WRITTEN["mongo_line"][0].split(":")
    assert config.source.store.parent == Path(folder)
    assert re.search(rf"^  {volume}:$", compose.FILE.read_text(), re.MULTILINE)
    assert set(re.findall(r"mongodb://([\w:]+)/", path.read_text())) == {"mongo:27017"}


def test_every_service_waits_for_what_it_needs_and_says_how_it_is_limited() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[needed]["healthcheck"]
        if "profiles" not in service:
            assert service["restart"] in {"unless-stopped", "on-failure"}, name
            assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name


def test_what_is_kept_lies_in_named_volumes() -> None:
    text = compose.FILE.read_text()
    for name, folder in (("mysql", "/var/lib/mysql"), ("kafka", SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"])):
        (volume,) = (volume for volume in SERVICES[name]["volumes"] if not volume.startswith("."))
        assert volume == f"{name}-data:{folder}"
        assert re.search(rf"^  {name}-data:$", text, re.MULTILINE)


def test_the_documentation_names_services_and_commands_that_exist() -> None:
    text = (compose.ROOT / "docs/deploy.md").read_text()
    lines = re.findall(r"^docker compose (\w[^#\n]*)", text, re.MULTILINE)
    named = {word for line in lines for word in re.findall(r"(?:exec|run|stop|start|logs)(?: -\S+)* ([a-z ]+)", line)}
    assert {service for words in named for service in words.split()[:1]} <= SERVICES.keys()
    commands = [words.split() for line in lines for words in re.findall(r" streamtrain (.*)", line)]
    assert commands
    for command in commands:
        assert CONFIG in command
        assert understood(command)
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert rows == SERVICES.keys()


def test_the_documented_settings_exist() -> None:
    text = (compose.ROOT / "docs/deploy.md").read_text()
    compose_text = compose.FILE.read_text()
    for flag in re.findall(r"`(--binlog-[a-z-]+)`", text):
        assert f"- {flag}=" in compose_text
    for variable in re.findall(r"`(KAFKA_[A-Z_]+)`", text):
        assert variable in SERVICES["kafka"]["environment"]
    for variable in re.findall(r"`(GENERATOR_[A-Z_]+)`", text):
        assert variable in compose.variables()
