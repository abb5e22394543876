"""Opens the state database, migrates it, and maps its errors. SQLAlchemy and alembic are imported in this room only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url, text

from streamtrain import login
from streamtrain.errors import AccessDenied, ConfigError, FatalError, StateUnavailable, StreamtrainError
from streamtrain.tls import Tls, refusal

_MIGRATIONS = Path(__file__).parent / "migrations"
_PART_BYTES = 8 * 1024 * 1024
# MySQL: access denied for user, for database, for a command, for a column; a missing privilege.
_DENIED_CODES = frozenset({1044, 1045, 1142, 1143, 1227, 3159})
_DENIED_HINT = (
    "check user and password of state.url, grant ALL on its database to this user, "
    "and if the account wants TLS or a certificate, set it under state.tls"
)
_UNKNOWN_DATABASE = 1049
# What only waiting or another try mends: deadlock, lock wait, too many connections, read-only during a failover, shutdown.
_TRANSIENT_CODES = frozenset({1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1290, 1317, 1836, 1927})


class Database:
    """A state database by URL: ``sqlite:///path`` or ``mysql://user:password@host:port/database``.

    Not shared between processes; a connection is opened per transaction from a small pool. Every method raises
    StateUnavailable while the database is away, AccessDenied or FatalError where waiting would not help. A server's answer
    is waited for ``timeout_s`` seconds, a SQLite file that another process writes at most 10.
    """

    def __init__(self, url: str, *, tls: Tls | None = None, connect_timeout_s: int = 5, timeout_s: int = 60) -> None:
        self._engine = _engine(url, tls or Tls(), connect_timeout_s, timeout_s)
        # Shorter than the wait for any answer: a lock that is not got is told from a server that is away.
        self._lock_wait_s = max(1, timeout_s * 5 // 6)

    @property
    def where(self) -> str:
        """The URL without its password and its options (one may be a password), for messages."""
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except exc.SQLAlchemyError as error:
            raise self._mapped(error) from error

    def migrate(self) -> None:
        """Bring the tables to this version's form; does nothing if they are. Safe to call from several processes at once.

        One that was killed is gone on with. Raises FatalError if the tables are of a newer version.
        """
        with self._known_revision(), self.transaction() as connection, _migration_lock(connection, self._lock_wait_s):
            if _revision(connection) == _head():
                return
            config = _alembic_config()
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")

    def pending_migration(self) -> tuple[str | None, str] | None:
        """(revision found, revision needed) if the tables are not of this version; None if they are.

        Raises FatalError if they are of a newer version.
        """
        with self._known_revision(), self.transaction() as connection:
            found = _revision(connection)
            if found is not None:
                ScriptDirectory.from_config(_alembic_config()).get_revision(found)
        return None if found == _head() else (found, _head())

    def part_bytes(self) -> int:
        """How large one part of a blob may be, so that its INSERT stays under MySQL's ``max_allowed_packet``."""
        if self._engine.dialect.name == "sqlite":
            return _PART_BYTES
        with self.transaction() as connection:
            packet = int(connection.execute(text("SELECT @@max_allowed_packet")).scalar_one())
        # The driver escapes a binary literal to at most twice its length; the rest of the statement is far under 4 KiB.
        return max(1024, min(_PART_BYTES, (packet - 4096) // 2))

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    @contextmanager
    def _known_revision(self) -> Iterator[None]:
        try:
            yield
        except CommandError as error:
            raise FatalError(
                f"state database {self.where}: its tables are not of a version known here: {error}",
                hint="a newer streamtrain has migrated them: install that version, or name another database in state.url",
            ) from error

    def _mapped(self, error: exc.SQLAlchemyError) -> StreamtrainError:
        return map_error(error, self.where)


def map_error(error: exc.SQLAlchemyError, where: str) -> StreamtrainError:
    """The error of the tree for one of SQLAlchemy's; statements and parameters are left out, they may hold rows."""
    if not isinstance(error, exc.DBAPIError):
        return FatalError(f"state database {where}: {type(error).__name__}: {error}")
    original = error.orig
    code = original.args[0] if original is not None and original.args else None
    said = f"state database {where}: {original}"
    if code in _DENIED_CODES:
        return AccessDenied(said, hint=_DENIED_HINT)
    if code == _UNKNOWN_DATABASE:
        return ConfigError(said, hint="create it: CREATE DATABASE name CHARACTER SET utf8mb4")
    if (refused := refusal(original, "state.tls")) is not None:
        return (AccessDenied if refused.final else StateUnavailable)(said, hint=refused.hint)
    transient = code in _TRANSIENT_CODES or bool(re.search("database is locked|unable to open database", str(original)))
    if error.connection_invalidated or transient or _connection_lost(error, code):
        return StateUnavailable(said)
    return FatalError(said)


def _connection_lost(error: exc.DBAPIError, code: object) -> bool:
    lost = isinstance(code, int) and (2000 <= code < 2100 or code == 0)
    return isinstance(error, exc.OperationalError | exc.InterfaceError) and lost


def _engine(url: str, tls: Tls, connect_timeout_s: int, timeout_s: int) -> Engine:
    if url.startswith("sqlite:"):
        engine = _create_engine(url, "sqlite:///file.db", connect_args={"timeout": min(timeout_s, 10)})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    if url.startswith("mysql:"):
        url, form = "mysql+pymysql:" + url.removeprefix("mysql:"), "mysql://user:password@host:port/db"
        connect_args = {"connect_timeout": connect_timeout_s, "charset": "utf8mb4",
                        "read_timeout": timeout_s, "write_timeout": timeout_s, **login.arguments(tls), **_password(url, form)}  # fmt: skip
        return _create_engine(url, form, connect_args=connect_args, pool_pre_ping=True, pool_size=2,
                              isolation_level="READ COMMITTED")  # fmt: skip
    raise ConfigError("state.url must begin with sqlite: or mysql:", hint="for example sqlite:///streamtrain.db")


def _password(url: str, form: str) -> dict[str, bytes]:
    """The password as the server keeps it, in UTF-8: PyMySQL would encode text as latin1."""
    with _parsing(form):
        password = make_url(url).password
    return {} if password is None else {"password": password.encode()}


def _create_engine(url: str, form: str, **options: Any) -> Engine:
    with _parsing(form):
        return create_engine(url, hide_parameters=True, **options)


@contextmanager
def _parsing(form: str) -> Iterator[None]:
    try:
        yield
    except (exc.ArgumentError, ValueError):
        # Without the cause, which shows the URL, or what was taken for its port: part of a password with an '@' in it.
        hint = f"{form}; special characters in a password are written as %40"
        raise ConfigError("state.url is not a database URL", hint=hint) from None


def _configure_sqlite(connection: object, _record: object) -> None:
    # autocommit mode: SQLAlchemy's BEGIN below opens the transaction, not the driver's guess at statements.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a checkpoint that was reported survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once when another writer came between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _migration_lock(connection: Connection, wait_s: int) -> Iterator[None]:
    """One process at a time: connector, trainer and health checks start together on an empty database.

    On SQLite the transaction itself is the lock. MySQL commits at each CREATE TABLE, so it takes a lock with a name, which
    is the database's own: GET_LOCK's names are the whole server's.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    taken = text("SELECT GET_LOCK(CONCAT('streamtrain.', LEFT(SHA2(DATABASE(), 256), 16)), :wait_s)")
    if connection.execute(taken, {"wait_s": wait_s}).scalar_one() != 1:
        raise StateUnavailable(f"another process has been migrating the state database for {wait_s} s")
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(CONCAT('streamtrain.', LEFT(SHA2(DATABASE(), 256), 16)))"))


def _alembic_config() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _head() -> str:
    head = ScriptDirectory.from_config(_alembic_config()).get_current_head()
    if head is None:
        raise FatalError(f"no migrations in {_MIGRATIONS}")
    return head


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": "streamtrain_migrations"})
    return context.get_current_revision()
