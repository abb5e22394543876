"""What goes wrong while a server is fetched or started."""

from __future__ import annotations


class ServerUnavailable(RuntimeError):
    """A server cannot be had or does not come up. The message says which, why, and what to do.

    It is an error wherever it appears, so a missing server fails a test run and never skips a test.
    """
