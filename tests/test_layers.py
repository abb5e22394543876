"""The architecture, held: who may import whom, one door per foreign library, and sizes that keep files readable."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND = {"errors", "log", "faults"}
"""Rooms that everyone may use."""

MAY_IMPORT: dict[str, set[str]] = {
    "streamtrain.errors": set(),
    "streamtrain.log": set(),
    "streamtrain.faults": set(),
    "streamtrain.retrying": set(),
    "streamtrain.documents": set(),
    "streamtrain.envelope": {"streamtrain.documents"},
    "streamtrain.tls": set(),
    "streamtrain.login": {"streamtrain.tls"},
    "streamtrain.avro": {"streamtrain.envelope"},
    "streamtrain.registry": {"streamtrain.tls"},
    "streamtrain.deserializing": {"streamtrain.avro", "streamtrain.topic"},
    "streamtrain.topic": set(),
    "streamtrain.tensors": set(),
    "streamtrain.slices": {"streamtrain.topic"},
    "streamtrain.examples": {"streamtrain.envelope", "streamtrain.topic"},
    "streamtrain.features": set(),
    "streamtrain.metrics": {"streamtrain.features"},
    "streamtrain.models": {"streamtrain.features"},
    "streamtrain.learner": {
        "streamtrain.examples", "streamtrain.features", "streamtrain.metrics", "streamtrain.models",
        "streamtrain.tensors", "streamtrain.topic",
    },
    "streamtrain.state": {"streamtrain.login", "streamtrain.tls", "streamtrain.topic"},
    "streamtrain.trainer": {
        "streamtrain.examples", "streamtrain.learner", "streamtrain.slices", "streamtrain.state", "streamtrain.tensors",
        "streamtrain.topic",
    },
    "streamtrain.config": {"streamtrain.tls", "streamtrain.topic"},
    "streamtrain.demo": {"streamtrain.state", "streamtrain.topic"},
    "streamtrain.testing": {"streamtrain.envelope", "streamtrain.topic"},
    "streamtrain.cli": {"*"},
    "streamtrain.__main__": {"streamtrain.cli"},
    "streamtrain.__init__": set(),
    "connectors.__init__": set(),
    "connectors.source": {"streamtrain.envelope"},
    "connectors.checks": set(),
    "connectors.topic_owners": {"connectors.checks", "streamtrain.topic"},
    "connectors.signals": set(),
    "connectors.snapshot_markers": set(),
    "connectors.row_json": {"connectors.source", "connectors._row_json"},
    "connectors.messages": {"connectors.source", "streamtrain.envelope", "streamtrain.topic"},
    "connectors.envelope": {"connectors.messages", "connectors.source", "connectors.row_json", "streamtrain.topic"},
    "connectors.shaping": {
        "connectors.serializing", "connectors.source", "streamtrain.envelope", "streamtrain.topic",
    },
    "connectors.flat_rows": {
        "connectors.document_json", "connectors.documents", "connectors.row_json", "connectors.serializing", "connectors.source",
        "streamtrain.documents", "streamtrain.topic",
    },
    "connectors.large_records": {"connectors.serializing", "connectors.source", "streamtrain.topic"},
    "connectors.formats": {
        "connectors.documents", "connectors.messages", "connectors.serializing", "connectors.source", "streamtrain.avro",
        "streamtrain.envelope",
        "streamtrain.topic",
    },
    "connectors.serializing": {
        "connectors.documents", "connectors.source", "connectors.envelope", "connectors.row_json", "streamtrain.topic",
    },
    "connectors.relay": {"connectors.source", "connectors.serializing", "streamtrain.topic"},
    "connectors.mysql": {
        "connectors.signals", "connectors.snapshot_markers", "connectors.source", "connectors.checks",
        "connectors.topic_owners", "streamtrain.envelope", "streamtrain.login", "streamtrain.tls",
    },
    "connectors.documents": {"connectors.document_json", "connectors.source", "streamtrain.envelope", "streamtrain.topic"},
    "connectors.document_json": {"connectors._document_json", "connectors.source", "streamtrain.envelope"},
    "connectors.mongo": {
        "connectors.documents", "connectors.signals", "connectors.snapshot_markers", "connectors.source", "connectors.checks",
        "connectors.topic_owners", "streamtrain.documents", "streamtrain.envelope", "streamtrain.tls",
    },
    "connectors.sqlite": {
        "connectors.snapshot_markers", "connectors.source", "connectors.checks", "connectors.topic_owners", "streamtrain.envelope",
    },
}  # fmt: skip

DOORS: dict[str, set[str]] = {
    "fastavro": {"streamtrain.avro"},
    "urllib3": {"streamtrain.registry"},
    "confluent_kafka": {"streamtrain.topic"},
    "pymysql": {"connectors.mysql"},
    "pymongo": {"connectors.mongo", "streamtrain.state"},
    "bson": {"connectors.mongo", "streamtrain.state"},
    "sqlalchemy": {"streamtrain.state"},
    "alembic": {"streamtrain.state"},
    "torch": {"streamtrain.models", "streamtrain.trainer", "streamtrain.cli"},
    "safetensors": {"streamtrain.tensors"},
    "yaml": {"streamtrain.config"},
    "pydantic": {"streamtrain.config"},
    "pydantic_core": {"streamtrain.config"},
    "typer": {"streamtrain.cli"},
    "click": {"streamtrain.cli"},
    "rich": {"streamtrain.cli", "streamtrain.demo"},
    "structlog": {"streamtrain.log"},
    "tenacity": {"streamtrain.retrying"},
    "xxhash": {"streamtrain.features"},
    "zstandard": {"connectors.mysql"},
}

LINES_PER_FILE = 500
LINES_PER_FUNCTION = 60
PARAMETERS = 6


def sources() -> list[Path]:
    return sorted(path for package in ("streamtrain", "connectors") for path in (ROOT / package).rglob("*.py"))


def room_of(path: Path) -> str:
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    return f"{package}.{rest[0]}"


def taken(path: Path) -> set[str]:
    """Full names of what is imported, those inside functions too: modules, and what is taken from modules."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


