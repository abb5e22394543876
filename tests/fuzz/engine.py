"""Damaged logs, played to the decoder and to what stands behind it: each gives events or stops with its place, and soon."""

from __future__ import annotations

import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from connectors.mysql.binlog import decoder as decoder_module
from connectors.mysql.binlog.decoder import EventDecoder
from connectors.mysql.binlog.event_types import EventType
from connectors.mysql.binlog.events import Event, Rows, TransactionPayload
from connectors.mysql.binlog.table_map import TableLayout
from connectors.mysql.emission import Emission
from connectors.mysql.origin import OriginWriter
from connectors.mysql.position import LogPosition
from connectors.mysql.transaction import HoldLimits
from connectors.mysql.transactions import Transactions, TransactionSettings
from streamtrain.errors import PositionLost, StreamtrainError, UnsupportedChange
from tests.fuzz import answers, documents, mutations, packets, pieces
from tests.golden.binlog.record import cases, recorded

CPU_S = 5.0
"""Of processor time that one turn may take; the largest recorded log takes a hundredth of it."""
PLACE = re.compile(r"(:\d+|, in an event without a position), ")
NO_HEADER = ", not even a header can be read: "
Compile = Callable[[TableLayout], Callable[[bytes, int, int], Any]]
Stream = Sequence[bytes]


class Finding(Exception):
    """Something that may not happen. ``turn`` plays it again."""

    def __init__(self, turn: str, what: str) -> None:
        super().__init__(f"{what}; turn {turn}")
        self.turn = turn


class TooLong(Exception):
    """A turn has used up its processor time."""


@dataclass(frozen=True)
class Seen:
    """What a decoder made of a log."""

    events: tuple[str, ...]
    stop: str
    """The message of what stopped it; empty at the end."""
    stopped_at: int
    """Which event that was."""


@cache
def streams() -> dict[tuple[str, str], list[bytes]]:
    """All recorded logs."""
    return {(server, case.name): recorded(server, case.name) for case in cases() for server in case.servers}


class Fuzzer:
    """Plays turns, each of which is a function of its name alone. ``decoders`` are compared with each other.

    Changes the decoder's module while a turn lasts: one at a time in a process.
    """

    def __init__(self, decoders: dict[str, Compile]) -> None:
        self.counts: Counter[str] = Counter()
        self._decoders = decoders
        self._readers = documents.readers()
        self._names = sorted(streams())

    def play(self, turn: str) -> None:
        """Raises Finding."""
        rng = random.Random(turn)
        self.counts["turns"] += 1
        try:
            with limited(CPU_S):
                kind = rng.random()
                if kind < 0.2:
                    pieces.play(rng)
                    self.counts["pieces"] += 1
                elif kind < 0.3:
                    self._play_answer(turn, rng)
                elif kind < 0.5:
                    self._play_document(rng)
                else:
                    self._play_log(turn, rng)
        except Finding:
            raise
        except documents.Unlike as unlike:
            raise Finding(turn, str(unlike)) from unlike
        except TooLong:
            raise Finding(turn, f"takes more than {CPU_S} s") from None
        except Exception as error:
            raise Finding(turn, f"a foreign error: {error!r}") from error

    def _play_answer(self, turn: str, rng: random.Random) -> None:
        difference = answers.difference(rng)
        self.counts["answers"] += 1
        if difference:
            raise Finding(turn, f"C and Python differ: {difference}"[:2_000])

    def _play_document(self, rng: random.Random) -> None:
        whole = documents.play(rng, self._readers)
        self.counts["documents that were read" if whole else "documents that were stopped"] += 1

    def _play_log(self, turn: str, rng: random.Random) -> None:
        name = rng.choice(self._names)
        stream = streams()[name]
        at, damaged, stops = self._damaged(stream, rng)
        seen = {decoder: self._decoded(turn, damaged, compile_) for decoder, compile_ in self._decoders.items()}
        first = next(iter(seen.values()))
        self.counts["stopped" if first.stop else "went through"] += 1
        for decoder, other in seen.items():
            if (other.events, other.stopped_at) != (first.events, first.stopped_at):
                raise Finding(turn, f"{decoder} and {next(iter(seen))} differ: {_difference(first, other)}")
        if found := packets.misplaced(damaged, rng):
            raise Finding(turn, found)
        if stops and first.stopped_at > at:
            raise Finding(turn, f"event {at} is damaged, its checksum does not fit, and yet it was read")

    def _damaged(self, stream: Stream, rng: random.Random) -> tuple[int, list[bytes], bool]:
        """Which event is damaged, the log with it, and whether the decoder has to stop there."""
        others = streams()[rng.choice(self._names)]
        at = rng.randrange(len(stream))
        how = rng.random()
        if how < 0.2:
            return len(stream), mutations.shuffled(stream, rng, others), False
        if how < 0.35 and _verified(stream, at):
            return at, [*stream[:at], mutations.damaged_unnoticed(stream[at], rng), *stream[at + 1 :]], True
        if how < 0.45:
            event = mutations.spliced(stream[at], rng, rng.choice(others))
        else:
            event = rng.choice(mutations.EVENT_MUTATIONS)(stream[at], rng)
        return at, [*stream[:at], event, *stream[at + 1 :]], False

    def _decoded(self, turn: str, stream: Stream, compile_: Compile) -> Seen:
        found: list[str] = []
        original = decoder_module.compile_rows_decoder
        decoder_module.compile_rows_decoder = compile_
        try:
            decoder, transactions = EventDecoder(lambda *_: True), _transactions()
            for index, packet in enumerate(stream):
                try:
                    for event in _flat(decoder.decode(packet)):
                        _check(turn, event)
                        found.append(_shown(event))
                        transactions = _accept(turn, transactions, event)
                except UnsupportedChange as stop:
                    if not stop.hint or not _placed(stop.message, decoder.file):
                        raise Finding(turn, f"an error without place or hint: {stop.message}") from stop
                    return Seen(tuple(found), stop.message, index)
        finally:
            decoder_module.compile_rows_decoder = original
        return Seen(tuple(found), "", len(stream))


