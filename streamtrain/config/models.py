"""The configuration as frozen models: every key, its type, its default and its limits.

``docs/config.md`` is generated from what is written here and in ``endpoints``. Names and values are checked; whether a
model or a feature kind of that name exists, and what its options mean, is for the packages that hold them to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from streamtrain.config.endpoints import (
    FileTopics,
    KafkaTopics,
    MongoSource,
    MysqlSource,
    NoSource,
    SqliteSource,
    State,
)
from streamtrain.config.rules import label_classes, model_name, not_boolean, one_table, run_name
from streamtrain.config.section import Choice, Number, Section, Whole, at_key
from streamtrain.topic.names import topic_name

NOT_YET: Mapping[tuple[str, ...], str] = {
    ("train", "device"): r"(cuda|mps|xpu)(:\d+)?",
}
"""Values that are planned and refused as not available in this version, as patterns."""

TAGGED: frozenset[tuple[str, ...]] = frozenset({("source",), ("topic",), ("examples", "features")})
"""Keys whose value has one of several forms; pydantic's error locations name the form right after them."""


class Feature(Choice):
    """How one column becomes numbers."""

    kind: Annotated[str, Field(min_length=1)] = Field(
        description="A registered kind of feature, such as `numeric` or `categorical`."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


def _by_name(features: dict[str, Feature]) -> dict[str, Feature]:
    return dict(sorted(features.items()))


def _form_of_features(value: object) -> str:
    return "auto" if isinstance(value, str) else "mapping"


Features = Annotated[
    Annotated[Literal["auto"], Tag("auto")]
    | Annotated[dict[str, Feature], Field(min_length=1), AfterValidator(_by_name), Tag("mapping")],
    Discriminator(_form_of_features),
]
"""``auto``, or features by column, sorted by name: the order of dense columns follows from the names alone."""


class Examples(Section):
    """What is learned, and from which table."""

    table: Annotated[str, AfterValidator(one_table)] = Field(
        alias="from", description="The table, `DATABASE.TABLE`, whose changes are learned."
    )
    label: Annotated[str, Field(min_length=1)] = Field(
        description="The column to predict. A row whose label is NULL waits until an update fills it."
    )
    task: Literal["binary", "multiclass", "regression"] = Field(
        default="binary", description="What kind of label it is."
    )
    classes: Annotated[list[Any], AfterValidator(label_classes)] | None = Field(
        default=None,
        description="For `multiclass`: the label's values, text or whole numbers. Their order is the order of outputs.",
    )
    features: Features = Field(
        default="auto",
        description="`auto` takes the kinds from the column types; else a mapping of column to kind, or to "
        "`{kind: ..., options}`; `price: numeric` is short for `price: {kind: numeric}`. The order in which they are "
        "written does not matter: they are sorted by name.",
    )
    hash_bits: Whole = Field(
        default=18,
        ge=1,
        le=28,
        description="Hashed features share 2^`hash_bits` places, and a model holds weights for each of them. It stands "
        "here and not under `model` because the encoding of examples is what it sets.",
    )

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.task == "multiclass" and self.classes is None:
            raise at_key("classes", "is required where task is multiclass: the list of the label's values")
        if self.task != "multiclass" and self.classes is not None:
            raise at_key("classes", f"belongs to task multiclass; task is {self.task}")
        if self.features != "auto" and self.label in self.features:
            raise at_key("features", "holds the label itself; a model must not be given what it is to predict")
        return self


class Model(Choice):
    """Which model learns, with its options."""

    kind: Annotated[str, AfterValidator(model_name)] = Field(
        default="logistic", description="A registered name (`logistic`, `ftrl`, `mlp`), or `package.module:function`."
    )


class Checkpoints(Section):
    """When the state is saved, and how much of the past is kept."""

    every_slices: Whole = Field(default=200, ge=1, description="A checkpoint after at most this many slices.")
    every_s: Number = Field(default=10.0, gt=0, le=86_400, description="A checkpoint after at most this many seconds.")
    keep: Whole = Field(
        default=50,
        ge=2,
        description="Checkpoints kept of a run, newest first; at least two, so that one is left if one is torn.",
    )


class Train(Section):
    """How training goes."""

    slice: Whole = Field(default=64, ge=1, le=4096, description="Offsets learned in one step.")
    max_wait_ms: Whole = Field(
        default=200,
        ge=1,
        le=3_600_000,
        description="What has arrived of a slice is learned after at most this long, in ms, though the slice is not full; "
        "it is learned again as part of the whole slice, so this does not decide the weights.",
    )
    checkpoint: Checkpoints = Field(default_factory=Checkpoints, description="When the state is saved.")
    seed: Whole = Field(default=0, ge=0, le=2**63 - 1, description="Of all that is random: initial weights, for one.")
    threads: Whole = Field(
        default=1, ge=1, le=1024, description="CPU threads; their number can change the last bits of a sum."
    )
    device: Literal["auto", "cpu"] = Field(default="auto", description="`cpu`. `auto` is `cpu` in this version.")
    metrics_window: Whole = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Newest predictions over which windowed metrics are taken; part of the state.",
    )

    @property
    def resolved_device(self) -> str:
        """The device that is trained on: what ``auto`` stands for, put in."""
        return "cpu" if self.device == "auto" else self.device


