"""What a MongoDB source is told."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streamtrain.tls import Tls

SnapshotMode = Literal["initial", "no_data", "when_needed"]
AfterMode = Literal["held", "post_image", "lookup"]
LargeEvents = Literal["stop", "dead_letter"]

SYSTEM_DATABASES = frozenset({"admin", "config", "local"})
# A rename across databases and $out fill a collection of such a name before it gets its own.
_SERVERS_OWN = re.compile(r"system\.|tmp[A-Za-z0-9]{5}\.renameCollection$|tmp\.agg_out\.")
_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one change stream watches: a collection, a database, or all of a deployment."""

    database: str | None = None
    collection: str | None = None

    def __str__(self) -> str:
        return ".".join(part for part in (self.database, self.collection) if part is not None) or "*"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which collections are captured: shell patterns over ``database.collection``, case-sensitive."""

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def captures(self, database: str, collection: str) -> bool:
        """Whether a collection is captured. The server's own never are, nor what it fills and then renames."""
        if database in SYSTEM_DATABASES or _SERVERS_OWN.match(collection):
            return False
        name = f"{database}.{collection}"
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude):
            return False
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.include)


@dataclass(frozen=True, slots=True)
class MongoSettings:
    """A deployment, the collections of it that are captured, and how their documents are told."""

    url: str = field(repr=False)
    """``mongodb://USER:PASSWORD@HOST:PORT/?OPTIONS``: never shown."""
    include: tuple[str, ...]
    """Shell patterns over ``database.collection``, case-sensitive."""
    prefix: str
    """The ``name`` in the records' source block, and the first part of the topics' names."""
    exclude: tuple[str, ...] = ()
    tls: Tls = field(default_factory=Tls)
    snapshot: SnapshotMode = "initial"
    after: AfterMode = "held"
    """Where the document after an update is from: see ``docs/mongodb.md``."""
    store: Path = Path("documents.db")
    """The file that holds documents, for ``after: held`` and while a snapshot is read."""
    large_events: LargeEvents = "stop"
    """What becomes of a change that the server cannot send for its size."""
    transaction_metadata: bool = False
    include_schema_changes: bool = True
    max_rows: int = 20_000
    """In one read at most, about: a batch of the server's is not cut."""
    chunk_rows: int = 10_000
    """Documents that a snapshot reads at once, at most."""
    timeout_s: float = 10.0
    """How long a server may take to be found."""
    silence_s: float = 60.0
    """After this long without a reply a connection is taken for dead."""

    @property
    def scope(self) -> Scope:
        """The narrowest that has all captured collections: rights to it are all that is needed."""
        names = [pattern.split(".", 1) for pattern in self.include]
        databases = {name[0] for name in names}
        if len(databases) > 1 or any(_WILD & set(database) for database in databases):
            return Scope()
        database = names[0][0]
        collection = names[0][1] if len(names) == 1 else "*"
        return Scope(database, None if _WILD & set(collection) else collection)

    @property
    def selection(self) -> Selection:
        """Which collections are captured."""
        return Selection(self.include, self.exclude)

    def captures(self, database: str, collection: str) -> bool:
        """Whether a collection is captured."""
        return self.selection.captures(database, collection)


def name_of(full_name: str) -> tuple[str, str]:
    """Database and collection of ``database.collection``: no database has a dot in its name."""
    database, _, collection = full_name.partition(".")
    return database, collection
