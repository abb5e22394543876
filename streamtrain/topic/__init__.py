"""Topics: ordered, durable logs of records between capture and training."""
