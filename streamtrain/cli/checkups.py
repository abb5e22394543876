"""What ``doctor`` looks at beside the source: broker and topics, state database, model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from connectors import document_json, row_json
from connectors.checks import Check
from connectors.mongo import change_event, delta, extended_json, raw_bson
from connectors.mongo.doctor import examine as examine_mongo
from connectors.mysql.binlog import native_rows
from connectors.mysql.doctor import examine as examine_mysql
from connectors.sqlite.doctor import examine as examine_sqlite
from streamtrain.cli import build
from streamtrain.cli.existing import missing_state_file
from streamtrain.cli.topic_checkups import topic_checks
from streamtrain.config.endpoints import MongoSource, MysqlSource, NoSource, SqliteSource
from streamtrain.config.models import Config
from streamtrain.errors import StreamtrainError
from streamtrain.registry import Registry

_OF_ROWS = (row_json, native_rows)
_OF_DOCUMENTS = (change_event, delta, document_json, extended_json, raw_bson)


def examine(config: Config) -> list[Check]:
    """Every check of this configuration, in the order of the line."""
    return [
        *_source(config),
        *_parts_in_c(config),
        *topic_checks(config),
        *_registry(config),
        *_state(config),
        *_features(config),
    ]


def _source(config: Config) -> list[Check]:
    if isinstance(config.source, MysqlSource):
        return examine_mysql(build.mysql_settings(config, config.source))
    if isinstance(config.source, SqliteSource):
        return examine_sqlite(build.sqlite_settings(config, config.source))
    if isinstance(config.source, MongoSource):
        return examine_mongo(build.mongo_settings(config, config.source))
    return [Check("source", "ok", "none: someone else fills the topics")]


def _parts_in_c(config: Config) -> Iterator[Check]:
    """Whether what capture spends its time on was compiled when this was installed."""
    if isinstance(config.source, NoSource):
        return
    if all(part.BUILT for part in (_OF_DOCUMENTS if isinstance(config.source, MongoSource) else _OF_ROWS)):
        yield Check("parts in C", "ok", "in use")
    else:
        yield Check(
            "parts in C",
            "warn",
            "not built: capture goes on without them, at two to three times the CPU",
            "a C compiler and Python's headers when streamtrain is installed",
            "apt-get install gcc python3-dev, then install streamtrain again",
        )


def _registry(config: Config) -> Iterator[Check]:
    """Whether the schema registry answers, and to what it will hold schemas that change."""
    section = config.topic.registry
    if section is None:
        return
    registry = Registry(build.registry_settings(section))
    try:
        level = registry.compatibility()
    except StreamtrainError as error:
        yield Check("schema registry", "fail", error.message, "a registry that can be reached", error.hint)
        return
    finally:
        registry.close()
    yield Check("schema registry", "ok", f"{', '.join(map(str, section.url))}, compatibility {level}")


def _state(config: Config) -> Iterator[Check]:
    missing = missing_state_file(config)
    if missing is not None:
        yield _state_to_be_made(missing)
        return
    where = str(config.state.url)
    database = build.state_database(config)
    try:
        pending = database.pending_migration()
        problems = list(database.problems())
        if not problems:
            yield Check("state database", "ok", where)
        if pending is None:
            yield Check("state tables", "ok", "of this version")
        else:
            found = pending[0] or "none"
            yield Check("state tables", "ok", f"{found}; `connect` and `train` will migrate them to {pending[1]}")
    except StreamtrainError as error:
        problems = [error]
    finally:
        database.close()
    for problem in problems:
        yield Check("state database", "fail", problem.message, "a database that can be reached and written",
                    problem.hint or "check state.url and its grants")  # fmt: skip


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
