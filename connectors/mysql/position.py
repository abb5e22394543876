"""Where reading goes on: a point between two transactions, and how many rows after it are published already."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from connectors.mysql.gtid import GtidPosition, Gtids, GtidSet
from connectors.source import Position
from streamtrain.errors import PositionLost

_FORMAT = 2
_OLDER_FORMATS = frozenset({1})
"""1 knew of no prepared XA transactions."""


def binlog_number(file: str) -> int:
    """The running number of a log file: 42 for ``binlog.000042``. After 999999 the names grow, so names do not sort.

    Raises ValueError if the name ends in no number.
    """
    return int(file.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class PreparedXa:
    """An XA transaction that is prepared, but neither committed nor rolled back, and where in the log it begins.

    ``file`` and ``offset`` are those of ``server``; ``before`` are the GTIDs before it where they are not known from its
    own (MariaDB). ``changes`` is the number of its row events of captured tables, of which the half-open ranges
    ``taken_back`` were rolled back to a savepoint.
    """

    xid: str
    server: str
    file: str
    offset: int
    gtid: str | None
    before: str | None
    changes: int
    taken_back: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> PreparedXa:
        """Raises TypeError or ValueError if the document is none."""
        ranges = tuple((int(start), int(stop)) for start, stop in document["taken_back"])
        return cls(**{**document, "taken_back": ranges})

    def __str__(self) -> str:
        return f"XA {self.xid}, prepared at {self.file}:{self.offset}" + (f" (GTID {self.gtid})" if self.gtid else "")


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A point between two transactions of a server's log.

    ``file`` and ``offset`` (bytes) point at the first event of the next transaction. ``gtids`` are the transactions before
    it, in the server's notation; None if the server gives none. ``skip_rows`` rows of captured tables in the transaction
    that begins here have been published already; it then is ``skip_gtid``, if it has one, and ``include`` and ``exclude`` (None:
    it was not kept) say which tables were captured, as the count is of their rows alone. ``prepared`` are the XA transactions whose rows lie before
    this point, and which may be committed after it.
    """

    flavor: str
    server: str
    file: str
    offset: int
    gtids: str | None
    skip_rows: int = 0
    skip_gtid: str | None = None
    include: tuple[str, ...] = ()
    prepared: tuple[PreparedXa, ...] = ()
    exclude: tuple[str, ...] | None = None

    def to_json(self) -> Position:
        """As it is kept beside the messages."""
        document = asdict(self)
        document["include"] = list(self.include)
        document["exclude"] = None if self.exclude is None else list(self.exclude)
        document["prepared"] = [
            {**asdict(each), "taken_back": [list(pair) for pair in each.taken_back]} for each in self.prepared
        ]
        return {"format": _FORMAT, **document}

    @classmethod
    def from_json(cls, document: Position) -> LogPosition:
        """Raises PositionLost if the document is no position of this source."""
        fields = dict(document)
        written_in = fields.pop("format", None)
        if written_in not in (_FORMAT, *_OLDER_FORMATS):
            raise _foreign(document)
        try:
            fields["include"] = tuple(fields.get("include", ()))
            fields["exclude"] = None if (exclude := fields.get("exclude")) is None else tuple(exclude)
            fields["prepared"] = tuple(PreparedXa.from_json(each) for each in fields.get("prepared", ()))
            position = cls(**fields)
            binlog_number(position.file)
            position.parsed_gtids()
        except (TypeError, ValueError, AttributeError, KeyError):
            raise _foreign(document) from None
        return position

    def captures_by(self, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
        """Whether these patterns are those by which tables are captured up to this point."""
        return self.include == include and self.exclude in {None, exclude}

    def capturing(self, include: tuple[str, ...], exclude: tuple[str, ...]) -> LogPosition:
        """This point with other tables captured from it on.

        What is known of prepared transactions is of the tables before: they are looked for anew when they are committed.
        """
        kept = self.prepared if self.captures_by(include, exclude) else ()
        return replace(self, include=include, exclude=exclude, prepared=kept)

    def parsed_gtids(self) -> Gtids | None:
        """The transactions before this point, as a set of the caller's own."""
        if self.gtids is None:
            return None
        return (GtidPosition if self.flavor == "mariadb" else GtidSet).parse(self.gtids)

    def is_before(self, other: LogPosition) -> bool:
        """Whether this point comes earlier in the same server's log."""
        return (binlog_number(self.file), self.offset) < (binlog_number(other.file), other.offset)

    def __str__(self) -> str:
        gtids = f" (GTIDs {self.gtids})" if self.gtids else ""
        rows = f" + {self.skip_rows} rows" if self.skip_rows else ""
        return f"{self.file}:{self.offset}{rows}{gtids}"


def _foreign(document: Position) -> PositionLost:
    return PositionLost(
        f"the stored position is none of a MySQL or MariaDB source: {sorted(document)}",
        hint="another kind of source has written to these topics: choose another topic.prefix",
    )
