"""A configuration that the tests of single parts of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.fault.lines import config, file_topic, sqlite_source


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """Of a line on SQLite and files; ``state/`` and with it the state database are not there."""
    topics, state = file_topic(tmp_path / "topics", "shop"), f"sqlite:///{tmp_path}/state/state.db"
    file = tmp_path / "streamtrain.yaml"
    file.write_text(yaml.safe_dump(config("shop", sqlite_source(tmp_path / "app.db"), topics, state, "main.events")))
    return file
