"""Which ids, times and tokens of a recorded conversation are which of the one that is played."""

from __future__ import annotations

import bisect
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from bson import Timestamp

from tests.mongo_server import tokens
from tests.mongo_server.documents import Document, encode

TOKEN = re.compile("82[0-9A-F]{16}2B02[0-9A-F]+")
RECORD_ID = re.compile(r"RecordId\(\d+\)|cursor id \d+")
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
OF_A_PROCESS = ("processId", "connectionId")
"""Fields of which the type is all that can be the same."""
UUID_IN_TOKEN = re.compile("5A1004([0-9A-F]{32})")


class Times:
    """Pairs of recorded and played times; times between them are compared by where they stand."""

    def __init__(self) -> None:
        self._recorded: list[tuple[int, int]] = []
        self._played: list[tuple[int, int]] = []

    def learn(self, recorded: Timestamp, played: Timestamp) -> None:
        """The same write got these times."""
        one, other = (recorded.time, recorded.inc), (played.time, played.inc)
        if not self._recorded:
            self._recorded, self._played = [one], [other]
        elif one > self._recorded[-1] and other > self._played[-1]:
            self._learn_between(one, other)
            self._recorded.append(one)
            self._played.append(other)

    def _learn_between(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        """Pair the entries that one command wrote, where both servers wrote as many."""
        back = _entries(self._recorded[-1], one)
        if back == _entries(self._played[-1], other):
            for step in range(back - 1, 0, -1):
                self._recorded.append((one[0], one[1] - step))
                self._played.append((other[0], other[1] - step))

    def same(self, recorded: Timestamp, played: Timestamp) -> bool:
        return bisect.bisect_right(self._recorded, (recorded.time, recorded.inc)) == bisect.bisect_right(
            self._played, (played.time, played.inc)
        )

    def played(self, recorded: Timestamp) -> Timestamp:
        """The played time of a recorded one; one outside of the conversation is its own."""
        rank = bisect.bisect_right(self._recorded, (recorded.time, recorded.inc))
        outside = rank == 0 or (rank == len(self._recorded) and recorded.time > self._recorded[-1][0] + 60)
        return recorded if outside else Timestamp(*self._played[rank - 1])


def _entries(before: tuple[int, int], last: tuple[int, int]) -> int:
    """How many entries there are after ``before`` up to ``last``, if nothing else wrote in that second."""
    return last[1] - before[1] if before[0] == last[0] else last[1]


def _same_second(recorded: dt.datetime, played: dt.datetime) -> bool:
    return recorded.replace(microsecond=0) == played.replace(microsecond=0)


def _same_but_for_address(recorded: str, played: str) -> bool:
    return ADDRESS.sub("", recorded) == ADDRESS.sub("", played)


class Mapping:
    """Compares replies, and learns from those that are the same."""

    def __init__(self) -> None:
        self.times = Times()
        self.cursors: dict[int, int] = {0: 0}
        self._uuids: dict[bytes, bytes] = {}
        self._tokens: dict[str, str] = {}

    def command(self, value: Any) -> Any:
        """A recorded command with the played conversation's tokens and times in it."""
        if isinstance(value, dict):
            return {name: self._of_command(name, one) for name, one in value.items()}
        return [self.command(one) for one in value] if isinstance(value, list) else value

    def _of_command(self, name: str, value: Any) -> Any:
        if name == "_data":
            return self._tokens.get(value, value)
        if name in {"startAtOperationTime", "afterClusterTime"}:
            return self.times.played(value)
        return value if name in {"documents", "updates", "$clusterTime"} else self.command(value)

    def differences(self, recorded: Any, played: Any, path: str = "") -> list[str]:
        """What is not the same, each with its path; the order of fields counts."""
        if isinstance(recorded, dict) and isinstance(played, dict):
            return self._of_documents(recorded, played, path)
        if isinstance(recorded, list) and isinstance(played, list):
            if len(recorded) != len(played):
                return [f"{path}: {len(recorded)} recorded, {len(played)} played"]
            found = (
                self.differences(one, other, f"{path}.{at}")
                for at, (one, other) in enumerate(zip(recorded, played, strict=True))
            )
            return [difference for each in found for difference in each]
        same = type(recorded) is type(played) and self._same(recorded, played, path)
        return [] if same else [f"{path}: recorded {recorded!r}, played {played!r}"]

    def _of_documents(self, recorded: Document, played: Document, path: str) -> list[str]:
        if list(recorded) != list(played):
            return [f"{path}: fields {list(recorded)} recorded, {list(played)} played"]
        found = (self.differences(recorded[name], played[name], f"{path}.{name}") for name in recorded)
        return [difference for each in found for difference in each]

    def _same(self, recorded: Any, played: Any, path: str) -> bool:
        for applies, same in self._rules():
            if applies(recorded, path):
                return same(recorded, played)
        return encode({"": recorded}) == encode({"": played})

    def _rules(self) -> list[tuple[Callable[[Any, str], bool], Callable[[Any, Any], bool]]]:
        """What is compared otherwise than by its bytes: the first rule that applies to a value and its path decides."""
        return [
            (lambda _, path: path.endswith(OF_A_PROCESS), lambda *_: True),
            (lambda value, path: isinstance(value, Timestamp) and ".fullDocument." not in path, self.times.same),
            (lambda value, _: isinstance(value, dt.datetime), _same_second),
            (lambda _, path: path.endswith("._data"), self.same_token),
            (lambda _, path: path == ".cursor.id" or path.startswith(".cursorsKilled."), self._same_cursor),
            (lambda _, path: path.endswith(".errmsg"), self._same_message),
            (lambda _, path: path.endswith("info.uuid"), self._same_uuid),
            (lambda value, _: isinstance(value, str), _same_but_for_address),
        ]

    def _same_cursor(self, recorded: int, played: int) -> bool:
        if (recorded == 0) != (played == 0):
            return False
        return self.cursors.setdefault(int(recorded), int(played)) == played

    def _same_message(self, recorded: str, played: str) -> bool:
        if RECORD_ID.sub("", TOKEN.sub("", recorded)) != RECORD_ID.sub("", TOKEN.sub("", played)):
            return False
        pairs = zip(TOKEN.findall(recorded), TOKEN.findall(played), strict=True)
        return all(self.same_token(one, other) for one, other in pairs)

    def _same_uuid(self, recorded: bytes, played: bytes) -> bool:
        known = self._uuids.setdefault(bytes(recorded), bytes(played))
        return known == bytes(played) and list(self._uuids.values()).count(known) == 1

    def same_token(self, recorded: str, played: str) -> bool:
        """Whether two tokens say the same; from then on a command's recorded one is replaced by the played one."""
        one, other = (tokens.parse({"_data": data}) for data in (recorded, played))
        same = self.times.same(one.time, other.time)
        if one.uuid is not None and other.uuid is not None:
            same = same and self._same_uuid(one.uuid, other.uuid)
        # What is left: version, type, number in the transaction, from an invalidate, and the document key.
        rests = [UUID_IN_TOKEN.sub("", data[18:], count=1) for data in (recorded, played)]
        same = same and rests[0] == rests[1]
        if same:
            self._tokens[recorded] = played
        return same
