"""A Kafka Connect schema as an Avro schema, as Confluent's AvroConverter makes it.

Connect's names, versions, parameters and types go along as ``connect.*`` properties; an optional schema becomes a union with
null; the text is that of Avro's own ``Schema.toString``, so that a registry sees the schema that it has.
https://github.com/confluentinc/schema-registry/blob/master/avro-data/src/main/java/io/confluent/connect/avro/AvroData.java
https://avro.apache.org/docs/1.12.0/specification/
"""

from __future__ import annotations

import re
from typing import Any

from connectors.formats.connect import DECIMAL, Field, Schema
from streamtrain.avro import COLUMN

_PRIMITIVES = {
    "boolean": "boolean",
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "long",
    "float32": "float",
    "float64": "double",
    "string": "string",
    "bytes": "bytes",
}
_LOGICAL = {
    DECIMAL: "decimal",
    "org.apache.kafka.connect.data.Date": "date",
    "org.apache.kafka.connect.data.Time": "time-millis",
    "org.apache.kafka.connect.data.Timestamp": "timestamp-millis",
}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_]")
_NOT_IN_A_FULL_NAME = re.compile(r"[^A-Za-z0-9_.]")


def avro_name(name: str) -> str:
    """What Debezium calls a column with ``field.name.adjustment.mode=avro``."""
    return _NOT_IN_A_NAME.sub("_", f"_{name}" if name[:1].isdigit() else name)


def avro_full_name(name: str) -> str:
    """What Debezium calls a schema with ``schema.name.adjustment.mode=avro``."""
    return _NOT_IN_A_FULL_NAME.sub("_", f"_{name}" if name[:1].isdigit() else name)


def avro_schema(schema: Schema) -> Any:
    """The Avro schema, as JSON values."""
    return _Declarations().declare(schema, "")


class _Declarations:
    """A named type is declared where it comes first and named after that."""

    def __init__(self) -> None:
        self._declared: set[str] = set()

    def declare(self, schema: Schema, namespace: str) -> Any:
        declared = self._record(schema, namespace) if schema.type == "struct" else self._other(schema, namespace)
        if not schema.optional:
            return declared
        return [declared, "null"] if schema.default is not None else ["null", declared]

    def _record(self, schema: Schema, namespace: str) -> Any:
        full_name = avro_full_name(schema.name or "")
        own_namespace, _, name = full_name.rpartition(".")
        if full_name in self._declared:
            return name if own_namespace == namespace else full_name
        self._declared.add(full_name)
        document: dict[str, Any] = {"type": "record", "name": name}
        if own_namespace != namespace:
            document["namespace"] = own_namespace
        document["fields"] = [self._field(field, own_namespace) for field in schema.fields]
        return document | _properties(schema)

    def _other(self, schema: Schema, namespace: str) -> Any:
        document: dict[str, Any] = {}
        if schema.items is not None:
            document |= {"type": "array", "items": self.declare(schema.items, namespace)}
        else:
            document["type"] = _PRIMITIVES[schema.type]
        if schema.name == DECIMAL:
            parameters = dict(schema.parameters)
            document["scale"] = int(parameters["scale"])
            document["precision"] = int(parameters.get("connect.decimal.precision", "64"))
        document |= _properties(schema)
        return document if len(document) > 1 else document["type"]

    def _field(self, field: Field, namespace: str) -> dict[str, Any]:
        schema = field.schema
        document = {"name": field.name, "type": self.declare(schema, namespace)}
        if schema.optional:
            document["default"] = schema.default
        if field.column is not None:
            document[COLUMN] = field.column
        return document


def _properties(schema: Schema) -> dict[str, Any]:
    """What Avro itself has no word for, in AvroConverter's order."""
    name = avro_full_name(schema.name) if schema.name is not None else None
    narrow = schema.type if schema.type in {"int8", "int16"} else None
    properties = {
        "connect.doc": schema.documentation,
        "connect.version": schema.version,
        "connect.parameters": dict(schema.parameters) or None,
        "connect.default": schema.default,
        "connect.name": name,
        "connect.type": narrow,
        "logicalType": _LOGICAL.get(schema.name or ""),
    }
    return {key: value for key, value in properties.items() if value is not None}
