"""What a component's last report is worth when it is old."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrain.cli import build
from streamtrain.cli.status import read_status
from streamtrain.state.ledger import Ledger


@pytest.mark.parametrize(
    ("state", "age_s", "retry_in_s", "shown"),
    [
        ("running", 20, None, "running"),
        ("running", 40, None, "silent"),
        ("waiting", 20, None, "waiting"),
        ("waiting", 40, None, "silent"),
        ("retrying", 110, None, "retrying"),
        ("retrying", 130, None, "silent"),
        ("retrying", 130, 20, "retrying"),
        ("retrying", 300, -130, "silent"),
        ("stopped", 9_000, None, "stopped"),
        ("failed", 9_000, None, "failed"),
    ],
)
def test_a_component_that_should_have_spoken_since_is_silent(
    state: str, age_s: int, retry_in_s: int | None, shown: str, config_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    config, now = build.load(config_file), build.wall_ms()
    with build.state(config) as parts:
        detail = {} if retry_in_s is None else {"retry_at_ms": now + retry_in_s * 1000}
        Ledger(parts.database, lambda: now - age_s * 1000).report(config.name, "connector", state, detail)
    assert read_status(config)["components"]["connector"]["state"] == shown
