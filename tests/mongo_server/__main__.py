"""Run a stand-in by itself: ``python -m tests.mongo_server [port]`` prints its URL and serves until it is told to end."""

from __future__ import annotations

import signal
import sys

from tests.mongo_server import MongoServer


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread starts, so that all of them have it
    with MongoServer(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as server:
        print(server.url, flush=True)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
