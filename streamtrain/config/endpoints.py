"""Where changes come from, where they are logged, where state is kept: ``source``, ``topic`` and ``state``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from streamtrain.config.registry import Registry
from streamtrain.config.rules import (
    broker_list,
    librdkafka_settings,
    mongo_url,
    not_boolean,
    one_table,
    server_url,
    sqlite_url,
    state_url,
    table_pattern,
    topic_prefix,
)
from streamtrain.config.secret import Secret, Url
from streamtrain.config.section import Section, Whole, at_key
from streamtrain.config.security import TlsFiles
from streamtrain.config.shaping import Published, Shaped


class NoSource(Section):
    """Someone else fills the topics."""

    kind: Literal["none"] = Field(description="`none`: the topics are filled by something else, such as Debezium.")


class CapturedSource(Published):
    """What all databases that are read have in common."""

    include: list[Annotated[str, AfterValidator(table_pattern)]] = Field(
        min_length=1,
        description="Tables to capture, each `DATABASE.TABLE`, with shell wildcards; SQLite's are `main.TABLE`. "
        'A pattern that begins with `*` needs quotes in YAML: `["*.events"]`.',
    )
    exclude: list[Annotated[str, AfterValidator(table_pattern)]] = Field(
        default_factory=list, description="Tables that are not captured though `include` names them."
    )
    snapshot: Literal["initial", "no_data", "when_needed"] = Field(
        default="initial",
        description="What is read before the log: `initial` the rows there are, once; `no_data` nothing; `when_needed` "
        "as `initial`, and again if the position to go on from is no longer in the log.",
    )
    commit_ms: Whole = Field(
        default=50,
        ge=1,
        le=60_000,
        description="Changes are gathered into one topic transaction for at most this long, in ms; four times as long while "
        "a snapshot is read or capture is more than a second behind.",
    )
    commit_rows: Whole = Field(
        default=20_000,
        ge=1,
        le=1_000_000,
        description="A topic transaction is committed at the latest when it holds this many rows.",
    )
    heartbeat_ms: Whole = Field(
        default=0,
        ge=0,
        le=86_400_000,
        description="Every so many ms a record goes to the topic `__debezium-heartbeat.PREFIX`, changes or not, so that "
        "readers can tell a quiet source from a capture that stands still; 0: never. The position that capture goes on "
        "from moves every 5 s without it.",
    )


class DatabaseSource(CapturedSource, Shaped):
    """What all databases of tables have in common."""


class MysqlSource(DatabaseSource):
    """MySQL or MariaDB, read from its binary log."""

    kind: Literal["mysql"] = Field(description="`mysql`: MySQL or MariaDB, read from the binary log.")
    url: Annotated[Url, AfterValidator(server_url)] = Field(
        description="`mysql://USER:PASSWORD@HOST:PORT`, for MariaDB too; the port may be left out (3306)."
    )
    tls: TlsFiles = Field(default_factory=TlsFiles, description="TLS to the server.")
    server_id: Annotated[int, Field(ge=1, le=4_294_967_295), BeforeValidator(not_boolean)] | None = Field(
        default=None,
        description="The replica id to register under; no other replica of the server may have it. "
        "`null`: one is derived from `topic.prefix`.",
    )
    include_schema_changes: bool = Field(
        default=True,
        description="Publish changes of the structure of captured tables to the topic that is called `topic.prefix`, as "
        "Debezium does: each statement, and the table as it is afterwards.",
    )
    decimal_handling_mode: Literal["string", "precise", "double"] = Field(
        default="string",
        description="How DECIMAL is shown: `string` with all its digits; `precise` as Kafka Connect's Decimal, base64 in JSON "
        "(Debezium's default); `double` as the nearest one.",
    )
    bigint_unsigned_handling_mode: Literal["exact", "long", "precise"] = Field(
        default="exact",
        description="How BIGINT UNSIGNED is shown: `exact` as the number; `long` wraps around beyond 2^63 - 1 (Debezium's "
        "default); `precise` as Kafka Connect's Decimal.",
    )
    binary_handling_mode: Literal["bytes", "base64", "base64-url-safe", "hex"] = Field(
        default="bytes",
        description="How BINARY, VARBINARY and BLOBs are shown. `bytes` are base64 in JSON and bytes where there is a schema; "
        "the others are text.",
    )
    time_precision_mode: Literal[
        "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"
    ] = Field(
        default="adaptive_time_microseconds",
        description="How DATE, TIME and DATETIME are shown: in days, microseconds, and by their fraction digits milli- or "
        "microseconds; in Kafka Connect's types; as ISO 8601 text in UTC; or in the named unit. A value that the form cannot hold, "
        "such as a TIME beyond a day in `connect` and `isostring`, stops capture.",
    )
    transaction_metadata: bool = Field(
        default=False,
        description="Publish beginnings and ends of transactions to `PREFIX.transaction`, and in each change where in its "
        "transaction it is, as Debezium's `provide.transaction.metadata`.",
    )
    include_query: bool = Field(
        default=False,
        description="Tell in `source.query` of each change the statement behind it, if the server logs it "
        "(`binlog_rows_query_log_events`, MariaDB's `binlog_annotate_row_events`). Statements hold values of all columns.",
    )
    signals: bool = Field(
        default=False,
        description="Listen to signals in the topic `PREFIX-signal`, Debezium's or those of `streamtrain signal`: incremental "
        "snapshots of tables, begun, paused, resumed and stopped while changes are streamed.",
    )
    snapshot_keys: dict[Annotated[str, AfterValidator(one_table)], Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict,
        description="The column by which a snapshot reads a table, `{DATABASE.TABLE: COLUMN}`: for a large table without a key, "
        "which is else read whole as of one moment, or one whose key does not do. An index on it is what makes it quick.",
    )
    snapshot_sessions: Whole = Field(
        default=2,
        ge=1,
        le=64,
        description="Tables that a snapshot reads at once, each over a connection of its own, so that the server reads one while "
        "rows of another arrive. They share the memory that one would take. A table without a key is read alone.",
    )


class SqliteSource(DatabaseSource):
    """An SQLite file, read from a change table that triggers feed."""

    kind: Literal["sqlite"] = Field(description="`sqlite`: an SQLite file, by triggers that feed a change table.")
    url: Annotated[Url, AfterValidator(sqlite_url)] = Field(description="`sqlite:///FILE`.")


class MongoSource(CapturedSource):
    """A MongoDB replica set or sharded cluster, read by a change stream."""

    kind: Literal["mongo"] = Field(description="`mongo`: MongoDB from 4.4 on, a replica set or a sharded cluster.")
    url: Annotated[Secret, AfterValidator(mongo_url)] = Field(
        description="`mongodb://USER:PASSWORD@HOST:PORT[,HOST:PORT]/?OPTIONS` or `mongodb+srv://...`, with the driver's options "
        "X.509 and so on. None of it is ever shown."
    )
    tls: TlsFiles = Field(
        default_factory=TlsFiles,
        description="TLS to the server. MongoDB does not negotiate: with `preferred` the URL's `tls=true` decides, which "
        "`mongodb+srv://` has by itself. Certificate and key are one file, `cert`.",
    )
    after: Literal["held", "post_image", "lookup"] = Field(
        default="held",
        description="Where the document after an update is from. `held`: the server's post-image where it sends one, else the "
        "update applied to the document that is held in `store`; `post_image`: the server's, which has to be there, and nothing "
        "is held; `lookup`: read when the event is, which may show a later state or none. `source.after_from` of each record says which.",
    )
    store: Path = Field(
        default=Path("documents.db"),
        description="The file that holds the captured documents, for `after: held` and while a snapshot is read. It belongs to "
        "the position in the topics: without it the collections have to be read again.",
    )
    large_events: Literal["stop", "dead_letter"] = Field(
        default="stop",
        description="What becomes of a change that the server cannot send because it is larger than 16 MB, which servers before "
        "6.0.9 cannot split. `stop`; or `dead_letter`: its collection, key and place go to the topic `PREFIX.dead-letters`, and the "
        "document is read again. Images that make it too large are done without first: with `after: held` next to nothing is.",
    )
    rows: dict[
        Annotated[str, AfterValidator(table_pattern)],
        Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)],
    ] = Field(
        default_factory=dict,
        description="By `DATABASE.COLLECTION`, with shell wildcards: dotted paths of its documents that are published as columns of "
        "a flat row, beside the documents, in the topic `PREFIX-rows.DATABASE.COLLECTION`. `{shop.events: [price, user.id]}`",
    )
    include_schema_changes: bool = Field(
        default=True,
        description="Publish drops, renames and other changes of captured collections to the topic that is called `topic.prefix`.",
    )
    signals: bool = Field(
        default=False,
        description="Listen to signals in the topic `PREFIX-signal`: incremental snapshots of collections, begun, paused, resumed and "
        "stopped while changes are streamed. A condition is a filter in extended JSON.",
    )
    transaction_metadata: bool = Field(
        default=False,
        description="Publish beginnings and ends of multi-document transactions to `PREFIX.transaction`, and in each change where "
        "in its transaction it is, as Debezium's `provide.transaction.metadata`.",
    )

    @model_validator(mode="after")
    def _rows_are_captured(self) -> Self:
        for name in self.rows:
            captured = any(fnmatchcase(name, pattern) for pattern in self.include)
            if not (captured or any(character in name for character in "*?[")):
                raise at_key("rows", f"names {name}, which no pattern of source.include matches")
        return self


class Topics(Section):
    """What all topics have in common."""

    prefix: Annotated[str, AfterValidator(topic_prefix)] = Field(
        description="Topics are named `PREFIX.DATABASE.TABLE`. Letters, digits, `.`, `_` and `-`."
    )
    format: Literal["json", "json_with_schemas", "avro"] = Field(
        default="json",
        description="How changes are published: `json` Debezium's change envelope; `json_with_schemas` the same with its "
        "schema in each message, as JsonConverter's `schemas.enable=true`; `avro` Confluent's wire format, with schemas in "
        "`registry`. What is read may be in any of them. SQLite's columns hold values of any type: `json` alone suits them.",
    )
    registry: Registry | None = Field(
        default=None, description="The schema registry, to publish or to read records in Avro."
    )
    partitions: Whole = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Partitions of a topic that is created; one that is there is left as it is. A key keeps its partition.",
    )


class KafkaTopics(Topics):
    """Topics of a Kafka broker."""

    kind: Literal["kafka"] = Field(description="`kafka`: a Kafka cluster.")
    bootstrap: Annotated[str, AfterValidator(broker_list)] = Field(description="`HOST:PORT`, or several with commas.")
    replication: Whole = Field(default=1, ge=1, le=100, description="Replicas of a topic that is created.")
    security: Annotated[dict[str, Secret], BeforeValidator(librdkafka_settings)] = Field(
        default_factory=dict,
        description="librdkafka's settings for TLS and SASL by their own names, such as `security.protocol: SASL_SSL`, "
        "`sasl.mechanism`, `sasl.username`, `sasl.password`, `ssl.ca.location`. None of their values is ever shown. docs/security.md has examples.",
    )


class FileTopics(Topics):
    """Topics in local files."""

    kind: Literal["file"] = Field(description="`file`: local files, for one machine.")
    directory: Path = Field(default=Path("topics"), description="Where the files are; made if it is missing.")


class State(Section):
    """The database that holds runs, checkpoints and dead letters."""

    url: Annotated[Url, AfterValidator(state_url)] = Field(
        default=Url("sqlite:///streamtrain.db"),
        description="`sqlite:///FILE`; `mysql://USER:PASSWORD@HOST:PORT/DATABASE` for MySQL and MariaDB; for a replica set or "
        "a sharded cluster of MongoDB `mongodb://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?replicaSet=NAME` (or `mongodb+srv://`), "
        "with its options.",
    )
    tls: TlsFiles = Field(
        default_factory=TlsFiles,
        description="TLS to the server of a `mysql://` or `mongodb://` URL. MongoDB does not negotiate: with `preferred` the URL's "
        "`tls=true` decides.",
    )
