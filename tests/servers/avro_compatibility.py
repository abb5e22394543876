"""Whether data written with one Avro schema can be read with another.

https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from __future__ import annotations

from typing import Any

_PROMOTED = {
    ("long", "int"), ("float", "int"), ("float", "long"), ("double", "int"), ("double", "long"), ("double", "float"),
    ("bytes", "string"), ("string", "bytes"),
}  # fmt: skip
_NAMED = {"record", "enum", "fixed"}


def problems(*, reader: Any, writer: Any) -> list[str]:
    """Why not; empty if it can."""
    return _Resolution(reader, writer).compare(reader, writer, "/")


class _Resolution:
    def __init__(self, reader: Any, writer: Any) -> None:
        self._readers: dict[str, Any] = {}
        self._writers: dict[str, Any] = {}
        _collect(reader, "", self._readers)
        _collect(writer, "", self._writers)

    def compare(self, reader: Any, writer: Any, where: str) -> list[str]:
        reader, writer = self._resolved(reader, self._readers), self._resolved(writer, self._writers)
        if isinstance(writer, list):
            return [found for branch in writer for found in self.compare(reader, branch, where)]
        if isinstance(reader, list):
            return (
                []
                if any(not self.compare(branch, writer, where) for branch in reader)
                else [f"{where}: missing union branch"]
            )
        kinds = reader["type"], writer["type"]
        if kinds in _PROMOTED:
            return []
        if kinds[0] != kinds[1]:
            return [f"{where}: type mismatch, reader {kinds[0]}, writer {kinds[1]}"]
        return self._compare_same(reader, writer, where)

    def _compare_same(self, reader: Any, writer: Any, where: str) -> list[str]:
        kind = reader["type"]
        if kind in _NAMED and _short(reader) != _short(writer):
            return [f"{where}: name mismatch"]
        if kind == "record":
            return self._compare_records(reader, writer, where)
        if kind in {"array", "map"}:
            part = "items" if kind == "array" else "values"
            return self.compare(reader[part], writer[part], f"{where}{part}/")
        if any(reader.get(name) != writer.get(name) for name in ("size", "scale", "precision")):
            return [f"{where}: other size, scale or precision"]
        missing = set(writer.get("symbols", ())) - set(reader.get("symbols", ()))
        return [f"{where}: missing enum symbols"] if missing and "default" not in reader else []

    def _compare_records(self, reader: Any, writer: Any, where: str) -> list[str]:
        written = {field["name"]: field for field in writer["fields"]}
        found = []
        for field in reader["fields"]:
            names = [field["name"], *field.get("aliases", ())]
            other = next((written[name] for name in names if name in written), None)
            place = f"{where}{field['name']}/"
            if other is not None:
                found += self.compare(field["type"], other["type"], place)
            elif "default" not in field:
                found.append(f"{place}: reader field missing default value")
        return found

    def _resolved(self, schema: Any, named: dict[str, Any]) -> Any:
        if isinstance(schema, str):
            return named.get(schema) or named.get(schema.rpartition(".")[2]) or {"type": schema}
        if isinstance(schema, dict) and isinstance(schema["type"], (dict, list)):
            return self._resolved(schema["type"], named)
        return schema


def _short(schema: Any) -> str:
    return str(schema["name"]).rpartition(".")[2]


def _collect(schema: Any, namespace: str, named: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _collect(branch, namespace, named)
    elif isinstance(schema, dict):
        if schema["type"] in _NAMED:
            namespace = schema.get("namespace", namespace)
            named[f"{namespace}.{schema['name']}"] = named[schema["name"]] = schema
        for part in (schema["type"], schema.get("items"), schema.get("values")):
            if isinstance(part, (dict, list)):
                _collect(part, namespace, named)
        for field in schema.get("fields", ()):
            _collect(field["type"], namespace, named)
