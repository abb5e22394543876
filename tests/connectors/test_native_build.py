"""The parts in C are built where there is a compiler, and left out where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.native import build, compiler_is_there


@pytest.mark.skipif(not compiler_is_there(), reason="a C compiler and Python's headers are needed")
def test_an_installation_with_a_compiler_builds_the_parts_in_c(tmp_path: Path) -> None:
    assert {path.name.split(".")[0] for path in build(tmp_path)} == {
        "_cells",
        "_change_event",
        "_delta",
        "_document_json",
        "_extended_json",
        "_plain",
        "_raw_bson",
        "_row_json",
        "_rows",
    }


def test_an_installation_without_a_compiler_goes_through_without_them(tmp_path: Path) -> None:
    assert build(tmp_path, CC="/nowhere/cc") == []
