"""What a round does beyond plain transactions: drawn by its seed, and printed with it."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Features:
    """Parts of what the connector can do, each on or off."""

    xa: bool = False
    compressed: bool = False
    """Some connections compress their transactions in the log (MySQL)."""
    compressed_events: bool = False
    """The server compresses large events of its log (MariaDB)."""
    partial_json: bool = False
    """Documents are changed in place, and some connections log only what changed of them (MySQL)."""
    signals: bool = False
    """Tables are read again when signals ask for it."""
    avro: bool = False
    """The topics are in Avro, with a schema registry."""

    def some(self, chance: random.Random) -> Features:
        """Each of these features, or not."""
        return Features(**{name: chance.random() < 0.5 and there for name, there in asdict(self).items()})

    def names(self) -> list[str]:
        """Those that are on."""
        return [name.replace("_", " ") for name, there in asdict(self).items() if there]


FEATURES = {
    "mysql": Features(xa=True, compressed=True, partial_json=True, signals=True, avro=True),
    "mariadb": Features(xa=True, compressed_events=True, signals=True, avro=True),
}
"""What a round on this source may turn on."""
