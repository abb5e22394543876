"""The databases that can keep state, each in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

STATE_DATABASES = ("sqlite", "mysql", "mariadb", "mongo")


def state_url(request: pytest.FixtureRequest, directory: Path) -> str:
    """The URL of an empty database of the kind that the fixture is parametrized with."""
    if request.param == "sqlite":
        return f"sqlite:///{directory}/state.db"
    server, name = (request.getfixturevalue(fixture) for fixture in (request.param, f"{request.param}_database"))
    return str(server.database_url(name)) if request.param == "mongo" else f"{server.url}/{name}"
