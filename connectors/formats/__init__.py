"""Formats with schemas: Kafka Connect's schemas, and messages as JSON with schemas or as Avro."""
