"""Why a benchmark gives no figure."""

from __future__ import annotations


class BenchmarkFailed(RuntimeError):
    """Something did not do the work that was to be timed. A figure of unequal or unfinished work is worth nothing."""
