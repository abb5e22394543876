"""Commands that only look create nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.checks import Check
from streamtrain.cli import build
from streamtrain.cli.checkpoints import checkpoints
from streamtrain.cli.checkups import examine
from streamtrain.cli.deadletters import deadletters
from streamtrain.cli.status import status
from streamtrain.errors import FatalError


@pytest.mark.parametrize("command", [status, checkpoints, deadletters])
def test_a_state_database_that_is_not_there_is_told_and_not_made(
    command: Callable[[Path], None], config_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(FatalError, match=r"there is no state database .*state\.db yet") as raised:
        command(config_file)
    assert "state.url" in raised.value.hint
    assert list((tmp_path / "state").iterdir()) == []


def state_check(config_file: Path) -> Check:
    return next(check for check in examine(build.load(config_file)) if check.name == "state database")


def test_the_doctor_says_whether_the_state_database_can_be_made_without_making_it(
    config_file: Path, tmp_path: Path
) -> None:
    assert state_check(config_file).status == "fail"
    assert "is not a directory" in state_check(config_file).found
    (tmp_path / "state").mkdir()
    assert state_check(config_file).status == "ok"
    assert "will be made" in state_check(config_file).found
    assert list((tmp_path / "state").iterdir()) == []
