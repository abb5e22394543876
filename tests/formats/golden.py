"""What Debezium wrote, and the tables and changes that it wrote it of. See tests/golden/debezium/README.md."""

from __future__ import annotations

import json
from binascii import b2a_base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.formats.connect_avro import avro_name
from connectors.source import (
    Change,
    FieldType,
    Row,
    SchemaChange,
    SourceEvent,
    Table,
    TransactionEvent,
    TransactionPart,
)
from streamtrain.envelope import Op

FOLDER = Path(__file__).parent.parent / "golden" / "debezium"
PREFIX = "g-x"
WITH_DECIMALS = (("scale", "2"), ("connect.decimal.precision", "18"))
"""Parameters of a column DECIMAL(18,2)."""
_TYPES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class Written:
    """One record as Debezium wrote it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def _json_document() -> Any:
    return json.loads((FOLDER / "json_with_schemas.json").read_text())


def with_schemas() -> list[Written]:
    document = _json_document()

    def text(part: tuple[int, str] | None) -> bytes | None:
        if part is None:
            return None
        return f'{{"schema":{document["schemas"][part[0]]},"payload":{part[1]}}}'.encode()

    return [Written(one["topic"], text(one["key"]), text(one["value"]), _headers(one)) for one in document["records"]]


def avro() -> tuple[list[Written], dict[int, str]]:
    """The records, and the schemas by id."""
    document = json.loads((FOLDER / "avro.json").read_text())

    def data(text: str | None) -> bytes | None:
        return None if text is None else bytes.fromhex(text)

    records = [
        Written(one["topic"], data(one["key"]), data(one["value"]), _headers(one)) for one in document["records"]
    ]
    return records, {int(number): text for number, text in document["schemas"].items()}


def _headers(record: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value.encode()) for name, value in record["headers"])


def table_of(key_schema: Any, value_schema: Any, *, avro_names: bool) -> Table:
    """The table that JsonConverter's schemas are about."""
    _, database, name = value_schema["name"].removesuffix(".Envelope").rsplit(".", 2)
    fields = value_schema["fields"][0]["fields"]
    names = [field["field"] for field in fields]
    key = [] if key_schema is None else [names.index(field["field"]) for field in key_schema["fields"]]
    columns = [avro_name(one) for one in names] if avro_names else names
    return Table(database, name, tuple(columns), tuple(key), tuple(_field_type(field) for field in fields))


def _field_type(field: Any) -> FieldType:
    kind = _TYPES.get(field["type"], field["type"])
    parameters = tuple((field.get("parameters") or {}).items())
    return FieldType(kind, field["optional"], field.get("name"), field.get("version", 1), parameters)


def event_of(key: Any, document: Any, table: Table | None) -> SourceEvent:
    """The event of which a message (its key's and its value's payload) was made."""
    if table is not None:
        return _change(document, table)
    if "ddl" in document:
        return SchemaChange(document["databaseName"], document["ddl"], document["source"], document["tableChanges"])
    counts = {one["data_collection"]: one["event_count"] for one in document["data_collections"] or []}
    return TransactionEvent(document["status"], key["id"], document["ts_ms"], counts)


def _change(document: Any, table: Table) -> Change:
    """A change of the one row; the row's number goes into the orders, as a change begins with row 0."""
    before, after = (_rows(document[image], table) for image in ("before", "after"))
    source = document["source"]
    if source["snapshot"] not in {"false", "true"}:
        return Change(table, Op(document["op"]), before, after, source, (source["snapshot"],))
    part = document["transaction"]
    orders = None
    if part is not None:
        orders = TransactionPart(part["id"], part["total_order"], part["data_collection_order"])
    return Change(table, Op(document["op"]), before, after, source, transaction=orders)


def _rows(image: Any, table: Table) -> list[Row] | None:
    return (
        None
        if image is None
        else [tuple(_cell(image[name], kind) for name, kind in zip(table.columns, table.types, strict=True))]
    )


def _cell(value: Any, kind: FieldType) -> Any:
    """Decimals as text, which Avro is read as, become base64 again, as rows hold them."""
    if kind.name is None or not kind.name.endswith("Decimal") or value is None or not _is_number(value):
        return value
    unscaled = int(value.replace(".", ""))
    size = ((unscaled if unscaled >= 0 else ~unscaled).bit_length() + 8) // 8
    return b2a_base64(unscaled.to_bytes(size, "big", signed=True), newline=False).decode()


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "").isdigit() and ("=" not in text)
