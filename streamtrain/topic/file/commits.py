"""The commit log's lines: eight hexadecimal digits of CRC-32 (zlib's), a space, one JSON object, a newline.

    {"format": "streamtrain file topic", "version": 1}                      the first line
    {"opened": {"writer": W, "epoch": E, "pid": P}}                         from here on E is W's only epoch
    {"created": {"topic": T, "partitions": N}}
    {"committed": {"writer": W, "epoch": E, "position": base64,
                   "ends": {T: {"0": [next offset, length in bytes]}},      a transaction: every partition it touched
                   "notes": {NAME: base64 or null}}}                        only if there are any
    {"trimmed": {"topic": T, "partition": 0, "low": offset}}

A line without its newline was being written when the writer died: it never counted. A line with its newline that does not
read is damage, wherever it stands, and stops the reader: dropping it would drop a transaction that was acknowledged.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from streamtrain.topic.base import TopicPartition

FORMAT_LINE_FIELDS = {"format": "streamtrain file topic", "version": 1}


@dataclass(frozen=True, slots=True)
class End:
    """Where a partition's committed records end."""

    next_offset: int
    length: int


@dataclass(frozen=True, slots=True)
class FormatLine:
    """The first line."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A writer has taken over its name."""

    writer: str
    epoch: int
    pid: int


@dataclass(frozen=True, slots=True)
class Created:
    """A topic was made."""

    topic: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A transaction."""

    writer: str
    epoch: int
    position: bytes
    ends: Mapping[TopicPartition, End]
    notes: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Records below ``low`` are no longer to be read."""

    source: TopicPartition
    low: int


Entry = FormatLine | Opened | Created | Committed | Trimmed


class DamagedLineError(ValueError):
    """A whole line that is not an entry."""


def encode(entry: Entry) -> bytes:
    """The entry's line, with its newline."""
    document = orjson.dumps(_document(entry))
    return b"%08x %s\n" % (zlib.crc32(document), document)


def decode(line: bytes) -> Entry:
    """The entry of a line, given without its newline. Raises DamagedLineError."""
    checksum, _, document = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(document):
        raise DamagedLineError("the checksum does not fit")
    fields = orjson.loads(document)
    if fields.keys() == FORMAT_LINE_FIELDS.keys():
        if fields != FORMAT_LINE_FIELDS:
            raise DamagedLineError(f"written in another format: {document.decode()}")
        return FormatLine()
    kind, content = next(iter(fields.items()))
    if kind not in _READERS:
        raise DamagedLineError(f"unknown kind of line {kind!r}")
    return _READERS[kind](content)


def _document(entry: Entry) -> dict[str, Any]:
    match entry:
        case FormatLine():
            return FORMAT_LINE_FIELDS
        case Opened(writer, epoch, pid):
            return {"opened": {"writer": writer, "epoch": epoch, "pid": pid}}
        case Created(topic, partitions):
            return {"created": {"topic": topic, "partitions": partitions}}
        case Committed(writer, epoch, position, ends, notes):
            fields = {"writer": writer, "epoch": epoch, "position": _text(position), "ends": _nested(ends)}
            if notes:
                fields["notes"] = {name: None if note is None else _text(note) for name, note in notes.items()}
            return {"committed": fields}
        case Trimmed(source, low):
            return {"trimmed": {"topic": source.topic, "partition": source.partition, "low": low}}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _nested(ends: Mapping[TopicPartition, End]) -> dict[str, dict[str, list[int]]]:
    topics: dict[str, dict[str, list[int]]] = {}
    for source, end in ends.items():
        topics.setdefault(source.topic, {})[str(source.partition)] = [end.next_offset, end.length]
    return topics


def _committed(fields: dict[str, Any]) -> Committed:
    ends = {
        TopicPartition(topic, int(partition)): End(*end)
        for topic, partitions in fields["ends"].items()
        for partition, end in partitions.items()
    }
    notes = {name: None if note is None else base64.b64decode(note) for name, note in fields.get("notes", {}).items()}
    return Committed(fields["writer"], fields["epoch"], base64.b64decode(fields["position"]), ends, notes)


_READERS: dict[str, Callable[[dict[str, Any]], Entry]] = {
    "opened": lambda fields: Opened(**fields),
    "created": lambda fields: Created(**fields),
    "committed": _committed,
    "trimmed": lambda fields: Trimmed(TopicPartition(fields["topic"], fields["partition"]), fields["low"]),
}
