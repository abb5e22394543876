"""What the doctor says of the installation itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import row_json
from connectors.mysql.binlog import native_rows
from streamtrain.cli import build
from streamtrain.cli.checkups import examine


@pytest.mark.parametrize(("rows", "json", "status"), [(True, True, "ok"), (True, False, "warn"), (False, True, "warn")])
def test_the_doctor_says_whether_the_parts_in_c_are_in_use(
    rows: bool, json: bool, status: str, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_rows, "BUILT", rows)
    monkeypatch.setattr(row_json, "BUILT", json)
    check = next(check for check in examine(build.load(config_file)) if check.name == "parts in C")
    assert (check.status, bool(check.remedy)) == (status, status == "warn")
