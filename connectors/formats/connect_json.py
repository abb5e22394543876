"""A Kafka Connect schema as JsonConverter writes it into every message with ``schemas.enable=true``.

https://github.com/apache/kafka/blob/trunk/connect/json/src/main/java/org/apache/kafka/connect/json/JsonConverter.java
"""

from __future__ import annotations

from typing import Any

from connectors.formats.connect import Schema

_NAMES = {"float32": "float", "float64": "double"}


def json_schema(schema: Schema, field: str | None = None) -> dict[str, Any]:
    """The schema as a JSON object, its members in JsonConverter's order; ``field`` is its name within a struct."""
    document: dict[str, Any] = {"type": _NAMES.get(schema.type, schema.type)}
    if schema.type == "struct":
        document["fields"] = [json_schema(one.schema, one.name) for one in schema.fields]
    if schema.items is not None:
        document["items"] = json_schema(schema.items)
    document["optional"] = schema.optional
    optional = {
        "name": schema.name,
        "version": schema.version,
        "doc": schema.documentation,
        "parameters": dict(schema.parameters) or None,
        "default": schema.default,
        "field": field,
    }
    return document | {name: value for name, value in optional.items() if value is not None}
