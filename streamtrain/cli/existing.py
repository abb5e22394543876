"""For commands that only look: what is not there yet is told, not made."""

from __future__ import annotations

from pathlib import Path

from streamtrain.config.models import Config
from streamtrain.errors import FatalError


def missing_state_file(config: Config) -> Path | None:
    """The SQLite file of ``state.url`` if it does not exist; None if it does, or if a server keeps the state."""
    url = config.state.url
    return url.path if url.scheme == "sqlite" and not url.path.exists() else None


def require_state_database(config: Config) -> None:
    """Raise FatalError if there is no state database file, which opening it would create."""
    missing = missing_state_file(config)
    if missing is not None:
        raise FatalError(
            f"there is no state database {missing} yet",
            hint="run `streamtrain train CONFIG` first, or check state.url",
        )
