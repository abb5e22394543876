"""Writing to the disk without a buffer: what a call could not write is known when it returns, and nothing is written later."""

from __future__ import annotations

import os


def write_at(descriptor: int, data: bytes, offset: int) -> int:
    """Write all of ``data`` at ``offset``, in as many calls as the system takes for it; the offset behind it. Raises OSError."""
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written
    return offset
