"""What the doctor says of the installation itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors import document_json, row_json
from connectors.mongo import change_event, delta, extended_json, raw_bson
from connectors.mysql.binlog import native_rows
from streamtrain.cli import build
from streamtrain.cli.checkups import _parts_in_c, examine
from tests.config.samples import load, smallest

PARTS = (change_event, delta, document_json, extended_json, raw_bson)


@pytest.mark.parametrize(("rows", "json", "status"), [(True, True, "ok"), (True, False, "warn"), (False, True, "warn")])
def test_the_doctor_says_whether_the_parts_in_c_are_in_use(
    rows: bool, json: bool, status: str, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_rows, "BUILT", rows)
    monkeypatch.setattr(row_json, "BUILT", json)
    check = next(check for check in examine(build.load(config_file)) if check.name == "parts in C")
    assert (check.status, bool(check.remedy)) == (status, status == "warn")


@pytest.mark.parametrize("missing", [None, *PARTS])
def test_of_a_line_on_mongodb_the_parts_that_read_documents_count(
    missing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in PARTS:
        monkeypatch.setattr(part, "BUILT", part is not missing)
    monkeypatch.setattr(native_rows, "BUILT", False)
    source = {"kind": "mongo", "url": "mongodb://h/", "include": ["shop.events"]}
    (check,) = _parts_in_c(load(tmp_path, yaml.safe_dump(smallest(source=source))))
    assert check.status == ("ok" if missing is None else "warn")
