"""Avro, in the wire format of Confluent's serializers. The one module that imports fastavro.

A message is a zero byte, the schema's id in the registry (4 bytes, big endian), and the datum in Avro's binary encoding.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import orjson
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import SchemaParseException

from streamtrain.envelope import decimal_text
from streamtrain.errors import FatalError, RejectedRecord

MAGIC = 0
COLUMN = "streamtrain.column"
"""The property of a field that holds the column's own name, where Avro does not let the field be called so."""

_HEADER = struct.Struct(">bI")

Convert = Callable[[Any], Any]


def header(schema_id: int) -> bytes:
    """What stands before the datum."""
    return _HEADER.pack(MAGIC, schema_id)


def is_framed(message: bytes) -> bool:
    """Whether a message is in this wire format; no JSON text begins with a zero byte."""
    return message[:1] == b"\0"


def schema_id_of(message: bytes) -> int:
    """The id in a message's header. Raises RejectedRecord (``malformed``) if the message ends before it."""
    if len(message) < _HEADER.size:
        raise RejectedRecord("malformed", "the message ends within the header of Avro's wire format")
    return int(_HEADER.unpack_from(message)[1])


def long_bytes(value: int) -> bytes:
    """An int or a long: zigzag, then 7 bits a byte, least significant first.

    https://avro.apache.org/docs/1.12.0/specification/#primitive-types
    """
    rest = (value << 1) ^ (value >> 63)
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def string_bytes(text: str) -> bytes:
    """A string: its length in bytes as a long, then UTF-8."""
    data = text.encode()
    return long_bytes(len(data)) + data


class AvroWriter:
    """Encodes data of one schema. Not thread-safe: it owns its buffer."""

    def __init__(self, schema: Any) -> None:
        self._schema = _parsed(schema)
        self._buffer = BytesIO()

    def encode(self, datum: Any) -> bytes:
        """The datum's binary encoding. Raises ValueError if it does not fit the schema; the message holds no value."""
        buffer = self._buffer
        buffer.seek(0)
        buffer.truncate()
        try:
            schemaless_writer(buffer, self._schema, datum)
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError, IndexError):
            # The library's own messages quote the value.
            raise ValueError("a value does not fit the Avro schema") from None
        return buffer.getvalue()


class AvroReader:
    """Decodes data of one schema into JSON values: what the same row is in Debezium's JSON, decimals as text."""

    def __init__(self, schema_text: str) -> None:
        try:
            document = orjson.loads(schema_text)
        except orjson.JSONDecodeError:
            raise FatalError("the schema registry holds an Avro schema that is not JSON") from None
        self._schema = _parsed(document)
        self._convert = _Conversions().of(document, "")

    def decode(self, message: bytes) -> Any:
        """The datum of a whole message. Raises RejectedRecord (``malformed``) if it does not fit the schema."""
        stream = BytesIO(message)
        stream.seek(_HEADER.size)
        try:
            datum = schemaless_reader(stream, self._schema, None)
        except (
            ValueError,
            TypeError,
            EOFError,
            IndexError,
            KeyError,
            OverflowError,
            MemoryError,
            StopIteration,
        ) as error:
            raise RejectedRecord(
                "malformed", f"the message does not fit its Avro schema: {type(error).__name__}"
            ) from None
        if stream.read(1):
            raise RejectedRecord("malformed", "the message is longer than its Avro schema says")
        return datum if self._convert is None else self._convert(datum)


def _parsed(schema: Any) -> Any:
    """The schema as fastavro wants it, without logical types: what they mean is made of the plain values below."""
    try:
        return parse_schema(_plain(schema))
    except SchemaParseException as error:
        raise FatalError(f"an Avro schema cannot be read: {error}") from None


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items() if name != "logicalType"}
    return schema


class _Conversions:
    """What makes JSON values of what fastavro reads, by schema; None where it is one already."""

    def __init__(self) -> None:
        self._named: dict[str, Convert | None] = {}

    def of(self, schema: Any, namespace: str) -> Convert | None:
        if isinstance(schema, list):
            return self._union(schema, namespace)
        if isinstance(schema, str):
            full = schema if "." in schema or not namespace else f"{namespace}.{schema}"
            return self._named.get(full, _simple(schema, {}))
        kind = schema["type"]
        if isinstance(kind, (dict, list)):
            return self.of(kind, namespace)
        if kind in {"record", "fixed"}:
            return self._of_named(schema, namespace)
        if kind in {"array", "map"}:
            return _each(kind, self.of(schema["items" if kind == "array" else "values"], namespace))
        return _simple(kind, schema)

    def _of_named(self, schema: Mapping[str, Any], namespace: str) -> Convert | None:
        full_name, own = _full_name(schema, namespace)
        made = self._record(schema, own) if schema["type"] == "record" else _simple("fixed", schema)
        self._named[full_name] = made
        return made

    def _union(self, branches: list[Any], namespace: str) -> Convert | None:
        made = [self.of(branch, namespace) for branch in branches if branch != "null"]
        needed = [convert for convert in made if convert is not None]
        if not needed:
            return None
        if len(made) > 1:
            raise FatalError(
                "an Avro schema has a union of several types beside null, which cannot be told apart",
                hint="the topic is not Debezium's: write it with Debezium or `streamtrain connect`",
            )
        convert = needed[0]
        return lambda value: None if value is None else convert(value)

    def _record(self, schema: Mapping[str, Any], namespace: str) -> Convert | None:
        changes = [
            (field["name"], field.get(COLUMN, field["name"]), self.of(field["type"], namespace))
            for field in schema["fields"]
        ]
        if any(name != column for name, column, _ in changes):
            return _renamed(changes)
        needed = [(name, convert) for name, _, convert in changes if convert is not None]
        return _converted(needed) if needed else None


def _each(kind: str, convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    if kind == "array":
        return lambda value: [convert(one) for one in value]
    return lambda value: {name: convert(one) for name, one in value.items()}


def _full_name(schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    """The full name of a named type, and the namespace of what is within it."""
    name = str(schema["name"])
    if "." in name:
        return name, name.rpartition(".")[0]
    own = str(schema.get("namespace", namespace))
    return (f"{own}.{name}" if own else name), own


def _converted(changes: list[tuple[str, Convert]]) -> Convert:
    def convert(record: dict[str, Any]) -> dict[str, Any]:
        for name, change in changes:
            record[name] = change(record[name])
        return record

    return convert


def _renamed(changes: list[tuple[str, str, Convert | None]]) -> Convert:
    def convert(record: dict[str, Any]) -> dict[str, Any]:
        return {column: record[name] if change is None else change(record[name]) for name, column, change in changes}

    return convert


def _simple(kind: str, schema: Mapping[str, Any]) -> Convert | None:
    if kind == "float":
        return _shortest
    if kind not in {"bytes", "fixed"}:
        return None
    if schema.get("logicalType") != "decimal":
        return lambda value: b2a_base64(value, newline=False).decode("ascii")
    scale = int(schema.get("scale", 0))
    return lambda value: decimal_text(int.from_bytes(value, "big", signed=True), scale)


def _shortest(value: float) -> float:
    """The double that a float32 is written as: 0.1, not 0.10000000149011612."""
    return float(str(np.float32(value)))