def _placed(message: str, file: str) -> bool:
    """Whether a message begins with file and offset; ``file`` may be damaged itself."""
    if not file:
        return True
    return message.startswith(f"in {file}{NO_HEADER}") or bool(PLACE.match(message.removeprefix(file)))


def _flat(event: Event) -> Iterator[Event]:
    if isinstance(event, TransactionPayload):
        yield from event.events
    else:
        yield event


def _check(turn: str, event: Event) -> None:
    if isinstance(event, Rows):
        width = len(event.table.columns)
        sides = [side for side in (event.before, event.after) if side is not None]
        if any(len(row) != width for side in sides for row in side) or len({len(side) for side in sides}) != 1:
            raise Finding(turn, f"rows of another width than their table's in {event}")


def _accept(turn: str, transactions: Transactions | None, event: Event) -> Transactions | None:
    """Pass the event on; None once the transactions have stopped, or wait for what no recording can give them."""
    if transactions is None:
        return None
    try:
        transactions.accept(event)
    except (UnsupportedChange, PositionLost) as stop:
        if not stop.hint and not stop.message:
            raise Finding(turn, f"an error that says nothing: {stop!r}") from stop
        return None
    except StreamtrainError as error:
        raise Finding(turn, f"an error of the wrong kind: {error!r}") from error
    return None if transactions.wanted is not None else transactions


def _transactions() -> Transactions:
    def find_prepared(identity: str, _before: LogPosition) -> Any:
        raise PositionLost(f"{identity} was not prepared in this log", hint="none")

    settings = TransactionSettings(lambda *_: True, HoldLimits(1_000, 1 << 20), False, find_prepared)
    emission = Emission(OriginWriter("mysql", "fuzz"), metadata=True, query=True)
    return Transactions(LogPosition("mysql", "server", "binlog.000001", 4, None), emission, settings)


def _shown(event: Event) -> str:
    if isinstance(event, Rows):
        return f"{event.op} {event.table} {event.before} {event.after}"
    return type(event).__name__


def _difference(one: Seen, other: Seen) -> str:
    pairs = zip(one.events, other.events, strict=False)
    different = next(((ours, theirs) for ours, theirs in pairs if ours != theirs), None)
    return str(different or (one.stop, other.stop, len(one.events), len(other.events)))[:2_000]


def _verified(stream: Stream, at: int) -> bool:
    """Whether the event's checksum says anything: that of its file does, and the event itself is not the one to tell."""
    if stream[at][4] in {EventType.FORMAT_DESCRIPTION, EventType.ROTATE}:
        return False
    formats = [packet for packet in stream[:at] if packet[4] == EventType.FORMAT_DESCRIPTION]
    return bool(formats) and formats[-1][-1 - mutations.CHECKSUM_LENGTH] == 1


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TooLong in this thread, the main one, when it has used so much processor time."""

    def too_long(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
