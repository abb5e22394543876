"""Watches a topic grow, and the process that fills it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.errors import BenchmarkFailed
from benchmarks.usage import Usage, usage
from streamtrain.topic.base import TopicPartition
from streamtrain.topic.kafka import KafkaReader, KafkaSettings

INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """How things stood at a moment (``time.monotonic``)."""

    at_s: float
    end: int
    """Offset up to which a reader of committed records can read."""
    used: Usage | None


class Watch:
    """Asks the broker for the end of a topic's one partition, and the kernel for a process's usage, all the time."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._settings, self._source = KafkaSettings(bootstrap), TopicPartition(topic, 0)
        self.samples: list[Sample] = []
        self.pid: int | None = None
        """Of the process to watch, once there is one."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def end(self) -> int:
        """The newest end that was seen; 0 while the topic is not there."""
        if self._failure is not None:
            raise BenchmarkFailed(f"watching {self._source}: {self._failure}") from self._failure
        return self.samples[-1].end if self.samples else 0

    def first_at(self, end: int) -> Sample:
        """The sample that first saw the topic reach this end."""
        for sample in self.samples:
            if sample.end >= end:
                return sample
        raise BenchmarkFailed(f"{self._source} was not seen to reach offset {end}")

    def cpu_s_until(self, last: Sample) -> float:
        """CPU seconds of the process up to a sample; those of an ended process as they were seen last."""
        seen = [sample.used.cpu_s for sample in self.samples if sample.used is not None and sample.at_s <= last.at_s]
        return max(seen, default=0.0)

    def peak_rss_mib(self) -> float:
        """The most memory that the process held."""
        return max((sample.used.peak_rss_mib for sample in self.samples if sample.used is not None), default=0.0)

    def _run(self) -> None:
        reader = KafkaReader(self._settings)
        try:
            while not self._over.wait(INTERVAL_S):
                end = reader.watermarks(self._source).high if reader.partitions(self._source.topic) else 0
                used = None if self.pid is None else usage(self.pid)
                self.samples.append(Sample(time.monotonic(), end, used))
        except Exception as error:  # noqa: BLE001 - raised where the watch is asked
            self._failure = error
        finally:
            reader.close()