def imported(path: Path) -> set[str]:
    """Full names of imported modules, those inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room is meant"
            names.add(node.module or "")
            if node.module in {"streamtrain", "connectors"}:
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def breaches(path: Path) -> list[str]:
    room, found = room_of(path), []
    for name in sorted(imported(path)):
        top = name.partition(".")[0]
        if top in {"streamtrain", "connectors"}:
            other = ".".join(name.split(".")[:2])
            ground = other.partition(".")[2] in GROUND | {"", "__version__"}
            if other != room and not ground and "*" not in MAY_IMPORT[room] and other not in MAY_IMPORT[room]:
                found.append(f"{path.relative_to(ROOT)}: {room} may not import {other}")
        elif top in DOORS and room not in DOORS[top]:
            found.append(f"{path.relative_to(ROOT)}: {top} is imported in {', '.join(sorted(DOORS[top]))} only")
    return found


def test_the_table_names_exactly_the_rooms_there_are() -> None:
    assert {room_of(path) for path in sources()} == set(MAY_IMPORT)


def test_every_import_is_allowed_by_the_table() -> None:
    assert [breach for path in sources() for breach in breaches(path)] == []


def test_the_table_has_no_circles() -> None:
    order: list[str] = []

    def visit(room: str, above: tuple[str, ...]) -> None:
        assert room not in above, f"circle: {' -> '.join((*above, room))}"
        if room not in order:
            for other in sorted(MAY_IMPORT.get(room, set()) - {"*"}):
                if other != "streamtrain.cli":
                    visit(other, (*above, room))
            order.append(room)

    for room in sorted(MAY_IMPORT):
        visit(room, ())


def circle(files: Iterable[Path]) -> list[str]:
    """Modules each of which imports the next, inside functions too, back to the first; empty if there are none."""
    modules = {
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__"): path for path in files
    }
    graph = {
        name: {full if full in modules else full.rpartition(".")[0] for full in taken(path)} & set(modules) - {name}
        for name, path in modules.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_file_imports_itself_by_way_of_others() -> None:
    assert circle(sources()) == []


def test_a_planted_circle_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "streamtrain/a.py": "from streamtrain.b import x",
        "streamtrain/b.py": "def f():\n    from streamtrain.a import y",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert sorted(set(circle(tmp_path / name for name in files))) == ["streamtrain.a", "streamtrain.b"]


@pytest.mark.parametrize(
    ("text", "room"),
    [
        ("import torch", "connectors/relay.py"),
        ("from streamtrain.trainer.worker import Worker", "streamtrain/state/ledger.py"),
        ("def f():\n    import pymysql", "streamtrain/state/database.py"),
        ("from connectors.relay import Relay", "streamtrain/trainer/worker.py"),
    ],
)
def test_planted_breaches_are_found(text: str, room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / room
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert len(breaches(planted)) == 1


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("connectors.relay, connectors.mysql.source, connectors.sqlite.source, streamtrain.topic.kafka", "torch"),
        ("streamtrain.envelope", "torch kafka confluent_kafka sqlalchemy"),
        ("streamtrain.learner", "confluent_kafka sqlalchemy pymysql"),
        ("streamtrain.state.checkpoints, streamtrain.state.ledger", "sqlalchemy pymysql pymongo"),
        ("streamtrain.state.mongo", "sqlalchemy pymysql"),
    ],
)
def test_a_room_does_not_load_what_it_does_not_need(modules: str, absent: str) -> None:
    code = f"import sys, {modules}; print([name for name in {absent.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_files_and_functions_fit_a_reader() -> None:
    too_large = []
    for path in sources():
        if "migrations/versions" in path.as_posix():
            continue
        text = path.read_text()
        if (lines := len(text.splitlines())) > LINES_PER_FILE:
            too_large.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{path.relative_to(ROOT)}: {node.name}"
                if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_PER_FUNCTION:
                    too_large.append(f"{where} has {length} lines")
                names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                count = len([name for name in names if name not in {"self", "cls"}])
                if count > PARAMETERS and "cli/" not in path.as_posix():
                    too_large.append(f"{where} has {count} parameters")
    assert too_large == []
