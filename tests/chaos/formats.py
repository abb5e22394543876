"""The topics' formats, decoded by nothing of the connector's own: json, and Avro with fastavro."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader

from tests.servers.registry import Schemas

Decode = Callable[[bytes], Any]


def avro_decoder(schemas: Schemas) -> Decode:
    """Decodes Confluent's wire format into what JSON would have shown: bytes as base64, whole decimals as numbers."""
    parsed: dict[int, Any] = {}

    def decode(message: bytes) -> Any:
        magic, number = struct.unpack_from(">bI", message)
        if magic != 0:
            raise ValueError(f"not in Confluent's wire format: {message[:20]!r}")
        if number not in parsed:
            parsed[number] = parse_schema(json.loads(schemas.texts[number]))
        return _shown(schemaless_reader(BytesIO(message[5:]), parsed[number], None))

    return decode


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return int(value) if isinstance(value, Decimal) else value
