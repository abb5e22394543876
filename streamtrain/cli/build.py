"""Configuration -> parts: the composition root. Everything below it takes plain values."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.flat_rows import FlatRowsSerializer
from connectors.formats.avro import AvroSerializer
from connectors.formats.json_schemas import SchemaJsonSerializer
from connectors.large_records import LargeRecordsSerializer
from connectors.mongo.settings import MongoSettings
from connectors.mongo.source import MongoSource
from connectors.mysql.schema import describe as describe_mysql
from connectors.mysql.settings import MOST_CHUNK_ROWS, MysqlSettings
from connectors.mysql.source import MysqlSource
from connectors.mysql.value_modes import ValueModes
from connectors.relay import Clocks as RelayClocks
from connectors.relay import RelaySettings
from connectors.serializing import JsonSerializer, Serializer
from connectors.shaping import ShapingSerializer, ShapingSettings
from connectors.signals import SignalChannel
from connectors.source import Source
from connectors.sqlite.schema import describe as describe_sqlite
from connectors.sqlite.settings import SqliteSettings
from connectors.sqlite.source import SqliteSource
from streamtrain.cli.signalling import TopicSignals, signal_topic
from streamtrain.config.endpoints import MongoSource as MongoConfig
from streamtrain.config.endpoints import MysqlSource as MysqlConfig
from streamtrain.config.endpoints import NoSource
from streamtrain.config.endpoints import SqliteSource as SqliteConfig
from streamtrain.config.load import load_config
from streamtrain.config.models import Config, Feature
from streamtrain.config.registry import Registry as RegistryConfig
from streamtrain.config.shaping import Published, Shaped
from streamtrain.deserializing import DeserializingReader
from streamtrain.envelope import Op
from streamtrain.errors import ConfigError
from streamtrain.registry import Registry, RegistrySettings
from streamtrain.retrying import Backoff
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.database import Database
from streamtrain.state.ledger import Ledger
from streamtrain.state.opening import open_database
from streamtrain.topic.base import TopicReader, TopicWriter
from streamtrain.topic.file import FileReader, FileWriter
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, KafkaWriter

LEARNABLE = ("numeric", "categorical", "boolean", "datetime")
"""What ``features: auto`` takes; columns of other kinds are left out."""


def wall_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def load(path: Path) -> Config:
    """The configuration file, with this process's environment."""
    return load_config(path, os.environ)


