"""Configuration -> parts: the composition root. Everything below it takes plain values."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from connectors.mysql.source import MysqlSettings, MysqlSource
from connectors.mysql.source import describe as describe_mysql

from connectors.relay import Clocks as RelayClocks
from connectors.relay import RelaySettings
from connectors.source import Source
from connectors.sqlite.source import SqliteSettings, SqliteSource
from connectors.sqlite.source import describe as describe_sqlite
from streamtrain.config.fingerprint import deciding_settings
from streamtrain.config.load import load_config
from streamtrain.config.models import Config, Feature
from streamtrain.errors import ConfigError
from streamtrain.features.labels import LabelSpec
from streamtrain.features.spec import parse_features
from streamtrain.learner import LearnerSpec
from streamtrain.retrying import Backoff
from streamtrain.state.checkpoints import CheckpointStore
from streamtrain.state.database import Database
from streamtrain.state.ledger import Ledger
from streamtrain.topic.base import TopicReader, TopicWriter
from streamtrain.topic.file import FileReader, FileWriter
from streamtrain.topic.kafka import KafkaReader, KafkaSettings, KafkaWriter
from streamtrain.trainer.worker import Clocks, WorkerSettings

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


@contextmanager
def state(config: Config, *, migrate: bool = True) -> Iterator[StateParts]:
    """The state database, migrated, for the length of a block."""
    database = Database(config.state.url.reveal())
    try:
        if migrate:
            database.migrate()
        yield StateParts(database)
    finally:
        database.close()


def source(config: Config) -> Source:
    """The configured source, not yet opened."""
    settings = config.source
    if settings.kind == "mysql":
        return MysqlSource(
            MysqlSettings(
                url=settings.url.reveal(),
                include=tuple(settings.include),
                prefix=config.topic.prefix,
                snapshot=settings.snapshot,
                server_id=settings.server_id,
            )
        )
    if settings.kind == "sqlite":
        return SqliteSource(
            SqliteSettings(settings.url.path, tuple(settings.include), config.topic.prefix, settings.snapshot)
        )
    raise ConfigError(
        "source.kind is none: there is nothing to capture", hint="run `streamtrain train`, or name a source"
    )


def relay_settings(config: Config) -> RelaySettings:
    """How captured changes are gathered into transactions."""
    if config.source.kind == "none":
        return RelaySettings(config.topic.prefix)
    return RelaySettings(config.topic.prefix, config.source.commit_ms / 1000, config.source.commit_rows)


def relay_clocks() -> RelayClocks:
    """Real time, for the relay."""
    return RelayClocks(time.monotonic, time.time_ns)


def worker_clocks() -> Clocks:
    """Real time, for the worker."""
    return Clocks(time.monotonic, wall_ms)


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


def reader(config: Config) -> TopicReader:
    """A reader of this configuration's topics."""
    return KafkaReader(kafka_settings(config)) if config.topic.kind == "kafka" else FileReader(config.topic.directory)


def worker_settings(config: Config) -> WorkerSettings:
    """How the training loop goes."""
    train = config.train
    return WorkerSettings(
        topic=config.topic_name,
        slice_size=train.slice,
        max_wait_s=train.max_wait_ms / 1000,
        every_slices=train.checkpoint.every_slices,
        every_s=train.checkpoint.every_s,
    )


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
    found = stored["examples"]["features"] if stored else "auto"
    if found == "auto":
        found = _described(config)
    features = {name: Feature.model_validate(feature) for name, feature in sorted(found.items())}
    return config.model_copy(update={"examples": config.examples.model_copy(update={"features": features})})


def _described(config: Config) -> dict[str, str]:
    table, settings = config.examples.table, config.source
    if settings.kind == "mysql":
        columns, key = describe_mysql(settings.url.reveal(), table)
    elif settings.kind == "sqlite":
        columns, key = describe_sqlite(settings.url.path, table)
    else:
        raise ConfigError(
            "examples.features: auto needs a source to ask for column types", hint="list the features by name"
        )
    # The label is what is to be predicted, and a row's own key says nothing about any other row.
    left_out = {config.examples.label, *key}
    chosen = {name: kind for name, kind in columns if name not in left_out and kind in LEARNABLE}
    if not chosen:
        raise ConfigError(
            f"examples.features: auto found no column of {table} to learn from", hint="list the features by name"
        )
    return chosen


def learner_spec(config: Config) -> tuple[LearnerSpec, dict[str, Any]]:
    """What decides the weights, as the learner takes it and as it is stored. Takes a ``resolved`` configuration."""
    part = config.examples
    if part.features == "auto":
        raise ConfigError("examples.features must be resolved first")
    mapping = {name: {"kind": feature.kind, **feature.options} for name, feature in part.features.items()}
    spec = LearnerSpec(
        label=LabelSpec(part.label, part.task, tuple(part.classes or ())),
        features=parse_features(mapping),
        hash_bits=part.hash_bits,
        model=config.model.kind,
        model_options=config.model.options,
        metrics_window=config.train.metrics_window,
        seed=config.train.seed,
    )
    return spec, deciding_settings(config)


def pin_threads(config: Config) -> None:
    """Fix what the last bits of a sum depend on, for this process."""
    torch.set_num_threads(config.train.threads)
    torch.use_deterministic_algorithms(True)
