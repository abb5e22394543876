"""What a process keeps of the memory that it has freed."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD`` of glibc's ``malloc.h``."""
_LARGE_BYTES = 4 << 20
_ALLOCATIONS = 10_000


def give_back_large_blocks() -> None:
    """Have blocks of 4 MB and more go back to the system as soon as they are freed, where the C library is glibc.

    By itself it raises that size to the largest block that was ever freed, up to 32 MB, and keeps what is smaller, in pieces: a
    source that sends 16 MB at a time would hold several times that. https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def collect_seldom() -> None:
    """Look for garbage in cycles after every 10,000 objects that stay, not 700, and never among those that are there by now.

    A batch of rows is tens of thousands of objects without a cycle among them, through which it would go again and again.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS)