class StateParts:
    """The state database with what is kept in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.checkpoints = CheckpointStore(database, wall_ms)
        self.ledger = Ledger(database, wall_ms)


def state_database(config: Config, *, connect_timeout_s: int = 5, timeout_s: int = 60) -> Database:
    """The state database, not yet asked anything. Raises ConfigError if its TLS files cannot be used."""
    part = config.state
    return open_database(
        part.url.reveal(), tls=part.tls.settings(), connect_timeout_s=connect_timeout_s, timeout_s=timeout_s
    )


@contextmanager
def state(config: Config, *, migrate: bool = True) -> Iterator[StateParts]:
    """The state database, migrated, for the length of a block."""
    database = state_database(config)
    try:
        if migrate:
            database.migrate()
        yield StateParts(database)
    finally:
        database.close()


def mysql_settings(config: Config, part: MysqlConfig) -> MysqlSettings:
    """What a MySQL or MariaDB source is told."""
    return MysqlSettings(
        url=part.url.reveal(),
        include=tuple(part.include),
        exclude=tuple(part.exclude),
        prefix=config.topic.prefix,
        snapshot=part.snapshot,
        server_id=part.server_id,
        include_schema_changes=part.include_schema_changes,
        snapshot_keys=dict(part.snapshot_keys),
        snapshot_sessions=part.snapshot_sessions,
        tls=part.tls.settings(),
        modes=ValueModes(
            part.decimal_handling_mode,
            part.bigint_unsigned_handling_mode,
            part.binary_handling_mode,
            part.time_precision_mode,
        ),
        transaction_metadata=part.transaction_metadata,
        include_query=part.include_query,
        max_rows=part.commit_rows,
        chunk_rows=min(part.commit_rows, MOST_CHUNK_ROWS),
    )


def mongo_settings(config: Config, part: MongoConfig) -> MongoSettings:
    """What a MongoDB source is told."""
    return MongoSettings(
        url=part.url.reveal(),
        include=tuple(part.include),
        exclude=tuple(part.exclude),
        prefix=config.topic.prefix,
        snapshot=part.snapshot,
        tls=part.tls.settings(),
        after=part.after,
        store=part.store,
        large_events=part.large_events,
        transaction_metadata=part.transaction_metadata,
        include_schema_changes=part.include_schema_changes,
        max_rows=part.commit_rows,
        chunk_rows=min(part.commit_rows, MOST_CHUNK_ROWS),
    )


def sqlite_settings(config: Config, part: SqliteConfig) -> SqliteSettings:
    """What a SQLite source is told."""
    return SqliteSettings(part.url.path, tuple(part.include), config.topic.prefix, part.snapshot, tuple(part.exclude))


def source(config: Config) -> Source:
    """The configured source, not yet opened. Raises ConfigError if there is none."""
    if isinstance(config.source, MysqlConfig):
        return MysqlSource(mysql_settings(config, config.source), signals=_signals(config, config.source))
    if isinstance(config.source, SqliteConfig):
        return SqliteSource(sqlite_settings(config, config.source), batch_rows=config.source.commit_rows)
    if isinstance(config.source, MongoConfig):
        return MongoSource(mongo_settings(config, config.source), signals=_signals(config, config.source))
    raise ConfigError(
        "source.kind is none: there is nothing to capture", hint="run `streamtrain train`, or name a source"
    )


def _signals(config: Config, part: MysqlConfig | MongoConfig) -> SignalChannel | None:
    return TopicSignals(lambda: plain_reader(config), config.topic.prefix) if part.signals else None


def relay_settings(config: Config) -> RelaySettings:
    """How captured changes are gathered into transactions."""
    if config.source.kind == "none":
        return RelaySettings()
    source = config.source
    return RelaySettings(source.commit_ms / 1000, source.commit_rows, source.heartbeat_ms / 1000)


def registry_settings(section: RegistryConfig) -> RegistrySettings:
    """How the schema registry is reached."""
    return RegistrySettings(
        urls=tuple(url.reveal().rstrip("/") for url in section.url),
        user=section.user,
        password="" if section.password is None else section.password.reveal(),
        token=None if section.token is None else section.token.reveal(),
        ca=None if section.ca is None else str(section.ca),
    )


def serializer(config: Config) -> Serializer:
    """The form in which changes are published, and what of them."""
    form, source = _format(config), config.source
    if isinstance(source, NoSource):
        return form
    if isinstance(source, MongoConfig) and source.rows:
        form = FlatRowsSerializer(form, config.topic.prefix, source.rows)
    settings = shaping(source) if isinstance(source, Shaped) else leaving_out(source)
    shaped = form if settings == ShapingSettings() else ShapingSerializer(form, settings)
    most_bytes = source.max_record_bytes
    return LargeRecordsSerializer(shaped, config.topic.prefix, most_bytes) if most_bytes else shaped


def leaving_out(part: Published) -> ShapingSettings:
    """Which changes are published."""
    return ShapingSettings(skipped=frozenset(map(Op, part.skipped_operations)), tombstones=part.tombstones_on_delete)


def shaping(part: Shaped) -> ShapingSettings:
    """What is published of a change."""
    hashed = part.column_mask_hash_v2
    return ShapingSettings(
        exclude=tuple(part.column_exclude_list),
        include=tuple(part.column_include_list),
        mask=part.column_mask_with_chars,
        truncate=part.column_truncate_to_chars,
        hash=() if hashed is None else tuple(hashed.columns),
        hash_algorithm="sha256" if hashed is None else hashed.algorithm,
        hash_salt="" if hashed is None else hashed.salt.reveal(),
        keys={table: tuple(columns) for table, columns in part.message_key_columns.items()},
        skip_unchanged=part.skip_messages_without_change,
        skipped=frozenset(map(Op, part.skipped_operations)),
        tombstones=part.tombstones_on_delete,
    )


def _format(config: Config) -> Serializer:
    topic = config.topic
    if topic.format == "json_with_schemas":
        return SchemaJsonSerializer(topic.prefix)
    if topic.format == "avro" and topic.registry is not None:
        return AvroSerializer(
            topic.prefix, Registry(registry_settings(topic.registry)).register, topic.registry.subjects
        )
    return JsonSerializer(topic.prefix)


def relay_clocks() -> RelayClocks:
    """Real time, for the relay."""
    return RelayClocks(time.monotonic, time.time_ns)


def kafka_settings(config: Config) -> KafkaSettings:
    """How the broker is reached. Raises ConfigError if topics are not Kafka's."""
    if config.topic.kind != "kafka":
        raise ConfigError("topic.kind is not kafka")
    security = {name: secret.reveal() for name, secret in config.topic.security.items()}
    return KafkaSettings(config.topic.bootstrap, security)


