"""How to reach a Kafka cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from streamtrain.errors import ConfigError

_SECURITY = re.compile(r"(security|sasl|ssl|enable\.ssl|https)\.[a-z.]+")
RECONNECT_MAX_MS = 1000


@dataclass(frozen=True)
class KafkaSettings:
    """Where the brokers are and how to talk to them. ``repr`` shows nothing of ``security`` but its keys.

    ``security`` holds librdkafka's properties for TLS and SASL by their own names
    (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md). Raises ConfigError on any other property.
    """

    bootstrap: str
    security: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 30.0
    """How long one request, or the delivery of what was sent, may take before the broker counts as unavailable."""
    transaction_timeout_ms: int = 900_000
    """How long a transaction may stay open; an initial snapshot is one. Lowered to what the broker allows."""
    compression: str = "lz4"
    linger_ms: int = 5
    group: str = "streamtrain"
    """librdkafka wants a consumer group's name. Nothing is ever committed to it."""

    def __post_init__(self) -> None:
        strange = sorted(key for key in self.security if not _SECURITY.fullmatch(key))
        if strange:
            raise ConfigError(
                f"not a TLS or SASL property of librdkafka: {', '.join(strange)}",
                hint="topic.security takes properties such as security.protocol, sasl.mechanism and ssl.ca.location",
            )

    def __repr__(self) -> str:
        hidden = ", ".join(f"{key}: ***" for key in sorted(self.security))
        return f"KafkaSettings(bootstrap={self.bootstrap!r}, security={{{hidden}}})"

    def redacted(self, text: str) -> str:
        """``text`` without any value of ``security``."""
        for value in sorted(filter(None, self.security.values()), key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def common(self) -> dict[str, object]:
        """The properties that every client gets. They hold secrets: hand them to librdkafka and to nothing else."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": "streamtrain",
            "socket.keepalive.enable": True,
            "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
            **self.security,
        }
