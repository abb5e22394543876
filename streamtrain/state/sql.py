"""The state database in SQL: SQLite, MySQL, MariaDB. Opens it, migrates it, maps its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    create_engine,
    delete,
    event,
    exc,
    func,
    insert,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy import Table as SqlTable

from streamtrain import login
from streamtrain.errors import AccessDenied, ConfigError, FatalError, StateUnavailable, StreamtrainError
from streamtrain.state.database import Not, OneOf, Range, Row, Where
from streamtrain.state.layout import Table
from streamtrain.state.tables import metadata
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


class SqlTransaction:
    """A transaction in SQL, as ``state.database.Transaction`` describes it, on its ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def lock(self, table: Table, key: Row, *, replacing: bool = False) -> Row | None:
        del replacing  # a server of SQL ends the transaction of a connection that breaks
        # SQLite knows no FOR UPDATE and needs none: there the transaction has locked the whole file.
        found = self._rows(select(_described(table)).where(*_conditions(table, key)).with_for_update())
        return found[0] if found else None

    def select(
        self,
        table: Table,
        where: Where,
        *,
        columns: Sequence[str] = (),
        order: Sequence[str] = (),
        descending: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        described = _described(table)
        chosen = select(*(described.c[name] for name in columns)) if columns else select(described)
        ordered = [described.c[name].desc() if descending else described.c[name] for name in order]
        return self._rows(chosen.where(*_conditions(table, where)).order_by(*ordered).limit(limit))

    def count(self, table: Table, where: Where, by: str) -> dict[Any, int]:
        column = _described(table).c[by]
        counted = select(column, func.count()).where(*_conditions(table, where)).group_by(column).order_by(column)
        return {row[0]: row[1] for row in self.connection.execute(counted)}

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        self.connection.execute(insert(_described(table)), [dict(row) for row in rows])

    def insert_numbered(self, table: Table, row: Row) -> int:
        return int(self.connection.execute(insert(_described(table)).values(**row)).lastrowid)

    def update(self, table: Table, where: Where, values: Row) -> int:
        changed = update(_described(table)).where(*_conditions(table, where)).values(**values)
        return self.connection.execute(changed).rowcount

    def delete(self, table: Table, where: Where) -> None:
        self.connection.execute(delete(_described(table)).where(*_conditions(table, where)))

    def _rows(self, query: Select[Any]) -> list[Row]:
        return [dict(row) for row in self.connection.execute(query).mappings()]


def _described(table: Table) -> SqlTable:
    return metadata.tables[table.name]


def _conditions(table: Table, where: Where) -> Iterator[ColumnElement[bool]]:
    for name, wanted in where.items():
        column = _described(table).c[name]
        match wanted:
            case OneOf(values):
                yield column.in_(values)
            case Not(value):
                yield column != value
            case Range(at_least, below):
                if at_least is not None:
                    yield column >= at_least
                if below is not None:
                    yield column < below
            case _:
                yield column == wanted


class SqlDatabase:
    """A database in SQL, as ``state.database.Database`` describes it; a small pool of connections."""

    def __init__(self, url: str, *, tls: Tls | None = None, connect_timeout_s: int = 5, timeout_s: int = 60) -> None:
        self._engine = _engine(url, tls or Tls(), connect_timeout_s, timeout_s)
        # Shorter than the wait for any answer: a lock that is not got is told from a server that is away.
        self._lock_wait_s = max(1, timeout_s * 5 // 6)

    @property
    def where(self) -> str:
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        with self._begun() as connection:
            yield SqlTransaction(connection)

    def migrate(self) -> None:
        with self._known_revision(), self._begun() as connection, _migration_lock(connection, self._lock_wait_s):
            if _revision(connection) == _head():
                return
            config = _alembic_config()
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")

    def pending_migration(self) -> tuple[str | None, str] | None:
        with self._known_revision(), self._begun() as connection:
            found = _revision(connection)
            if found is not None:
                ScriptDirectory.from_config(_alembic_config()).get_revision(found)
        return None if found == _head() else (found, _head())

    def part_bytes(self) -> int:
        # A part's INSERT has to stay under MySQL's max_allowed_packet.
        if self._engine.dialect.name == "sqlite":
            return _PART_BYTES
        with self._begun() as connection:
            packet = int(connection.execute(text("SELECT @@max_allowed_packet")).scalar_one())
        # The driver escapes a binary literal to at most twice its length; the rest of the statement is far under 4 KiB.
        return max(1024, min(_PART_BYTES, (packet - 4096) // 2))

    def problems(self) -> Iterator[StreamtrainError]:
        return iter(())

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except exc.SQLAlchemyError as error:
            raise map_error(error, self.where) from error

    @contextmanager
    def _known_revision(self) -> Iterator[None]:
        try:
            yield
        except CommandError as error:
            raise FatalError(
                f"state database {self.where}: its tables are not of a version known here: {error}",
                hint="a newer streamtrain has migrated them: install that version, or name another database in state.url",
            ) from error


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
    url, form = "mysql+pymysql:" + url.removeprefix("mysql:"), "mysql://user:password@host:port/db"
    connect_args = {"connect_timeout": connect_timeout_s, "charset": "utf8mb4",
                    "read_timeout": timeout_s, "write_timeout": timeout_s, **login.arguments(tls), **_password(url, form)}  # fmt: skip
    return _create_engine(url, form, connect_args=connect_args, pool_pre_ping=True, pool_size=2,
                          isolation_level="READ COMMITTED")  # fmt: skip


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
