"""What ``doctor`` looks at beside the source: broker and topics, state database, model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from connectors.checks import Check
from connectors.mysql.doctor import examine as examine_mysql
from connectors.sqlite.doctor import examine as examine_sqlite
from streamtrain.cli import build
from streamtrain.cli.existing import missing_state_file
from streamtrain.config.endpoints import MysqlSource, SqliteSource
from streamtrain.config.models import Config
from streamtrain.errors import StreamtrainError
from streamtrain.topic.kafka import BrokerReport, TopicReport, probe

# An initial snapshot is one transaction: 15 minutes is what brokers allow by default.
_TRANSACTION_TIMEOUT_MS = 900_000
# An envelope holds a row twice; rows with blobs pass Kafka's default of 1 MB.
_MESSAGE_BYTES = 1_000_000


def examine(config: Config) -> list[Check]:
    """Every check of this configuration, in the order of the line."""
    return [*_source(config), *_topics(config), *_state(config), *_features(config)]


def _source(config: Config) -> list[Check]:
    if isinstance(config.source, MysqlSource):
        return examine_mysql(build.mysql_settings(config, config.source))
    if isinstance(config.source, SqliteSource):
        return examine_sqlite(build.sqlite_settings(config, config.source))
    return [Check("source", "ok", "none: someone else fills the topics")]


def _topics(config: Config) -> Iterator[Check]:
    if config.topic.kind == "file":
        yield Check("topics", "ok", f"files in {config.topic.directory}")
        return
    report = probe(build.kafka_settings(config), [config.topic_name])
    if report.problem is not None:
        yield Check("broker", "fail", report.problem.message, "a reachable broker", report.problem.hint or
                    f"start Kafka at {config.topic.bootstrap}, or set topic.bootstrap")  # fmt: skip
        return
    yield from _broker(report)
    for topic in report.topics:
        yield from _topic(config, topic)


def _broker(report: BrokerReport) -> Iterator[Check]:
    yield Check("broker", "ok", f"{report.brokers} at {report.bootstrap}")
    found = report.transaction_max_timeout_ms
    long_enough = found >= _TRANSACTION_TIMEOUT_MS
    yield Check("transaction.max.timeout.ms", "ok" if long_enough else "warn", str(found), "longer than the initial snapshot takes, which is one "
                "transaction", f"broker setting transaction.max.timeout.ms={_TRANSACTION_TIMEOUT_MS}")  # fmt: skip


def _topic(config: Config, topic: TopicReport) -> Iterator[Check]:
    if not topic.exists:
        made = config.source.kind != "none"
        yield Check(
            f"topic {topic.name}", "ok" if made else "warn", "does not exist yet", "it is made by `streamtrain connect`"
        )
        return
    yield Check(f"topic {topic.name}", "ok", f"{topic.partitions} partition(s), replication {topic.replication}")
    compacted = "compact" in topic.cleanup_policy
    yield Check(
        f"cleanup.policy of {topic.name}",
        "warn" if compacted else "ok",
        topic.cleanup_policy,
        "delete: a compacted topic cannot be replayed as it was learned",
        f"kafka-configs --alter --topic {topic.name} --add-config cleanup.policy=delete",
    )
    for_ever = topic.retention_ms == -1 and topic.retention_bytes == -1
    yield Check(
        f"retention of {topic.name}",
        "ok" if for_ever else "warn",
        f"retention.ms {topic.retention_ms}, retention.bytes {topic.retention_bytes}",
        "-1, or longer than the oldest checkpoint is to be replayed",
        f"kafka-configs --alter --topic {topic.name} --add-config retention.ms=-1,retention.bytes=-1",
    )
    yield Check(
        f"max.message.bytes of {topic.name}",
        "ok" if topic.max_message_bytes >= _MESSAGE_BYTES else "warn",
        str(topic.max_message_bytes),
        "more than twice the largest row",
        f"kafka-configs --alter --topic {topic.name} --add-config max.message.bytes=10485760",
    )


def _state(config: Config) -> Iterator[Check]:
    missing = missing_state_file(config)
    if missing is not None:
        yield _state_to_be_made(missing)
        return
    where = str(config.state.url)
    database = build.state_database(config)
    try:
        pending = database.pending_migration()
        yield Check("state database", "ok", where)
        if pending is None:
            yield Check("state tables", "ok", "of this version")
        else:
            found = pending[0] or "none"
            yield Check("state tables", "ok", f"{found}; `connect` and `train` will migrate them to {pending[1]}")
    except StreamtrainError as error:
        yield Check("state database", "fail", error.message, "a database that can be reached and written", error.hint or
                    "check state.url and its grants")  # fmt: skip
    finally:
        database.close()


def _state_to_be_made(file: Path) -> Check:
    """Whether the file can be made; looking into it would make it."""
    directory = file.parent
    if directory.is_dir() and os.access(directory, os.W_OK | os.X_OK):
        return Check("state database", "ok", f"{file} will be made by `connect` or `train`")
    found = f"{directory} " + ("may not be written to" if directory.is_dir() else "is not a directory")
    return Check("state database", "fail", found, "a directory in which the state database can be made",
                 "make the directory, give write permission, or change state.url")  # fmt: skip


def _features(config: Config) -> Iterator[Check]:
    """Whether the columns that are named exist; nothing where the source cannot say."""
    try:
        columns, _ = build.columns(config)
    except StreamtrainError as error:
        yield Check("columns", "fail", error.message, "the table of examples.from", error.hint)
        return
    if not columns:
        return
    named = {config.examples.label} | (set(config.examples.features) if config.examples.features != "auto" else set())
    missing = sorted(named - set(columns))
    status: Literal["ok", "fail"] = "fail" if missing else "ok"
    found = f"missing: {', '.join(missing)}" if missing else f"{len(named)} named, all in {config.examples.table}"
    yield Check("columns", status, found, "label and features must be columns", f"columns are {', '.join(columns)}")
