"""What is written beside the checkpoints: the schedule of slices, dead letters, config changes, components' states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from streamtrain.state.checkpoints import Writer, fence, place_of
from streamtrain.state.database import Database, Not, Range, Row, Transaction, Where
from streamtrain.state.layout import COMPONENTS, CONFIG_CHANGES, DEAD_LETTERS, METRICS, SCHEDULE
from streamtrain.state.records import DeadLetter, MetricPoint, ScheduledSlice
from streamtrain.topic.base import TopicPartition

_BY_PLACE = ("topic", "partition", "offset")
OPEN, REQUESTED, SCHEDULED, GONE, DROPPED = "open", "requested", "scheduled", "gone", "dropped"


class Ledger:
    """Decisions and facts of runs that are not model state. Not thread-safe."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms

    def schedule(self, writer: Writer, slices: Sequence[ScheduledSlice]) -> None:
        """Record which ranges the coming slice numbers are, before any of them is trained. Raises FencedOut."""
        with self._database.transaction() as transaction:
            fence(transaction, writer)
            _insert_schedule(transaction, writer.run, slices)

    def scheduled(self, run: str, after: int, until: int | None = None) -> list[ScheduledSlice]:
        """The recorded slices with a number above ``after`` (and at most ``until``), ascending."""
        numbers = Range(after + 1, None if until is None else until + 1)
        with self._database.transaction() as transaction:
            rows = transaction.select(SCHEDULE, {"run": run, "number": numbers}, order=["number"])
        return [
            ScheduledSlice(row["number"], _source(row), row["start_offset"], row["end_offset"], row["retry"])
            for row in rows
        ]

    def requested(self, run: str, learned: Mapping[TopicPartition, int]) -> list[tuple[TopicPartition, int]]:
        """The places of the dead letters whose retry was requested, by topic, partition and offset.

        Only those below the offsets in ``learned``: a record that its own slice has yet to reach is learned there.
        """
        wanted = {"run": run, "state": REQUESTED}
        with self._database.transaction() as transaction:
            rows = transaction.select(DEAD_LETTERS, wanted, columns=_BY_PLACE, order=_BY_PLACE)
        places = [(_source(row), row["offset"]) for row in rows]
        return [(source, offset) for source, offset in places if offset < learned.get(source, 0)]

    def schedule_retries(
        self, writer: Writer, after: int, places: Sequence[tuple[TopicPartition, int]]
    ) -> list[ScheduledSlice]:
        """Give these letters the slice numbers from ``after + 1`` on. Raises FencedOut."""
        slices = [
            ScheduledSlice(after + index, source, offset, offset + 1, retry=True)
            for index, (source, offset) in enumerate(places, start=1)
        ]
        self._move(writer, places, SCHEDULED, slices)
        return slices

    def mark_gone(self, writer: Writer, places: Sequence[tuple[TopicPartition, int]]) -> None:
        """Say that the records of these letters are no longer in the topic, so that they cannot be learned again."""
        self._move(writer, places, GONE, ())

    def _move(
        self,
        writer: Writer,
        places: Sequence[tuple[TopicPartition, int]],
        state: str,
        slices: Sequence[ScheduledSlice],
    ) -> None:
        with self._database.transaction() as transaction:
            fence(transaction, writer)
            if slices:
                _insert_schedule(transaction, writer.run, slices)
            for source, offset in places:
                transaction.update(DEAD_LETTERS, place_of(writer.run, source, offset), {"state": state})

    def letters(self, run: str) -> list[DeadLetter]:
        """The run's dead letters by topic, partition and offset, without the dropped ones."""
        with self._database.transaction() as transaction:
            rows = transaction.select(DEAD_LETTERS, {"run": run, "state": Not(DROPPED)}, order=_BY_PLACE)
        return [
            DeadLetter(
                _source(row),
                row["offset"],
                row["reason"],
                row["message"],
                row["row_key"],
                row["slice"],
                row["state"],
                row["created_ms"],
            )
            for row in rows
        ]

    def count_letters(self, run: str) -> dict[str, int]:
        """Dead letters by reason."""
        with self._database.transaction() as transaction:
            return transaction.count(DEAD_LETTERS, {"run": run, "state": Not(DROPPED)}, by="reason")

    def request_retry(self, run: str, chosen: Iterable[tuple[TopicPartition, int]] | None) -> int:
        """Ask for the open letters at these places (all of them if None) to be learned again; how many there were."""
        return self._change(run, chosen, {"state": OPEN}, {"state": REQUESTED})

    def drop_letters(self, run: str, chosen: Iterable[tuple[TopicPartition, int]] | None) -> int:
        """Drop the letters at these places (all of them if None); how many there were.

        The row stays as a mark: a restart reads the record again, and must not bring the letter back.
        """
        return self._change(run, chosen, {"state": Not(DROPPED)}, {"state": DROPPED, "message": "", "row_key": None})

    def _change(self, run: str, chosen: Iterable[tuple[TopicPartition, int]] | None, where: Where, values: Row) -> int:
        places = [{"run": run}] if chosen is None else [place_of(run, *place) for place in chosen]
        with self._database.transaction() as transaction:
            return sum(transaction.update(DEAD_LETTERS, {**place, **where}, values) for place in places)

    def record_config_change(self, writer: Writer, checkpoint_id: int, differences: Sequence[str]) -> None:
        """Write down that the run goes on from this checkpoint with other settings."""
        with self._database.transaction() as transaction:
            fence(transaction, writer)
            values = {"run": writer.run, "checkpoint_id": checkpoint_id, "created_ms": self._clock_ms()}
            text = orjson.dumps(list(differences)).decode()
            transaction.insert_numbered(CONFIG_CHANGES, {**values, "differences": text})

    def config_changes(self, run: str) -> list[tuple[int, list[str]]]:
        """(checkpoint id, differences) of each accepted change, oldest first."""
        with self._database.transaction() as transaction:
            rows = transaction.select(CONFIG_CHANGES, {"run": run}, order=["id"])
        return [(row["checkpoint_id"], orjson.loads(row["differences"])) for row in rows]

    def report(self, run: str, component: str, state: str, detail: Mapping[str, Any]) -> None:
        """Say how a component (``connector``, ``trainer``) stands, for ``status``."""
        values = {"state": state, "detail": orjson.dumps(detail).decode(), "updated_ms": self._clock_ms()}
        here = {"run": run, "component": component}
        with self._database.transaction() as transaction:
            if transaction.update(COMPONENTS, here, values) == 0:
                transaction.insert(COMPONENTS, [{**here, **values}])

    def components(self, run: str) -> dict[str, dict[str, Any]]:
        """Each component's last report: ``state``, ``updated_ms`` and its details."""
        with self._database.transaction() as transaction:
            rows = transaction.select(COMPONENTS, {"run": run}, order=["component"])
        return {
            row["component"]: {"state": row["state"], "updated_ms": row["updated_ms"], **orjson.loads(row["detail"])}
            for row in rows
        }

    def metric_history(self, run: str) -> list[MetricPoint]:
        """The metrics of every checkpoint so far, pruned ones too, by events and name."""
        with self._database.transaction() as transaction:
            rows = transaction.select(METRICS, {"run": run}, order=["events", "name"])
        return [MetricPoint(row["events"], row["created_ms"], row["name"], row["value"]) for row in rows]


def _insert_schedule(transaction: Transaction, run: str, slices: Sequence[ScheduledSlice]) -> None:
    rows = [
        {"run": run, "number": one.number, "topic": one.source.topic, "partition": one.source.partition,
         "start_offset": one.start, "end_offset": one.end, "retry": one.retry}
        for one in slices
    ]  # fmt: skip
    transaction.insert(SCHEDULE, rows)


def _source(row: Row) -> TopicPartition:
    return TopicPartition(row["topic"], row["partition"])
