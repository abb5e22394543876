"""What a round on MongoDB does: drawn by its seed, and printed with it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.chaos.mongo.catalog import DATABASE, JOURNAL, SECOND

VERSIONS = ("4.4.1", "6.0.0", "7.0.0", "8.0.0")
"""That a stand-in is to be."""
IMAGES_FROM = 6
SCOPES: dict[str, tuple[str, ...]] = {
    "database": (f"{DATABASE}.t*", f"{DATABASE}.{JOURNAL}"),
    "deployment": (f"{DATABASE}.t*", f"{DATABASE}.{JOURNAL}", f"{SECOND}.t*"),
    "collection": (f"{DATABASE}.t0",),
}


@dataclass(frozen=True)
class Features:
    """Settings of the source and the topics."""

    version: str
    after: str
    scope: str
    format: str
    signals: bool
    transaction_metadata: bool
    reads_again: bool
    """``snapshot: when_needed``, and the log is taken away."""
    keeps_images: bool
    """Some collections keep images of their documents."""

    @classmethod
    def some(cls, chance: random.Random, given: str | None = None) -> Features:
        """``given`` is the version of the server, where that is not for us to choose."""
        drawn = chance.choice(VERSIONS)
        version = given or drawn
        images = int(version.partition(".")[0]) >= IMAGES_FROM
        return cls(
            version,
            chance.choice(["held", "held", "lookup", "post_image" if images else "held"]),
            chance.choice(["database", "database", "deployment", "collection"]),
            chance.choice(["json", "json", "json_with_schemas", "avro"]),
            chance.random() < 0.4,
            chance.random() < 0.5,
            chance.random() < 0.3,
            images and chance.random() < 0.5,
        )

    @property
    def patterns(self) -> tuple[str, ...]:
        return SCOPES[self.scope]

    @property
    def always_images(self) -> bool:
        """Every collection keeps them: documents before and after each change are then in its event."""
        return self.after != "held" and int(self.version.partition(".")[0]) >= IMAGES_FROM

    @property
    def tells_before(self) -> bool:
        """Every change tells the document before it."""
        return self.after == "held" or self.always_images

    def names(self) -> list[str]:
        """As they are printed."""
        flags: dict[str, Any] = {
            "signals": self.signals,
            "transaction metadata": self.transaction_metadata,
            "when_needed": self.reads_again,
            "images": self.keeps_images or self.always_images,
        }
        return [f"after {self.after}", self.scope, self.format, *(name for name, there in flags.items() if there)]
