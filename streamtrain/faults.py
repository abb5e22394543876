"""Named steps at which a test may have this process kill itself. Off unless ``STREAMTRAIN_CRASH_AT`` is set.

``STREAMTRAIN_CRASH_AT=capture.committed:3`` sends SIGKILL to this process when it passes that step for the third time.
The promise "survives any kill" is about what lies between two steps, and no outside signal can hit those moments surely.
"""

from __future__ import annotations

import os
import signal

CAPTURE_STEPS = (
    "capture.opened",
    "capture.read",
    "capture.begun",
    "capture.sent",
    "capture.committing",
    "capture.committed",
)
SNAPSHOT_STEPS = ("snapshot.asked", "snapshot.arrived")
CHECKPOINT_STEPS = (
    "train.restored",
    "train.sliced",
    "train.learned",
    "checkpoint.begun",
    "checkpoint.fenced",
    "checkpoint.parts_written",
    "checkpoint.written",
    "checkpoint.committed",
)
STEPS = frozenset(CAPTURE_STEPS + SNAPSHOT_STEPS + CHECKPOINT_STEPS)

_ENVIRONMENT = "STREAMTRAIN_CRASH_AT"


class _Armed:
    """The step to die at, and how many passes are left."""

    def __init__(self, text: str) -> None:
        step, _, count = text.partition(":")
        if text and step not in STEPS:
            raise ValueError(f"{_ENVIRONMENT} names no known step: {step!r}; one of {', '.join(sorted(STEPS))}")
        self.step = step
        self.left = int(count) if count else 1


_armed = _Armed(os.environ.get(_ENVIRONMENT, ""))


def arm(text: str) -> None:
    """Arm ``STEP`` or ``STEP:COUNT`` in this process, or disarm with an empty text. Raises ValueError on an unknown step."""
    global _armed  # noqa: PLW0603 - one process dies once
    _armed = _Armed(text)


def passed(step: str) -> None:
    """Say that ``step`` has been passed. Costs one comparison when nothing is armed."""
    if step != _armed.step:
        return
    _armed.left -= 1
    if _armed.left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
