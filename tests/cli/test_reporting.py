"""Reports to a state database that is away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamtrain.cli import build
from streamtrain.cli.reporting import ComponentReport
from streamtrain.config.models import Config
from streamtrain.errors import SourceUnavailable
from streamtrain.testing import ManualClock


def reported(config: Config) -> dict[str, Any]:
    with build.state(config) as parts:
        return parts.ledger.components(config.name).get("connector", {})


def test_after_a_report_that_failed_there_is_none_for_half_a_minute(
    config_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, clock = build.load(config_file), ManualClock()
    with ComponentReport(config, "connector", clock.monotonic_s) as report:
        report.running({"rows": 1})
        (tmp_path / "state").mkdir()  # what was away is back
        clock.advance(29)
        report.running({"rows": 2})
        report.retrying(SourceUnavailable("down"), 1.0)
        assert list((tmp_path / "state").iterdir()) == []
        clock.advance(2)
        report.running({"rows": 3})
        assert reported(config)["rows"] == 3
    assert "".join(capfd.readouterr()).count("status not reported") == 1


def test_the_state_database_is_made_ready_before_the_work_begins(config_file: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with ComponentReport(build.load(config_file), "connector", ManualClock().monotonic_s):
        assert list((tmp_path / "state").iterdir()) != []


def test_the_last_word_is_tried_in_the_pause_too(config_file: Path, tmp_path: Path) -> None:
    config = build.load(config_file)
    with ComponentReport(config, "connector", ManualClock().monotonic_s) as report:
        report.running({"rows": 1})
        (tmp_path / "state").mkdir()
        report.stopped()
    assert reported(config)["state"] == "stopped"
