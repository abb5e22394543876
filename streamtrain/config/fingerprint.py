"""What of a configuration decides the weights, and what is stored of it.

A checkpoint carries ``deciding_settings``; training goes on from it only with the same ones. Every key of the models is
listed on one side below, so that a new one has to be thought about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamtrain.config.models import Config

DECIDES: frozenset[str] = frozenset(
    {
        "topic.prefix",  # with examples.from: the topic that is read
        "examples.from",
        "examples.label",
        "examples.task",
        "examples.classes",
        "examples.features",
        "examples.hash_bits",
        "model.kind",
        "model.*",
        "train.slice",
        "train.seed",
        "train.threads",
        "train.device",
        "train.metrics_window",  # the window is part of the state
    }
)
"""Keys that decide the weights, or the rest of the state."""

DOES_NOT_DECIDE: frozenset[str] = frozenset(
    {
        "name",
        "source.kind",
        "source.url",
        "source.tls.mode",
        "source.tls.ca",
        "source.tls.cert",
        "source.tls.key",
        "source.include",
        "source.exclude",
        "source.column_exclude_list",
        "source.column_include_list",
        "source.column_mask_with_chars",
        "source.column_truncate_to_chars",
        "source.column_mask_hash_v2.columns",
        "source.column_mask_hash_v2.salt",
        "source.column_mask_hash_v2.algorithm",
        "source.message_key_columns",
        "source.skip_messages_without_change",
        "source.skipped_operations",
        "source.tombstones_on_delete",
        "source.max_record_bytes",
        "source.snapshot",
        "source.include_schema_changes",
        "source.server_id",
        "source.signals",
        "source.snapshot_keys",
        "source.snapshot_sessions",
        "source.after",
        "source.large_events",
        "source.rows",
        "source.store",
        "source.decimal_handling_mode",  # the topic's records decide, however they came to be
        "source.bigint_unsigned_handling_mode",
        "source.binary_handling_mode",
        "source.time_precision_mode",
        "source.transaction_metadata",
        "source.include_query",
        "source.commit_ms",
        "source.commit_rows",
        "source.heartbeat_ms",
        "topic.kind",
        "topic.bootstrap",
        "topic.security",
        "topic.directory",
        "topic.format",  # a record is the same row in each
        "topic.registry.url",
        "topic.registry.user",
        "topic.registry.password",
        "topic.registry.token",
        "topic.registry.ca",
        "topic.registry.subjects",
        "topic.partitions",  # only of a topic that is created; a checkpoint's offsets name the partitions that there are
        "topic.replication",
        "state.url",
        "state.tls.mode",
        "state.tls.ca",
        "state.tls.cert",
        "state.tls.key",
        "train.max_wait_ms",  # what is learned early is learned again as part of its whole slice
        "train.checkpoint.every_slices",
        "train.checkpoint.every_s",
        "train.checkpoint.keep",
        "retry.initial_s",
        "retry.max_s",
        "retry.deadline_s",
    }
)
"""Keys that may change between a checkpoint and its continuation."""

_OPEN = frozenset({"model.kind", "model.*", "examples.features"})
_NOT_SET = "(not set)"


def stored_form(config: Config) -> dict[str, Any]:
    """The whole configuration as JSON values, with ``***`` for every secret."""
    return config.model_dump(mode="json", by_alias=True)


def deciding_settings(config: Config) -> dict[str, Any]:
    """The settings that decide the weights, by dotted key, sorted; the device ``auto`` is resolved.

    An option's value is kept whole: ``{"model.hidden": [32, 16], "model.kind": "mlp", "train.slice": 64, ...}``. A name
    that holds a dot is quoted, so that two settings never share a key.
    """
    stored = stored_form(config)
    stored["train"]["device"] = config.train.resolved_device
    found = {key: _at(stored, key) for key in DECIDES - _OPEN} | _flat("model", stored["model"])
    if stored["examples"]["features"] == "auto":
        found["examples.features"] = "auto"
    else:
        for column, feature in stored["examples"]["features"].items():
            found |= _flat(f"examples.features.{_quoted(column)}", feature)
    return dict(sorted(found.items()))


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line for each setting that differs, such as ``model.alpha: 0.1 -> 0.2``; empty if none does.

    Values are compared as JSON text: 1, 1.0 and true are three values to a model that is given them.
    """
    before, after = ({key: _text(value) for key, value in settings.items()} for settings in (old, new))
    changed = (key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key))
    return [f"{key}: {before.get(key, _NOT_SET)} -> {after.get(key, _NOT_SET)}" for key in changed]


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _at(stored: Mapping[str, Any], key: str) -> Any:
    section, _, rest = key.partition(".")
    return _at(stored[section], rest) if rest else stored[section]


def _flat(prefix: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{_quoted(name)}": value for name, value in options.items()}


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False) if "." in name or '"' in name else name