class Retry(Section):
    """How long to try again when the source, the broker or the state database is away."""

    initial_s: Number = Field(
        default=0.5, gt=0, le=3600, description="First pause, in seconds; each next one is longer."
    )
    max_s: Number = Field(default=30.0, gt=0, le=3600, description="Longest pause, in seconds.")
    deadline_s: Annotated[float, Field(gt=0), BeforeValidator(not_boolean)] | None = Field(
        default=None, description="Give up after this many seconds; `null`: never."
    )

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.max_s < self.initial_s:
            raise at_key("max_s", "must be at least retry.initial_s")
        return self


class Config(Section):
    """A whole configuration."""

    name: Annotated[str, AfterValidator(run_name)] = Field(
        description="The run's name in the state database. Letters, digits, `.`, `_` and `-`; at most 100."
    )
    source: Annotated[MysqlSource | MongoSource | SqliteSource | NoSource, Field(discriminator="kind")] = Field(
        description="The database whose changes are captured."
    )
    topic: Annotated[KafkaTopics | FileTopics, Field(discriminator="kind")] = Field(
        description="The log between source and model, one topic a table."
    )
    state: State = Field(
        default_factory=State, description="The database that holds runs, checkpoints, dead letters and metrics."
    )
    examples: Examples = Field(description="What is learned, and from which table.")
    model: Model = Field(
        default_factory=Model,
        description="The model; keys beside `kind` are its options. All of them decide the weights.",
    )
    train: Train = Field(default_factory=Train, description="How training goes.")
    retry: Retry = Field(
        default_factory=Retry, description="What to do while the source, the broker or the state database is away."
    )

    @property
    def topic_name(self) -> str:
        """The topic of ``examples.from``. Its first dot ends the database's name, and no other one would make another topic."""
        database, _, table = self.examples.table.partition(".")
        return topic_name(self.topic.prefix, database, table)

    @model_validator(mode="after")
    def _has_schemas(self) -> Self:
        topic = self.topic
        if topic.format != "json" and self.source.kind == "sqlite":
            raise at_key(
                "topic.format", "must be json: SQLite's columns hold values of any type, which no schema declares"
            )
        if topic.format == "avro" and topic.registry is None:
            raise at_key("topic.registry", "is required where topic.format is avro")
        return self

    @model_validator(mode="after")
    def _is_captured(self) -> Self:
        if self.source.kind == "none":
            return self
        if not any(fnmatchcase(self.examples.table, pattern) for pattern in self.source.include):
            raise at_key(
                "examples.from", "is matched by no pattern of source.include, so nothing would ever be learned"
            )
        if any(fnmatchcase(self.examples.table, pattern) for pattern in self.source.exclude):
            raise at_key("source.exclude", "matches the table of examples.from, so nothing would ever be learned")
        return self

    @model_validator(mode="after")
    def _shapes_hang_together(self) -> Self:
        source = self.source
        if source.kind != "mysql":
            return self
        renumbers = source.skip_messages_without_change or source.message_key_columns
        if source.transaction_metadata and (renumbers or set(source.skipped_operations) - {"t"}):
            raise at_key(
                "source.transaction_metadata",
                "numbers the changes as the log has them, and cannot be together with skip_messages_without_change, "
                "message_key_columns, or skipped_operations of rows",
            )
        hidden = source.column_exclude_list or source.column_include_list or source.column_mask_with_chars
        if source.include_query and (hidden or source.column_mask_hash_v2 or source.column_truncate_to_chars):
            raise at_key("source.include_query", "would show in statements what is left out, masked, hashed or cut")
        return self
