"""Damaged logs decode, or stop with their place, soon and within bounded memory; and the fuzzer can tell when they do not."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.mysql.binlog.rows import generate_rows_decoder
from connectors.mysql.binlog.table_map import TableLayout
from tests.fuzz import documents, engine
from tests.fuzz.engine import Finding, Fuzzer
from tests.native import compiler_is_there

ROOT = Path(__file__).parent.parent.parent
TURNS = 2_500
SANITIZED_TURNS = 400


def fuzz(*words: str) -> dict[str, Any]:
    """What a run of its own found: memory is bounded there."""
    command = [sys.executable, "-m", "tests.fuzz", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout, done.stderr[-3_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_damaged_logs_decode_or_stop_with_their_place() -> None:
    found = fuzz("--seed", "suite", "--turns", str(TURNS))
    assert found["findings"] == []
    assert found["turns"] == TURNS
    kinds = ("stopped", "went through", "pieces", "answers", "documents that were read", "documents that were stopped")
    assert min(found[kind] for kind in kinds) > TURNS // 20


@pytest.mark.skipif(not compiler_is_there(), reason="a C compiler and Python's headers are needed")
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers are loaded before the program as on Linux")
def test_the_decoder_in_c_touches_no_memory_that_is_not_its_own() -> None:
    found = fuzz("--seed", "sanitized", "--turns", str(SANITIZED_TURNS), "--sanitize")
    assert found["findings"] == []
    assert found["decoders"] == found["readers"] == ["in C", "in Python"]
    assert found["answers"] > SANITIZED_TURNS // 20


def a_foreign_error(layout: TableLayout) -> Callable[[bytes, int, int], Any]:
    def decode(data: bytes, start: int, end: int) -> Any:
        raise RuntimeError("planted")

    return decode


def a_hang(layout: TableLayout) -> Callable[[bytes, int, int], Any]:
    def decode(data: bytes, start: int, end: int) -> Any:
        while True:
            pass

    return decode


def a_wrong_row(layout: TableLayout) -> Callable[[bytes, int, int], Any]:
    right = generate_rows_decoder(layout)
    return lambda data, start, end: [(*row[:-1], "planted") for row in right(data, start, end)]


def a_short_row(layout: TableLayout) -> Callable[[bytes, int, int], Any]:
    right = generate_rows_decoder(layout)
    return lambda data, start, end: [row[:-1] for row in right(data, start, end)]


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        (a_foreign_error, "a foreign error: RuntimeError"),
        (a_hang, "takes more than"),
        (a_wrong_row, "differ"),
        (a_short_row, "another width"),
    ],
)
def test_a_planted_fault_of_a_decoder_is_found(
    planted: engine.Compile, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CPU_S", 0.3)
    fuzzer = Fuzzer({"right": generate_rows_decoder, "planted": planted})
    with pytest.raises(Finding, match=told):
        for number in range(50):
            fuzzer.play(f"planted.{number}")


def test_a_checksum_that_is_not_looked_at_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.mysql.binlog.decoder._checksum_fits", lambda _data: True)
    fuzzer = Fuzzer({"right": generate_rows_decoder})
    with pytest.raises(Finding, match="its checksum does not fit"):
        for number in range(300):
            fuzzer.play(f"checksum.{number}")


def test_a_planted_fault_of_a_reader_of_documents_is_found() -> None:
    right = documents.readers()["in Python"]
    wrong = right._replace(writes=(lambda _data, _start, _replace: b"{}", *right.writes[1:]))
    rng = random.Random("planted")
    with pytest.raises(documents.Unlike, match="differ"):
        for _ in range(20):
            documents.play(rng, {"right": right, "planted": wrong})


def test_json_that_cannot_be_read_is_found() -> None:
    right = documents.readers()["in Python"]
    wrong = right._replace(writes=(lambda _data, _start, _replace: b"{'a': NaN}", *right.writes[1:]))
    with pytest.raises(documents.Unlike, match="no JSON was written"):
        documents.play(random.Random("planted"), {"planted": wrong})
