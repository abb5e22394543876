"""The tables of the state database, the same on SQLite, MySQL and MariaDB. Changed only together with a migration."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.types import TypeEngine

metadata = MetaData()

# Both names: SQLAlchemy calls a MariaDB by the name in its URL. A database's own character set may be latin1.
_TABLE_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}

# MySQL's TEXT and BLOB end at 64 KiB; a metrics document or a part of a blob does not.
_LongText: TypeEngine[str] = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_LongBlob: TypeEngine[bytes] = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
# SQLite numbers rows by itself only for a column of exactly type INTEGER.
_Id: TypeEngine[int] = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
# Names are compared byte by byte: MySQL's default collations would take run "A" for run "a".
_Name: TypeEngine[str] = String(190).with_variant(
    mysql.VARCHAR(190, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
# Kafka's topic names: at most 249 characters of ASCII letters, digits, '.', '_' and '-'.
_Topic: TypeEngine[str] = String(249).with_variant(
    mysql.VARCHAR(249, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
# A row's key as JSON; longer ones are stored by their hash (see ``records.stored_key``).
_Key: TypeEngine[str] = String(512).with_variant(
    mysql.VARCHAR(512, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)

runs = Table(
    "streamtrain_runs",
    metadata,
    Column("name", _Name, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("parent", _Name),
    Column("config", _LongText, nullable=False),
    **_TABLE_OPTIONS,
)

checkpoints = Table(
    "streamtrain_checkpoints",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("run", _Name, ForeignKey("streamtrain_runs.name"), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("format", Integer, nullable=False),
    Column("slice", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("weights_sha256", String(64), nullable=False),
    Column("state_sha256", String(64), nullable=False),
    Column("offsets", _LongText, nullable=False),
    Column("resume_offsets", _LongText, nullable=False),
    Column("metrics", _LongText, nullable=False),
    Column("settings", _LongText, nullable=False),
    Column("versions", _LongText, nullable=False),
    Index("streamtrain_checkpoints_by_run", "run", "id"),
    **_TABLE_OPTIONS,
)

checkpoint_parts = Table(
    "streamtrain_checkpoint_parts",
    metadata,
    Column("checkpoint_id", _Id, ForeignKey("streamtrain_checkpoints.id", ondelete="CASCADE"), primary_key=True),
    Column("blob_name", _Name, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("data", _LongBlob, nullable=False),
    **_TABLE_OPTIONS,
)

dead_letters = Table(
    "streamtrain_dead_letters",
    metadata,
    Column("run", _Name, ForeignKey("streamtrain_runs.name"), primary_key=True),
    Column("topic", _Topic, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(64), nullable=False),
    Column("message", _LongText, nullable=False),
    Column("row_key", _Key),
    Column("slice", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Index("streamtrain_dead_letters_by_key", "run", "row_key"),
    **_TABLE_OPTIONS,
)

deletions = Table(
    "streamtrain_deletions",
    metadata,
    Column("run", _Name, ForeignKey("streamtrain_runs.name"), primary_key=True),
    Column("topic", _Topic, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("row_key", _Key),
    Column("slice", BigInteger, nullable=False),
    **_TABLE_OPTIONS,
)

schedule = Table(
    "streamtrain_schedule",
    metadata,
    Column("run", _Name, ForeignKey("streamtrain_runs.name"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", _Topic, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("start_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False),
    Column("retry", Boolean, nullable=False),
    **_TABLE_OPTIONS,
)

metric_points = Table(
    "streamtrain_metrics",
    metadata,
    Column("run", _Name, ForeignKey("streamtrain_runs.name"), primary_key=True),
    Column("events", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(64), primary_key=True),
    Column("value", Float(53), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    **_TABLE_OPTIONS,
)

config_changes = Table(
    "streamtrain_config_changes",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("run", _Name, ForeignKey("streamtrain_runs.name"), nullable=False),
    Column("checkpoint_id", _Id, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("differences", _LongText, nullable=False),
    **_TABLE_OPTIONS,
)

components = Table(
    "streamtrain_components",
    metadata,
    Column("run", _Name, primary_key=True),
    Column("component", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("detail", _LongText, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    **_TABLE_OPTIONS,
)
