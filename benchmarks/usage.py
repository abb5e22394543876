"""What a process has used, as Linux accounts for it in ``/proc`` (``man 5 proc``)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Usage:
    """Since the process began: CPU seconds (user and system, with ended children) and the most memory it has held."""

    cpu_s: float
    peak_rss_mib: float


def usage(pid: int) -> Usage | None:
    """The process's usage; None if it has ended."""
    folder = Path("/proc", str(pid))
    fields = _stat(folder)
    try:
        peak = _PEAK.search((folder / "status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields is None or peak is None:  # a zombie has given its memory back
        return None
    return Usage(_cpu_s(fields), int(peak[1]) / 1024)


def cpu_s_of_family(root: int) -> float:
    """CPU seconds of a process and of all its descendants so far."""
    fields = {
        int(entry.name): found
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and (found := _stat(entry)) is not None
    }
    family: set[int] = set()
    born = {root}
    while born:
        family |= born
        born = {pid for pid, one in fields.items() if int(one[1]) in family} - family
    return sum(_cpu_s(fields[pid]) for pid in family & fields.keys())


class Neighbours:
    """How many cores all the rest of the machine kept busy over a stretch of time."""

    def __init__(self) -> None:
        self._begin = self._reading()

    def cores(self) -> float:
        """Busy cores since this began, without this process and its descendants."""
        began, busy_before, own_before = self._begin
        now, busy, own = self._reading()
        return max(0.0, (busy - busy_before - (own - own_before)) / (now - began))

    def _reading(self) -> tuple[float, float, float]:
        # user, nice, system, idle, iowait, irq, softirq, steal: all but the two in which nobody works
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / _TICKS_PER_S
        return time.monotonic(), busy, cpu_s_of_family(os.getpid())


def _stat(folder: Path) -> list[str] | None:
    """The fields of ``stat`` after the program's name, which may hold anything; None if the process has ended."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _cpu_s(fields: Sequence[str]) -> float:
    return sum(map(int, fields[11:15])) / _TICKS_PER_S
