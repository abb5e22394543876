"""The state database of a URL."""

from __future__ import annotations

from streamtrain.errors import ConfigError
from streamtrain.state.database import Database
from streamtrain.tls import Tls


def open_database(url: str, *, tls: Tls | None = None, connect_timeout_s: int = 5, timeout_s: int = 60) -> Database:
    """The database of a URL, not yet connected to.

    One of ``sqlite:///path``, ``mysql://user:password@host:port/database``, and
    ``mongodb://user:password@host:port,host:port/database?replicaSet=name``. A server's answer is waited for ``timeout_s``
    seconds, a SQLite file that another process writes at most 10. Raises ConfigError.
    """
    # Imported here: who keeps state in one of them need not load the driver of another.
    if url.startswith(("sqlite:", "mysql:")):
        from streamtrain.state.sql import SqlDatabase  # noqa: PLC0415

        return SqlDatabase(url, tls=tls, connect_timeout_s=connect_timeout_s, timeout_s=timeout_s)
    if url.startswith(("mongodb:", "mongodb+srv:")):
        from streamtrain.state.mongo import MongoDatabase  # noqa: PLC0415

        return MongoDatabase(url, tls=tls, connect_timeout_s=connect_timeout_s, timeout_s=timeout_s)
    raise ConfigError(
        "state.url must begin with sqlite:, mysql: or mongodb:", hint="for example sqlite:///streamtrain.db"
    )
