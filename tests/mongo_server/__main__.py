"""Run a stand-in by itself: prints its URL, and serves until it is told to end.

python -m tests.mongo_server
python -m tests.mongo_server --port 27017 --version 4.4.1
python -m tests.mongo_server --replay shop.orders --events 500000 --batch 5000 --shape changes
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence

from bson import Timestamp

from tests.mongo_server import MongoServer
from tests.mongo_server.member import Settings
from tests.mongo_server.replay import EncodedBatch, Replay, changes, inserts, orders

FIRST = Timestamp(1_700_000_000, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _parser().parse_args(arguments)
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread starts, so that all of them have it
    version = tuple(map(int, options.version.split(".")))
    settings = Settings(version=version, transaction_lifetime_s=options.transaction_lifetime)
    with MongoServer(settings, port=options.port) as server:
        if options.replay:
            server.replay(options.replay, Replay(list(_batches(options))))
        print(server.url, flush=True)
        signal.sigwait(ends)


def _batches(options: argparse.Namespace) -> Iterator[EncodedBatch]:
    if options.shape == "changes":
        return changes(options.replay, options.events, batch=options.batch, start=FIRST)
    return inserts(options.replay, orders(options.events, text=options.text), batch=options.batch, start=FIRST)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mongo_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--version", default="8.0.0", help="of the server to be (%(default)s)")
    parser.add_argument(
        "--transaction-lifetime", metavar="SECONDS", type=float, default=60.0, help="then it is ended (%(default)s)"
    )
    parser.add_argument("--replay", metavar="NAMESPACE", help="answer streams of it with events made beforehand")
    parser.add_argument("--shape", choices=("inserts", "changes"), default="inserts", help="which events")
    parser.add_argument("--events", type=int, default=100_000, help="how many, about documents with 12 fields")
    parser.add_argument("--text", type=int, default=0, help="of inserts: characters that each document has more")
    parser.add_argument("--batch", type=int, default=5_000, help="events in a batch")
    return parser


if __name__ == "__main__":
    main()
