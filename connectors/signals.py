"""Signals to a running connector: Debezium's messages, by which snapshots are begun, paused and ended.

https://debezium.io/documentation/reference/stable/configuration/signalling.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from streamtrain import log

KINDS = frozenset({"execute-snapshot", "stop-snapshot", "pause-snapshot", "resume-snapshot"})
_log = log.get("signals")


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal that is understood."""

    id: str
    kind: str
    """One of ``KINDS``."""
    tables: tuple[re.Pattern[str], ...] = ()
    """Patterns that the whole of ``database.table`` has to match; none of them means all tables."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """SQL conditions on the rows that are read, by the pattern of the table."""
    by: str | None = None
    """The column to read by in place of the key."""

    def concerns(self, table: str) -> bool:
        """Whether ``database.table`` is meant."""
        return not self.tables or any(pattern.fullmatch(table) for pattern in self.tables)

    def condition(self, table: str) -> str | None:
        """The condition on the rows of ``database.table``."""
        return next((where for pattern, where in self.conditions.items() if re.fullmatch(pattern, table)), None)


class SignalChannel(Protocol):
    """Where signals come from: a log that is read from an offset that the source keeps with its position."""

    def read(self, offset: int | None) -> tuple[int | None, Sequence[bytes]]:
        """The signals from ``offset`` on, or from now on if it is None, and the offset after them. Does not wait."""

    def close(self) -> None:
        """Let go of connections. Safe to call twice."""


def parse(value: bytes) -> Signal | None:
    """Read one signal; None, with a warning in the log, if it is none that is understood."""
    try:
        document = orjson.loads(value)
        data = _data(document)
        signal = _signal(document, data)
        read = str(data.get("type", "incremental")).lower()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, re.error) as error:
        _log.warning("a signal is not understood", why=f"{type(error).__name__}: {error}")
        return None
    if signal.kind not in KINDS or read != "incremental" or (signal.kind == "execute-snapshot" and not signal.tables):
        _log.warning("a signal is of a kind that is not known", kind=signal.kind, type=read, id=signal.id)
        return None
    return signal


def _signal(document: Mapping[str, Any], data: Mapping[str, Any]) -> Signal:
    patterns = data.get("data-collections") or []
    if not isinstance(patterns, list):
        raise TypeError("data-collections is no list")
    conditions = {
        _text(each["data-collection"]): _text(each["filter"]) for each in data.get("additional-conditions") or ()
    }
    for pattern in conditions:
        re.compile(pattern)
    by = data.get("surrogate-key")
    return Signal(
        str(document.get("id", "")),
        _text(document["type"]),
        tuple(re.compile(_text(pattern)) for pattern in patterns),
        conditions,
        None if by is None else _text(by).strip() or None,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _data(document: Mapping[str, Any]) -> Mapping[str, Any]:
    data = document.get("data") or {}
    found: Mapping[str, Any] = orjson.loads(data) if isinstance(data, str) else data
    return found