def writer(config: Config) -> TopicWriter:
    """The writer of this configuration's topics; opening it fences the one before."""
    topic = config.topic
    if topic.kind == "kafka":
        return KafkaWriter(
            kafka_settings(config), topic.prefix, partitions=topic.partitions, replication=topic.replication
        )
    return FileWriter(topic.directory, topic.prefix, partitions=topic.partitions)


def signal_writer(config: Config) -> TopicWriter:
    """The writer of signals to this configuration's connector."""
    topic = config.topic
    name = signal_topic(topic.prefix)
    if topic.kind == "kafka":
        return KafkaWriter(kafka_settings(config), name, replication=topic.replication)
    return FileWriter(topic.directory, name)


def reader(config: Config, *, timeout_s: float = KafkaSettings.timeout_s) -> TopicReader:
    """A reader of this configuration's topics, whatever their format; a broker has ``timeout_s`` for each answer."""
    section = config.topic.registry
    schema_of = None if section is None else Registry(registry_settings(section)).schema
    return DeserializingReader(plain_reader(config, timeout_s=timeout_s), schema_of)


def plain_reader(config: Config, *, timeout_s: float = KafkaSettings.timeout_s) -> TopicReader:
    """A reader of messages as they are."""
    topic = config.topic
    if topic.kind == "kafka":
        return KafkaReader(replace(kafka_settings(config), timeout_s=timeout_s))
    return FileReader(topic.directory)


def backoff(config: Config) -> Backoff:
    """How outages are waited out."""
    return Backoff(config.retry.initial_s, config.retry.max_s, config.retry.deadline_s)


def resolved(config: Config, stored: dict[str, Any] | None) -> Config:
    """``config`` with ``features: auto`` replaced by what it stands for.

    A run that has begun keeps what it began with (``stored`` is its configuration as recorded): a column that is added to
    the table later does not change what a weight means.
    """
    if config.examples.features != "auto":
        return config
    found: Any = stored["examples"]["features"] if stored else "auto"
    if found == "auto":
        found = _described(config)
    features = {name: Feature.model_validate(feature) for name, feature in sorted(found.items())}
    return config.model_copy(update={"examples": config.examples.model_copy(update={"features": features})})


def columns(config: Config) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns of ``examples.from`` with the feature kinds that their types suggest, and the primary key.

    Both are empty if no source can be asked.
    """
    if isinstance(config.source, MysqlConfig):
        found, key = describe_mysql(config.source.url.reveal(), config.examples.table, config.source.tls.settings())
        return dict(found), key
    if isinstance(config.source, SqliteConfig):
        found, key = describe_sqlite(config.source.url.path, config.examples.table)
        return dict(found), key
    return {}, ()


def _described(config: Config) -> dict[str, str]:
    found, key = columns(config)
    if not found:
        raise ConfigError(
            "examples.features: auto needs a source to ask for column types", hint="list the features by name"
        )
    # A row's own number says nothing about any other row; the parts of a key of several columns may well.
    left_out = {config.examples.label, *(key if len(key) == 1 else ())}
    chosen = {name: _kind(name, kind) for name, kind in found.items() if name not in left_out and kind in LEARNABLE}
    if not chosen:
        raise ConfigError(
            f"examples.features: auto found no column of {config.examples.table} to learn from",
            hint="list the features by name",
        )
    return chosen


def _kind(name: str, kind: str) -> str:
    """A whole number that names another row is a name, not a quantity."""
    return "categorical" if kind == "numeric" and name.lower().endswith("_id") else kind
