"""Sets of transactions: MySQL's GTID sets and MariaDB's GTID positions.

MySQL names a transaction ``uuid:number`` or ``uuid:tag:number``; a set is a list of intervals for each ``uuid[:tag]``.
https://dev.mysql.com/doc/refman/9.4/en/replication-gtids-concepts.html#replication-gtids-concepts-gtid-sets
MariaDB names it ``domain-server-sequence``; a position is the last one of each domain.
https://mariadb.com/kb/en/gtid/
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from typing import Protocol, Self

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_INTERVAL = re.compile(r"([1-9][0-9]*)(?:-([1-9][0-9]*))?")
_MARIADB = re.compile(r"([0-9]+)-([0-9]+)-([0-9]+)")

_U64 = struct.Struct("<Q")
_U64_PAIR = struct.Struct("<QQ")
# The first number of an encoded set with tags holds the format in its lowest and highest byte, the count between them.
_TAGGED_FORMAT = 1


class Gtids(Protocol):
    """What both kinds of sets offer; ``str`` gives the server's own notation."""

    def add(self, gtid: str) -> None:
        """Take in one transaction, in the notation of the binlog's event."""

    def covers(self, other: Self) -> bool:
        """Whether every transaction of ``other`` is in this set."""

    def without(self, gtid: str) -> Self:
        """The other transactions of this set. Raises ValueError where a set cannot leave one out."""

    def copy(self) -> Self:
        """A set of its own with the same transactions."""


class GtidSet:
    """A set of MySQL GTIDs: for each source, disjoint half-open intervals in ascending order."""

    __slots__ = ("_intervals",)

    def __init__(self) -> None:
        self._intervals: dict[str, list[tuple[int, int]]] = {}

    @classmethod
    def parse(cls, text: str) -> GtidSet:
        """Read the server's notation, with line breaks and spaces, in any order. Raises ValueError."""
        gtids = cls()
        for part in "".join(text.lower().split()).split(","):
            if part:
                gtids._parse_source(part)
        return gtids

    def _parse_source(self, part: str) -> None:
        uuid, *fields = part.split(":")
        if not _UUID.fullmatch(uuid) or not fields:
            raise ValueError(f"not a GTID set: {part!r}")
        source, empty = uuid, True
        for field in fields:
            if _TAG.fullmatch(field):
                source, empty = f"{uuid}:{field}", True
                continue
            interval = _INTERVAL.fullmatch(field)
            if interval is None:
                raise ValueError(f"not a GTID set: {part!r}")
            first, last = int(interval[1]), int(interval[2] or interval[1])
            self._add(source, first, last + 1)
            empty = False
        if empty:
            raise ValueError(f"not a GTID set: {part!r}")

    def add(self, gtid: str) -> None:
        source, _, number = gtid.rpartition(":")
        first = int(number)
        intervals = self._intervals.get(source)
        if intervals and intervals[-1][1] == first:  # the usual case: the next transaction of the same server
            intervals[-1] = (intervals[-1][0], first + 1)
            return
        self._add(source, first, first + 1)

    def _add(self, source: str, start: int, stop: int) -> None:
        if stop <= start:
            return
        intervals = self._intervals.setdefault(source, [])
        low = bisect_right(intervals, start, key=lambda interval: interval[0])
        if low and intervals[low - 1][1] >= start:
            low -= 1
        high = low
        while high < len(intervals) and intervals[high][0] <= stop:
            start, stop = min(start, intervals[high][0]), max(stop, intervals[high][1])
            high += 1
        intervals[low:high] = [(start, stop)]

    def covers(self, other: GtidSet) -> bool:
        return not other.minus(self)

    def minus(self, other: GtidSet) -> GtidSet:
        """The transactions of this set that are not in ``other``."""
        rest = GtidSet()
        for source, intervals in self._intervals.items():
            holes = other._intervals.get(source, [])
            for start, stop in intervals:
                for hole_start, hole_stop in holes:
                    if hole_stop <= start or hole_start >= stop:
                        continue
                    rest._add(source, start, hole_start)
                    start = hole_stop  # noqa: PLW2901 - what is left of the interval
                rest._add(source, start, stop)
        return rest

    def without(self, gtid: str) -> GtidSet:
        return self.minus(GtidSet.parse(gtid))

    def copy(self) -> GtidSet:
        twin = GtidSet()
        twin._intervals = {source: list(intervals) for source, intervals in self._intervals.items()}
        return twin

    def encode(self) -> bytes:
        """The set as COM_BINLOG_DUMP_GTID carries it: with tags only if there are any, as servers before 8.3 know none.

        https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump_gtid.html
        """
        count = len(self._intervals)
        tagged = any(":" in source for source in self._intervals)
        parts = [_U64.pack((_TAGGED_FORMAT << 56) | (count << 8) | _TAGGED_FORMAT if tagged else count)]
        for source, intervals in sorted(self._intervals.items()):
            uuid, _, tag = source.partition(":")
            parts.append(bytes.fromhex(uuid.replace("-", "")))
            if tagged:
                parts.append(bytes([len(tag) << 1]) + tag.encode("ascii"))
            parts.append(_U64.pack(len(intervals)))
            parts.extend(_U64_PAIR.pack(*interval) for interval in intervals)
        return b"".join(parts)

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GtidSet) and self._intervals == other._intervals

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __str__(self) -> str:
        parts: list[str] = []
        last_uuid = ""
        for source, intervals in sorted(self._intervals.items()):
            uuid, _, tag = source.partition(":")
            numbers = ":".join(f"{a}" if b == a + 1 else f"{a}-{b - 1}" for a, b in intervals)
            if uuid == last_uuid:
                parts[-1] += f":{tag}:{numbers}"
            else:
                parts.append(f"{source}:{numbers}")
            last_uuid = uuid
        return ",".join(parts)


class GtidPosition:
    """A MariaDB position: the last transaction of each replication domain, as (server id, sequence number)."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, int]] = {}

    @classmethod
    def parse(cls, text: str) -> GtidPosition:
        """Read ``0-1-100,1-1-7``. Raises ValueError."""
        position = cls()
        for part in "".join(text.split()).split(","):
            if part:
                position.add(part)
        return position

    def add(self, gtid: str) -> None:
        match = _MARIADB.fullmatch(gtid)
        if match is None:
            raise ValueError(f"not a MariaDB GTID: {gtid!r}")
        domain, server, sequence = map(int, match.groups())
        self._last[domain] = (server, sequence)

    def covers(self, other: GtidPosition) -> bool:
        return all(
            domain in self._last and self._last[domain][1] >= sequence for domain, (_, sequence) in other._last.items()
        )

    def without(self, gtid: str) -> GtidPosition:
        raise ValueError(f"the position before {gtid} is not known from the one after it")

    def copy(self) -> GtidPosition:
        twin = GtidPosition()
        twin._last = dict(self._last)
        return twin

    def __bool__(self) -> bool:
        return bool(self._last)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GtidPosition) and self._last == other._last

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __str__(self) -> str:
        return ",".join(f"{domain}-{server}-{number}" for domain, (server, number) in sorted(self._last.items()))
