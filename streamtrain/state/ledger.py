"""What is written beside the checkpoints: the schedule of slices, dead letters, config changes, components' states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, false, func, insert, or_, select, true, update

from streamtrain.state.checkpoints import Writer, fence
from streamtrain.state.database import Database
from streamtrain.state.records import DeadLetter, MetricPoint, ScheduledSlice
from streamtrain.state.tables import components, config_changes, dead_letters, metric_points, schedule
from streamtrain.topic.base import TopicPartition

OPEN, REQUESTED, SCHEDULED, GONE, DROPPED = "open", "requested", "scheduled", "gone", "dropped"


class Ledger:
    """Decisions and facts of runs that are not model state. Not thread-safe."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms

    def schedule(self, writer: Writer, slices: Sequence[ScheduledSlice]) -> None:
        """Record which ranges the coming slice numbers are, before any of them is trained. Raises FencedOut."""
        with self._database.transaction() as connection:
            fence(connection, writer)
            _insert_schedule(connection, writer.run, slices)

    def scheduled(self, run: str, after: int, until: int | None = None) -> list[ScheduledSlice]:
        """The recorded slices with a number above ``after`` (and at most ``until``), ascending."""
        query = select(schedule).where(schedule.c.run == run, schedule.c.number > after).order_by(schedule.c.number)
        if until is not None:
            query = query.where(schedule.c.number <= until)
        with self._database.transaction() as connection:
            rows = connection.execute(query).all()
        return [
            ScheduledSlice(
                row.number, TopicPartition(row.topic, row.partition), row.start_offset, row.end_offset, row.retry
            )
            for row in rows
        ]

    def requested(self, run: str, learned: Mapping[TopicPartition, int]) -> list[tuple[TopicPartition, int]]:
        """The places of the dead letters whose retry was requested, by topic, partition and offset.

        Only those below the offsets in ``learned``: a record that its own slice has yet to reach is learned there.
        """
        wanted = and_(dead_letters.c.run == run, dead_letters.c.state == REQUESTED)
        order = (dead_letters.c.topic, dead_letters.c.partition, dead_letters.c.offset)
        with self._database.transaction() as connection:
            rows = connection.execute(select(dead_letters).where(wanted).order_by(*order)).all()
        places = [(TopicPartition(row.topic, row.partition), row.offset) for row in rows]
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
        here = and_(dead_letters.c.run == writer.run, _places(places))
        with self._database.transaction() as connection:
            fence(connection, writer)
            if slices:
                _insert_schedule(connection, writer.run, slices)
            connection.execute(update(dead_letters).where(here).values(state=state))

    def letters(self, run: str) -> list[DeadLetter]:
        """The run's dead letters by topic, partition and offset, without the dropped ones."""
        here = and_(dead_letters.c.run == run, dead_letters.c.state != DROPPED)
        order = (dead_letters.c.topic, dead_letters.c.partition, dead_letters.c.offset)
        with self._database.transaction() as connection:
            rows = connection.execute(select(dead_letters).where(here).order_by(*order)).all()
        return [
            DeadLetter(
                TopicPartition(row.topic, row.partition),
                row.offset,
                row.reason,
                row.message,
                row.row_key,
                row.slice,
                row.state,
                row.created_ms,
            )
            for row in rows
        ]

    def count_letters(self, run: str) -> dict[str, int]:
        """Dead letters by reason."""
        query = (
            select(dead_letters.c.reason, func.count())
            .where(dead_letters.c.run == run, dead_letters.c.state != DROPPED)
            .group_by(dead_letters.c.reason)
        )
        with self._database.transaction() as connection:
            rows = connection.execute(query.order_by(dead_letters.c.reason)).all()
        return dict(rows)

    def request_retry(self, run: str, chosen: Iterable[tuple[TopicPartition, int]] | None) -> int:
        """Ask for the open letters at these places (all of them if None) to be learned again; how many there were."""
        query = update(dead_letters).where(dead_letters.c.run == run, dead_letters.c.state == OPEN, _places(chosen))
        with self._database.transaction() as connection:
            return connection.execute(query.values(state=REQUESTED)).rowcount

    def drop_letters(self, run: str, chosen: Iterable[tuple[TopicPartition, int]] | None) -> int:
        """Drop the letters at these places (all of them if None); how many there were.

        The row stays as a mark: a restart reads the record again, and must not bring the letter back.
        """
        query = update(dead_letters).where(dead_letters.c.run == run, dead_letters.c.state != DROPPED, _places(chosen))
        with self._database.transaction() as connection:
            return connection.execute(query.values(state=DROPPED, message="", row_key=None)).rowcount

    def record_config_change(self, writer: Writer, checkpoint_id: int, differences: Sequence[str]) -> None:
        """Write down that the run goes on from this checkpoint with other settings."""
        with self._database.transaction() as connection:
            fence(connection, writer)
            values = {"run": writer.run, "checkpoint_id": checkpoint_id, "created_ms": self._clock_ms()}
            connection.execute(
                insert(config_changes).values(differences=orjson.dumps(list(differences)).decode(), **values)
            )

    def config_changes(self, run: str) -> list[tuple[int, list[str]]]:
        """(checkpoint id, differences) of each accepted change, oldest first."""
        query = select(config_changes).where(config_changes.c.run == run).order_by(config_changes.c.id)
        with self._database.transaction() as connection:
            return [(row.checkpoint_id, orjson.loads(row.differences)) for row in connection.execute(query)]

    def report(self, run: str, component: str, state: str, detail: Mapping[str, Any]) -> None:
        """Say how a component (``connector``, ``trainer``) stands, for ``status``."""
        values = {"state": state, "detail": orjson.dumps(detail).decode(), "updated_ms": self._clock_ms()}
        here = and_(components.c.run == run, components.c.component == component)
        with self._database.transaction() as connection:
            if connection.execute(update(components).where(here).values(**values)).rowcount == 0:
                connection.execute(insert(components).values(run=run, component=component, **values))

    def components(self, run: str) -> dict[str, dict[str, Any]]:
        """Each component's last report: ``state``, ``updated_ms`` and its details."""
        query = select(components).where(components.c.run == run).order_by(components.c.component)
        with self._database.transaction() as connection:
            rows = connection.execute(query).all()
        return {
            row.component: {"state": row.state, "updated_ms": row.updated_ms, **orjson.loads(row.detail)}
            for row in rows
        }

    def metric_history(self, run: str) -> list[MetricPoint]:
        """The metrics of every checkpoint so far, pruned ones too, by events and name."""
        query = select(metric_points).where(metric_points.c.run == run)
        with self._database.transaction() as connection:
            rows = connection.execute(query.order_by(metric_points.c.events, metric_points.c.name)).all()
        return [MetricPoint(row.events, row.created_ms, row.name, row.value) for row in rows]


def _insert_schedule(connection: Connection, run: str, slices: Sequence[ScheduledSlice]) -> None:
    rows = [
        {"run": run, "number": one.number, "topic": one.source.topic, "partition": one.source.partition,
         "start_offset": one.start, "end_offset": one.end, "retry": one.retry}
        for one in slices
    ]  # fmt: skip
    connection.execute(insert(schedule), rows)


def _places(chosen: Iterable[tuple[TopicPartition, int]] | None) -> ColumnElement[bool]:
    if chosen is None:
        return true()
    places = [
        and_(
            dead_letters.c.topic == source.topic,
            dead_letters.c.partition == source.partition,
            dead_letters.c.offset == offset,
        )
        for source, offset in chosen
    ]
    return or_(*places) if places else false()
