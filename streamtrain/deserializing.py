"""Records in Avro as the JSON that the rest of the trainer reads, so that what is learned does not depend on the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from streamtrain.avro import AvroReader, is_framed, schema_id_of
from streamtrain.errors import ConfigError, RejectedRecord
from streamtrain.topic.base import Records, TopicPartition, TopicReader, Watermarks

SchemaOf = Callable[[int], str]
"""The text of the schema with an id."""


class DeserializingReader:
    """A reader whose records are JSON, whatever they are in the topic: each one says itself which it is.

    A record that does not fit its schema is left as it is, and is rejected where records are. ``schema_of`` is None where
    no registry is configured; ``poll`` then raises ConfigError on the first record in Avro. It raises whatever
    ``schema_of`` does.
    """

    def __init__(self, reader: TopicReader, schema_of: SchemaOf | None) -> None:
        self._reader = reader
        self._schema_of = schema_of
        self._readers: dict[int, AvroReader] = {}

    def partitions(self, topic: str) -> list[int]:
        return self._reader.partitions(topic)

    def watermarks(self, source: TopicPartition) -> Watermarks:
        return self._reader.watermarks(source)

    def assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._reader.assign(offsets)

    def poll(self, max_records: int, timeout_s: float) -> list[Records]:
        return [self._as_json(records) for records in self._reader.poll(max_records, timeout_s)]

    def close(self) -> None:
        self._reader.close()

    def _as_json(self, records: Records) -> Records:
        columns = (records.keys, records.values)
        if not any(message is not None and is_framed(message) for column in columns for message in column):
            return records
        return replace(records, keys=self._column(records.keys), values=self._column(records.values))

    def _column(self, messages: Sequence[bytes | None]) -> list[bytes | None]:
        return [message if message is None or not is_framed(message) else self._json(message) for message in messages]

    def _json(self, message: bytes) -> bytes:
        try:
            return orjson.dumps(self._reader_of(schema_id_of(message)).decode(message))
        except RejectedRecord:
            return message

    def _reader_of(self, schema_id: int) -> AvroReader:
        known = self._readers.get(schema_id)
        if known is None:
            if self._schema_of is None:
                raise ConfigError(
                    "the topic holds records in Avro, and no schema registry is configured", hint="set topic.registry"
                )
            known = self._readers[schema_id] = AvroReader(self._schema_of(schema_id))
        return known
